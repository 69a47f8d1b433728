//! `%patch`, written out as the shell commands rpm makes of it.

use std::io::ErrorKind;
use std::path::Path;

use super::arguments::{Arguments, split_words, whole_number};
use super::sources::Registered;
use crate::macros::{PrepFault, PrepHost};

/// What a `%patch` line asks for besides numbers.
struct PatchOptions {
    /// `-p…`, the backup and the fuzz.
    first: String,
    /// The other options, ready to be added to the command.
    rest: String,
}

/// What compressed files begin with.
const MAGIC: [&[u8]; 13] = [
    b"BZh",
    b"PK\x03\x04",
    b"PK00",
    b"\x1f\x8b",
    b"\x1f\x9e",
    b"\x1f\xa0",
    b"\x1f\x9d",
    b"\x1f\x1e",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f",
    b"LZIP",
    b"LRZI",
    b"7z\xbc\xaf\x27\x1c",
];

/// rpm does not look into files that are smaller.
const SMALLEST: usize = 13;

/// Writes the commands of a `%patch` line. Before rpm 4.20 a number may be part of its name, before 4.19 none is the
/// first.
pub(super) fn write(
    patches: &Registered,
    line: &str,
    host: &PrepHost<'_, '_>,
    text: &mut String,
) -> Result<(), PrepFault> {
    let wrong = PrepFault::Wrong;
    let shown = line.trim_ascii_end();
    let behind = line.strip_prefix("%patch").filter(|behind| !behind.starts_with(is_space)).unwrap_or_default();
    let own_number = behind.split_ascii_whitespace().next();
    let words = split_words(line).map_err(|fault| wrong(format!("{}: {shown}", fault.words())))?;
    let arguments = Arguments::parse(&words, "P:p:REb:z:F:d:o:Z")
        .map_err(|fault| wrong(format!("{}: {}: {shown}", fault.words(), fault.option())))?;
    let number = |option: char| -> Result<Option<i32>, PrepFault> {
        let Some(value) = arguments.value(option) else { return Ok(None) };
        integer(value).map(Some).map_err(|words| wrong(format!("{words}: {value}: {shown}")))
    };
    let strip = number('p')?.unwrap_or(0);
    let fuzz = match number('F')? {
        Some(fuzz) => Some(fuzz),
        None => host.expand("%{?_default_patch_fuzz}").trim_ascii().parse().ok(),
    };
    let backup = arguments.options.iter().rev().find(|(option, _)| matches!(option, 'b' | 'z'));
    let backup = backup.and_then(|(_, suffix)| suffix.as_ref());
    let options = PatchOptions {
        first: format!(
            " -p{strip} {}{}",
            backup.map(|suffix| format!("-b --suffix {suffix}")).unwrap_or_default(),
            fuzz.filter(|fuzz| *fuzz >= 0).map(|fuzz| format!(" --fuzz={fuzz}")).unwrap_or_default(),
        ),
        rest: other_options(&arguments),
    };
    let listed = arguments.options.iter().filter(|(option, _)| *option == 'P');
    let mut numbers: Vec<&str> =
        own_number.into_iter().chain(listed.filter_map(|(_, value)| value.as_deref())).collect();
    numbers.extend(arguments.words.iter().map(String::as_str));
    if numbers.is_empty() {
        let message = format!("Patch number not specified: {shown}");
        if host.is_at_least(&[4, 19]) {
            return Err(wrong(message));
        }
        host.warn(message, Some("write `%patch -P 0`"));
        numbers.push("0");
    }
    for number in numbers {
        let number = whole_number(number).ok_or_else(|| wrong(format!("Invalid patch number {number}: {shown}")))?;
        let Some(path) = patches.get(&number) else {
            return Err(PrepFault::Lacking(format!("No patch number {number}")));
        };
        write_patch(number, path, &options, host, text);
    }
    Ok(())
}

fn write_patch(number: u32, path: &str, options: &PatchOptions, host: &PrepHost<'_, '_>, text: &mut String) {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let PatchOptions { first, rest } = options;
    let command = host.expand("%{__patch} %{_default_patch_flags}");
    text.push_str(&format!("echo \"Patch #{number} ({name}):\"\n"));
    if must_be_uncompressed(path, host) {
        let uncompress = host.expand(&format!("%{{uncompress:{path}}}"));
        text.push_str(&format!("{{ {uncompress} || echo patch_fail ; }} | {command}{first}{rest}\n\n"));
    } else {
        text.push_str(&format!("{command}{first}{rest} < {path}\n\n"));
    }
}

/// Whether a patch is compressed, or is not there to be looked at.
fn must_be_uncompressed(path: &str, host: &PrepHost<'_, '_>) -> bool {
    if !host.world().exists(Path::new(path)) {
        return true;
    }
    match host.world().read_file(Path::new(path)) {
        Ok(content) if content.len() < SMALLEST => {
            host.warn(format!("File {path} is smaller than {SMALLEST} bytes"), Some("is it a patch?"));
            false
        }
        Ok(content) => MAGIC.iter().any(|magic| content.starts_with(magic)),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

fn other_options(arguments: &Arguments) -> String {
    let mut rest = String::new();
    for option in ['d', 'o'] {
        if let Some(value) = arguments.value(option) {
            rest.push_str(&format!(" -{option} {value}"));
        }
    }
    for option in ['R', 'E', 'Z'] {
        if arguments.has(option) {
            rest.push_str(&format!(" -{option}"));
        }
    }
    rest
}

fn is_space(letter: char) -> bool {
    letter.is_ascii_whitespace()
}

/// Reads an option's number as popt does: decimal, octal or hexadecimal. The error is popt's words.
fn integer(text: &str) -> Result<i32, &'static str> {
    let digits = text.trim_ascii_start();
    let (negative, digits) = match digits.strip_prefix(['-', '+']) {
        Some(rest) => (digits.starts_with('-'), rest),
        None => (false, digits),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err("invalid numeric value");
    }
    let value = i64::from_str_radix(digits, radix).unwrap_or(i64::MAX);
    i32::try_from(if negative { -value } else { value }).map_err(|_| "number too large or too small")
}

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        assert_eq!(["1", "010", "0x10", "-1", "0", " 3"].map(integer), [Ok(1), Ok(8), Ok(16), Ok(-1), Ok(0), Ok(3)]);
        for text in ["x", "1.5", "", "0x", "09"] {
            assert_eq!(integer(text), Err("invalid numeric value"), "{text}");
        }
        assert_eq!(integer("99999999999"), Err("number too large or too small"));
    }
}
