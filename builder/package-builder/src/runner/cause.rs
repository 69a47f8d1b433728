//! Which line of a failed build's last output says most.

/// Lines that only repeat that something has failed.
const NOISE: [&str; 4] = ["error: Bad exit status", "Bad exit status from", "RPM build errors:", "RPM build warnings:"];

/// What a line says that names an error, in lower case.
const SIGNS: [&str; 10] = [
    "error:",
    "fatal:",
    "failed",
    "no such file",
    "not found",
    "no space left",
    "undefined reference",
    "no rule to make",
    "unreachable",
    "assertion",
];

/// Lines that a heading may be followed by, of those that are shown.
const LISTED: usize = 5;

/// The first line that names an error, with what it lists below if it is a heading; else the last line that is not
/// noise.
pub(super) fn cause_of(tail: &[String]) -> Option<String> {
    let telling = |line: &&String| !is_noise(line);
    let Some(place) = tail.iter().position(|line| telling(&line) && names_an_error(line)) else {
        return tail.iter().rfind(telling).map(|line| line.trim().to_owned());
    };
    let mut cause = tail[place].trim().to_owned();
    if cause.ends_with(':') {
        let listed = || tail[place + 1..].iter().take_while(|line| line.starts_with([' ', '\t']));
        listed().take(LISTED).for_each(|line| cause.push_str(&format!("\n  {}", line.trim())));
        let more = listed().count().saturating_sub(LISTED);
        if more > 0 {
            cause.push_str(&format!("\n  and {more} more"));
        }
    }
    Some(cause)
}

fn is_noise(line: &str) -> bool {
    let line = line.trim();
    let by_make = line.starts_with("make") && (line.contains("Leaving directory") || line.contains("] Error "));
    // What `sh -x` says that it is about to do.
    let is_trace = line.trim_start_matches('+').len() < line.len() && line.trim_start_matches('+').starts_with(' ');
    line.is_empty() || by_make || is_trace || NOISE.iter().any(|noise| line.starts_with(noise))
}

fn names_an_error(line: &str) -> bool {
    let line = line.to_lowercase();
    // Test suites say what has not failed as well.
    let none = ["0 failed", "failed: 0", "failures: 0"].iter().any(|none| line.contains(none));
    !none && SIGNS.iter().any(|sign| line.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(lines: &[&str]) -> Option<String> {
        cause_of(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_cause_is_the_line_that_names_an_error() {
        let include = "x.c:1:10: fatal error: y.h: No such file or directory";
        let tail = ["cc x.c", include, "make: *** [x] Error 1", "error: Bad exit status from /var/tmp/x (%build)"];
        assert_eq!(cause(&tail).as_deref(), Some(include));
        let suite = [
            "a ... ok",
            "1 Test in 1 Category Failed",
            "make[1]: *** [Makefile:2: check] Error 1",
            "make[1]: Leaving directory '/build'",
            "error: Bad exit status from /var/tmp/x (%check)",
            "",
            "RPM build errors:",
            "    Bad exit status from /var/tmp/x (%check)",
        ];
        assert_eq!(cause(&suite).as_deref(), Some("1 Test in 1 Category Failed"));
        let unpackaged = [
            "Checking for unpackaged file(s): /usr/lib/rpm/check-files /build/BUILDROOT/a-1-1.x86_64",
            "error: Installed (but unpackaged) file(s) found:",
            "   /usr/bin/a",
            "   /usr/bin/b",
            "RPM build errors:",
            "    Installed (but unpackaged) file(s) found:",
        ];
        let listed = "error: Installed (but unpackaged) file(s) found:\n  /usr/bin/a\n  /usr/bin/b";
        assert_eq!(cause(&unpackaged).as_deref(), Some(listed));
        assert_eq!(cause(&["12 passed, 0 failed", "aborted"]).as_deref(), Some("aborted"));
        assert_eq!(cause(&["only this", ""]).as_deref(), Some("only this"));
        let traced = ["+ echo 'x: error: y'", "x: error: y", "++ false"];
        assert_eq!(cause(&traced).as_deref(), Some("x: error: y"));
        assert_eq!(cause(&[]), None);
    }
}
