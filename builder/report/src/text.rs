//! Words and numbers for people: plurals, times, sizes, and what is safe to show on a terminal.

use jiff::{Timestamp, tz::TimeZone};

/// `1 spec`, `2 specs`: the plural is the word with an `s`, which holds for every noun this tool counts.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `0.08s`, `1.8s`, `41s`, `11m02s`, `1h02m`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    if seconds < 0.995 {
        format!("{:.2}s", seconds.max(0.0))
    } else if seconds < 9.95 {
        format!("{seconds:.1}s")
    } else if whole < 60 {
        format!("{whole}s")
    } else if whole < 3600 {
        format!("{}m{:02}s", whole / 60, whole % 60)
    } else {
        format!("{}h{:02}m", whole / 3600, whole % 3600 / 60)
    }
}

/// A time that is expected and not measured, without digits that would look like knowledge: `40s`, `12m`, `1h02m`.
pub fn roughly(seconds: f64) -> String {
    let seconds = seconds.max(1.0);
    let step = if seconds > 50.0 { 60.0 } else { 10.0 };
    let text = duration((seconds / step).ceil() * step);
    text.strip_suffix("00s").map_or(text.clone(), str::to_owned)
}

/// `00:12:04`, for a time that is still running.
pub fn stopwatch(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    format!("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}

/// `712 B`, `1.2 MiB`.
pub fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// `2026-11-23 06:12:07` in the given zone; `at` is milliseconds since 1970-01-01 UTC.
pub fn clock(at: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(at) {
        Ok(timestamp) => timestamp.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => format!("{at} ms"),
    }
}

/// Text that came out of a build or a server, without what could steer a terminal. Newlines and tabs stay.
pub fn harmless(text: &str) -> String {
    let keep = |character: char| character == '\n' || character == '\t' || !character.is_control();
    text.chars().map(|character| if keep(character) { character } else { '\u{fffd}' }).collect()
}

/// At most `limit` items joined by commas, the rest as a number: `a, b, and 3 more`.
pub fn some_of(items: &[String], limit: usize) -> String {
    let shown = items.iter().take(limit).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > limit { format!("{shown}, and {} more", items.len() - limit) } else { shown }
}

/// `a → b → c`, or its two ends and how many are between: what has to be done in this order. `None` if it is no chain.
pub fn chain(names: &[String]) -> Option<String> {
    match names {
        [] | [_] => None,
        [first, second, .., last] if names.len() > 4 => {
            Some(format!("{first} → {second} → ({} more) → {last}", names.len() - 3))
        }
        _ => Some(names.join(" → ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_about_two_digits_that_matter() {
        let cases = [
            (-1.0, "0.00s"),
            (0.08, "0.08s"),
            (0.999, "1.0s"),
            (1.84, "1.8s"),
            (9.97, "10s"),
            (59.6, "1m00s"),
            (662.0, "11m02s"),
            (3725.0, "1h02m"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
        assert_eq!(stopwatch(724.9), "00:12:04");
        for (seconds, expected) in [(-3.0, "10s"), (21.0, "30s"), (55.0, "1m"), (662.0, "12m"), (3725.0, "1h03m")] {
            assert_eq!(roughly(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn counts_sizes_and_clocks() {
        assert_eq!(plural(0, "spec"), "0 specs");
        assert_eq!(plural(1, "spec"), "1 spec");
        assert_eq!(size(712), "712 B");
        assert_eq!(size(1_048_575), "1.0 MiB");
        assert_eq!(size(1_258_291), "1.2 MiB");
        assert_eq!(clock(1_700_000_000_000, &TimeZone::UTC), "2023-11-14 22:13:20");
        assert_eq!(some_of(&["a".into(), "b".into(), "c".into()], 2), "a, b, and 1 more");
        assert_eq!(some_of(&["a".into(), "b".into()], 2), "a, b");
        let names: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        assert_eq!(chain(&names[..1]), None);
        assert_eq!(chain(&names[..4]).as_deref(), Some("a → b → c → d"));
        assert_eq!(chain(&names).as_deref(), Some("a → b → (2 more) → e"));
    }

    #[test]
    fn a_build_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\n\tc\r"), "a\u{fffd}[2Jb\n\tc\u{fffd}");
    }
}
