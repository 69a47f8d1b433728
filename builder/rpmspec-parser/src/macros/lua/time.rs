//! Dates for `os.date` and `os.time`, in UTC.

use std::fmt::Write as _;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    weekday: i64,
    yearday: i64,
    since_epoch: i64,
}

/// Seconds since 1970 of a date: year, month, day, hour, minute, second, of which any may be out of range.
pub(super) fn seconds([year, month, day, hour, minute, second]: [i64; 6]) -> i64 {
    let months = year.saturating_mul(12).saturating_add(month).saturating_sub(1);
    let days = days_from_civil(months.div_euclid(12), months.rem_euclid(12) + 1).saturating_add(day - 1);
    days.saturating_mul(86_400)
        .saturating_add(hour.saturating_mul(3600))
        .saturating_add(minute.saturating_mul(60))
        .saturating_add(second)
}

/// Days from 1970-01-01 to the first of a month of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64) -> i64 {
    let year = year.clamp(-1_000_000, 1_000_000) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl Broken {
    /// Takes a number of seconds since 1970 apart.
    pub(super) fn new(since_epoch: i64) -> Self {
        let days = since_epoch.div_euclid(86_400).clamp(-300_000_000, 300_000_000);
        let of_day = since_epoch.rem_euclid(86_400);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year,
            month,
            day: of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            weekday: (days + 4).rem_euclid(7),
            yearday: days - days_from_civil(year, 1),
            since_epoch,
        }
    }

    /// The fields of `os.date("*t")`.
    pub(super) const fn fields(&self) -> [(&'static str, i64); 8] {
        [
            ("year", self.year),
            ("month", self.month),
            ("day", self.day),
            ("hour", self.hour),
            ("min", self.minute),
            ("sec", self.second),
            ("wday", self.weekday + 1),
            ("yday", self.yearday + 1),
        ]
    }

    /// Formats as C's `strftime` does in the C locale. An unknown conversion is the error.
    pub(super) fn format(&self, format: &str) -> Result<String, String> {
        let mut text = String::new();
        let mut characters = format.chars();
        while let Some(character) = characters.next() {
            if character == '%' {
                let conversion = characters.next();
                self.convert(&mut text, conversion)?;
            } else {
                text.push(character);
            }
        }
        Ok(text)
    }

    fn convert(&self, text: &mut String, conversion: Option<char>) -> Result<(), String> {
        let day = DAYS[usize::try_from(self.weekday).unwrap_or(0) % 7];
        let month = MONTHS[usize::try_from(self.month - 1).unwrap_or(0) % 12];
        let hour12 = if self.hour % 12 == 0 { 12 } else { self.hour % 12 };
        let half = if self.hour < 12 { "AM" } else { "PM" };
        let nested = |text: &mut String, format: &str| {
            text.push_str(&self.format(format)?);
            Ok(())
        };
        // Writing to a string cannot fail.
        let written = match conversion {
            Some('a') => write!(text, "{}", &day[..3]),
            Some('A') => write!(text, "{day}"),
            Some('b' | 'h') => write!(text, "{}", &month[..3]),
            Some('B') => write!(text, "{month}"),
            Some('c') => return nested(text, "%a %b %e %H:%M:%S %Y"),
            Some('C') => write!(text, "{:02}", self.year.div_euclid(100)),
            Some('d') => write!(text, "{:02}", self.day),
            Some('D' | 'x') => return nested(text, "%m/%d/%y"),
            Some('e') => write!(text, "{:2}", self.day),
            Some('F') => return nested(text, "%Y-%m-%d"),
            Some('H') => write!(text, "{:02}", self.hour),
            Some('I') => write!(text, "{hour12:02}"),
            Some('j') => write!(text, "{:03}", self.yearday + 1),
            Some('m') => write!(text, "{:02}", self.month),
            Some('M') => write!(text, "{:02}", self.minute),
            Some('n') => writeln!(text),
            Some('p') => write!(text, "{half}"),
            Some('r') => return nested(text, "%I:%M:%S %p"),
            Some('R') => return nested(text, "%H:%M"),
            Some('s') => write!(text, "{}", self.since_epoch),
            Some('S') => write!(text, "{:02}", self.second),
            Some('t') => write!(text, "\t"),
            Some('T' | 'X') => return nested(text, "%H:%M:%S"),
            Some('u') => write!(text, "{}", if self.weekday == 0 { 7 } else { self.weekday }),
            Some('w') => write!(text, "{}", self.weekday),
            Some('U') => write!(text, "{:02}", (self.yearday + 7 - self.weekday) / 7),
            Some('W') => write!(text, "{:02}", (self.yearday + 7 - (self.weekday + 6) % 7) / 7),
            Some('y') => write!(text, "{:02}", self.year.rem_euclid(100)),
            Some('Y') => write!(text, "{}", self.year),
            Some('z') => write!(text, "+0000"),
            Some('Z') => write!(text, "UTC"),
            Some('%') => write!(text, "%"),
            other => return Err(format!("%{}", other.map(String::from).unwrap_or_default())),
        };
        debug_assert!(written.is_ok(), "a string takes everything");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_taken_apart_and_put_together() {
        for (since_epoch, text) in [
            (0, "Thu Jan  1 00:00:00 1970 001"),
            (951_782_399, "Mon Feb 28 23:59:59 2000 059"),
            (951_868_800, "Wed Mar  1 00:00:00 2000 061"),
            (1_700_000_000, "Tue Nov 14 22:13:20 2023 318"),
            (-1, "Wed Dec 31 23:59:59 1969 365"),
        ] {
            let broken = Broken::new(since_epoch);
            assert_eq!(broken.format("%c %j").as_deref(), Ok(text));
            let fields = broken.fields().map(|(_, value)| value);
            assert_eq!(seconds([fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]]), since_epoch);
        }
        assert_eq!(seconds([2000, 14, 1, 0, 0, 0]), seconds([2001, 2, 1, 0, 0, 0]));
        assert_eq!(Broken::new(0).format("%Q"), Err("%Q".to_owned()));
    }
}
