//! Programs at the end of a pipe, in their plainest uses. All is ASCII here, so bytes are characters.

use std::ops::RangeInclusive;

/// Longer sets of characters and lists of fields are left to the programs.
const LONGEST_LIST: usize = 100;

/// A replacement that could write more is left to `sed`.
const LARGEST: usize = 64 << 10;

/// Writes what a program makes of its input; `None` where it is not known for certain.
pub(super) fn run(name: &str, arguments: &[String], input: &[u8], output: &mut Vec<u8>) -> Option<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match (name, arguments.as_slice()) {
        ("cut", arguments) => cut(arguments, input, output),
        ("tr", ["-d", set]) => {
            let set = characters(set)?;
            output.extend(input.iter().filter(|byte| !set.contains(byte)));
            Some(())
        }
        ("tr", [from, to]) => translate(from, to, input, output),
        ("sed", [script]) => substitute(script, input, output),
        ("head", ["-1" | "-n1"] | ["-n", "1"]) => {
            output.extend_from_slice(lines(input).next().unwrap_or_default());
            Some(())
        }
        ("tail", ["-1" | "-n1"] | ["-n", "1"]) => {
            output.extend_from_slice(lines(input).last().unwrap_or_default());
            Some(())
        }
        _ => None,
    }
}

/// Lines with their ends; the last may have none.
fn lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split_inclusive(|byte| *byte == b'\n')
}

fn cut(arguments: &[&str], input: &[u8], output: &mut Vec<u8>) -> Option<()> {
    let (mut delimiter, mut fields) = (None, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let (option, value) = argument.split_at_checked(2)?;
        let value = if value.is_empty() { arguments.next()? } else { value };
        let slot = match option {
            "-d" => &mut delimiter,
            "-f" => &mut fields,
            _ => return None,
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    let delimiter = match delimiter.unwrap_or("\t").as_bytes() {
        [byte] if *byte != b'\n' => *byte,
        _ => return None,
    };
    let fields: Vec<RangeInclusive<usize>> = fields?.split(',').take(LONGEST_LIST).map(range).collect::<Option<_>>()?;
    for line in lines(input) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.contains(&delimiter) {
            let parts = line.split(|byte| *byte == delimiter).enumerate();
            let mut chosen = parts.filter(|(at, _)| fields.iter().any(|range| range.contains(&(at + 1))));
            output.extend_from_slice(chosen.next().map_or(&[][..], |(_, part)| part));
            for (_, part) in chosen {
                output.push(delimiter);
                output.extend_from_slice(part);
            }
        } else {
            output.extend_from_slice(line);
        }
        output.push(b'\n');
    }
    Some(())
}

/// `2`, `2-3` or `2-`.
fn range(text: &str) -> Option<RangeInclusive<usize>> {
    let number = |text: &str| -> Option<usize> {
        let plain = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok())?.filter(|number| *number > 0)
    };
    match text.split_once('-') {
        None => number(text).map(|number| number..=number),
        Some((from, "")) => Some(number(from)?..=usize::MAX),
        Some((from, to)) => Some(number(from)?..=number(to)?).filter(|range| !range.is_empty()),
    }
}

/// The characters of a set of `tr`, where it has no other meaning than them.
fn characters(set: &str) -> Option<Vec<u8>> {
    match set {
        "\\n" => return Some(vec![b'\n']),
        "a-z" => return Some((b'a'..=b'z').collect()),
        "A-Z" => return Some((b'A'..=b'Z').collect()),
        "0-9" => return Some((b'0'..=b'9').collect()),
        "-" => return Some(vec![b'-']),
        _ => {}
    }
    if set.len() > LONGEST_LIST {
        return None;
    }
    let inner = set.strip_suffix('-').unwrap_or(set);
    (!inner.is_empty() && !inner.contains(['\\', '[', ']', '-'])).then(|| set.bytes().collect())
}

fn translate(from: &str, to: &str, input: &[u8], output: &mut Vec<u8>) -> Option<()> {
    let (from, to) = match (from, to) {
        ("[:upper:]", "[:lower:]") => ("A-Z", "a-z"),
        ("[:lower:]", "[:upper:]") => ("a-z", "A-Z"),
        both => both,
    };
    let (from, to) = (characters(from)?, characters(to)?);
    let repeated = (1..from.len()).any(|at| from[..at].contains(&from[at]));
    let last = *to.last().filter(|_| !repeated)?;
    output.extend(input.iter().map(|byte| match from.iter().position(|known| known == byte) {
        Some(at) => *to.get(at).unwrap_or(&last),
        None => *byte,
    }));
    Some(())
}

/// `s/PLAIN/PLAIN/` and the same with `g`.
fn substitute(script: &str, input: &[u8], output: &mut Vec<u8>) -> Option<()> {
    let rest = script.strip_prefix('s')?;
    let delimiter = rest.chars().next().filter(|letter| "/|,#:@".contains(*letter))?;
    let parts: Vec<&str> = rest[1..].split(delimiter).collect();
    let [pattern, replacement, flags @ ("" | "g")] = parts.as_slice() else { return None };
    // An escaped dot is the one escape that is understood.
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_-/,:=@ +~".contains(c));
    let fits = !pattern.is_empty() && plain(&pattern.replace("\\.", ""));
    if !fits || replacement.contains(['\\', '&', '\n']) || input.len() * (replacement.len() + 1) > LARGEST {
        return None;
    }
    let pattern = pattern.replace("\\.", ".");
    for line in lines(input) {
        let line = std::str::from_utf8(line).ok()?;
        let replaced =
            if *flags == "g" { line.replace(&pattern, replacement) } else { line.replacen(&pattern, replacement, 1) };
        output.extend_from_slice(replaced.as_bytes());
    }
    Some(())
}
