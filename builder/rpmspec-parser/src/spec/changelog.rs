//! `%changelog`: entries, their days and their order.

use super::evaluator::{Evaluator, Step};
use super::reader::Strip;
use super::sections::Part;
use super::source_package::ChangelogEntry;
use crate::Diagnostic;

pub(crate) const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Noon, in seconds: the time of an entry that only names a day.
const NOON: i64 = 12 * 60 * 60;

impl Evaluator<'_, '_> {
    /// `%changelog`. What is wrong with entries is said, and rpm goes on without them and all older ones.
    pub(super) fn read_changelog(&mut self) -> Step<Part> {
        let place = self.reader.place();
        let mut lines: Vec<(String, crate::Place)> = Vec::new();
        let next =
            self.read_lines(Strip::COMMENTS, |this| lines.push((this.reader.line.clone(), this.reader.place())))?;
        // A changelog without a single entry does not count.
        if !self.source.changelog.is_empty() {
            self.fail(Diagnostic::error("second %changelog").at(&place))?;
            return Ok(next);
        }
        let mut entries: Vec<(usize, usize)> = Vec::new();
        for (at, (line, _)) in lines.iter().enumerate() {
            if line.starts_with('*') {
                entries.push((at, at + 1));
            } else if let Some((_, end)) = entries.last_mut() {
                *end = at + 1;
            } else if !line.trim_ascii().is_empty() {
                let place = lines.get(at).map_or_else(|| place.clone(), |(_, place)| place.clone());
                self.record(Diagnostic::error("%changelog entries must start with *").at(&place));
                return Ok(next);
            }
        }
        let trim = self.expand("%{?_changelog_trimtime}").trim_ascii().parse().unwrap_or(0_i64);
        let mut newest_allowed: Option<i64> = None;
        for (start, end) in entries {
            let (head, place) = &lines[start];
            let body: String = lines[start + 1..end].iter().map(|(line, _)| line.as_str()).collect();
            match read_entry(head, &body) {
                Ok((entry, bogus)) => {
                    if bogus {
                        let shown = head.trim_start_matches('*').trim_ascii();
                        let warning = format!("bogus date in %changelog: {shown}");
                        self.record(Diagnostic::warning(warning).at(place).hint("the day of the week does not fit"));
                    }
                    if newest_allowed.is_some_and(|newest| newest < entry.time) {
                        let error = Diagnostic::error("%changelog not in descending chronological order").at(place);
                        self.record(error);
                        return Ok(next);
                    }
                    newest_allowed = Some(entry.time);
                    if trim == 0 || entry.time >= trim {
                        self.note_encoding(0, "Changelogname", &entry.name, place);
                        self.note_encoding(0, "Changelogtext", &entry.text, place);
                        self.source.changelog.push(entry);
                    }
                }
                Err(message) => {
                    self.record(Diagnostic::error(message).at(place));
                    return Ok(next);
                }
            }
        }
        Ok(next)
    }
}

/// Takes a word off a text.
fn next_word<'text>(text: &mut &'text str) -> &'text str {
    let rest = text.trim_ascii_start();
    let length = rest.find(|letter: char| letter.is_ascii_whitespace()).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(length);
    *text = rest;
    word
}

/// Reads an entry; the flag says that its day of the week does not fit its date.
pub(crate) fn read_entry(head: &str, body: &str) -> Result<(ChangelogEntry, bool), String> {
    let shown = head.trim_start_matches('*').trim_ascii();
    let bad = || format!("bad date in %changelog: {shown}");
    let mut rest = shown;
    let word = next_word(&mut rest);
    let weekday = DAYS.iter().position(|day| *day == word).ok_or_else(bad)?;
    let word = next_word(&mut rest);
    let month = MONTHS.iter().position(|month| *month == word).ok_or_else(bad)?;
    let mut number = next_word(&mut rest);
    let day: i64 = number.parse().map_err(|_| bad())?;
    number = next_word(&mut rest);
    let mut seconds = NOON;
    // An entry may name the time and zone as `date` prints them: `12:01:02 CEST 2016`.
    if number.contains(':') {
        let mut fields = number.split(':').map(str::parse::<i64>);
        let mut field = |most: i64| match fields.next() {
            Some(Ok(value)) if (0..=most).contains(&value) => Ok(value),
            _ => Err(bad()),
        };
        seconds = field(23)? * 3600 + field(59)? * 60 + field(59)?;
        let _zone = next_word(&mut rest);
        number = next_word(&mut rest);
    }
    let year: i64 = number.parse().map_err(|_| bad())?;
    let month_number = i64::try_from(month).map_err(|_| bad())? + 1;
    if !(1990..=9999).contains(&year) || !(1..=days_of_month(year, month_number)).contains(&day) {
        return Err(bad());
    }
    let days = days_since_1970(year, month_number, day);
    let bogus = (days + 4).rem_euclid(7) != i64::try_from(weekday).map_err(|_| bad())?;
    let name = rest.trim_ascii();
    if name.is_empty() {
        return Err("missing name in %changelog".to_owned());
    }
    let text = body.trim_ascii();
    if text.is_empty() {
        return Err("no description in %changelog".to_owned());
    }
    Ok((ChangelogEntry { time: days * 86_400 + seconds, name: name.to_owned(), text: text.to_owned() }, bogus))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

pub(crate) fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let earlier = year - 1;
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(earlier) - leaps(1969);
    years + (1..month).map(|month| days_of_month(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 3, 1), 11_017);
        assert_eq!(days_since_1970(2024, 4, 16) * 86_400 + NOON, 1_713_268_800);
    }

    #[test]
    fn entries_are_read_and_faults_named() {
        let (entry, bogus) =
            read_entry("* Tue Apr 16 2024 A B <a@b> 1-2", "- one\n- two\n\n").expect("it is well-formed");
        assert_eq!((entry.time, entry.name.as_str(), bogus), (1_713_268_800, "A B <a@b> 1-2", false));
        assert_eq!(entry.text, "- one\n- two");
        assert!(read_entry("* Mon Apr 16 2024 me", "- x").expect("only the day is wrong").1);
        assert_eq!(read_entry("* Foo Bar 32 2020 me", "- x"), Err("bad date in %changelog: Foo Bar 32 2020 me".into()));
        assert_eq!(read_entry("* Tue Apr 16 2024", "- x"), Err("missing name in %changelog".into()));
        assert_eq!(read_entry("* Tue Apr 16 2024 me", "\n"), Err("no description in %changelog".into()));
    }
}
