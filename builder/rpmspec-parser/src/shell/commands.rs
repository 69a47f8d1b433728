//! The commands that are known: what they write, and whether they succeed.

use super::filters;
use crate::World;

/// A format that could write more is left to a shell.
const LARGEST: usize = 64 << 10;

/// Runs a command; `None` where it, or what is asked of it, is not known.
pub(super) fn run(
    world: &dyn World,
    name: &str,
    arguments: &[String],
    input: Option<&[u8]>,
    output: &mut Vec<u8>,
) -> Option<bool> {
    match name {
        ":" | "true" => Some(true),
        "false" => Some(false),
        "echo" => echo(arguments, output),
        "printf" => print(arguments, output),
        "test" => test(arguments),
        "[" => match arguments {
            [arguments @ .., last] if last == "]" => test(arguments),
            _ => None,
        },
        "nproc" if arguments.is_empty() => {
            output.extend_from_slice(format!("{}\n", world.processor_count()).as_bytes());
            Some(true)
        }
        // What stands at the beginning of a pipe reads what is not known here.
        _ => filters::run(name, arguments, input?, output).map(|()| true),
    }
}

fn echo(arguments: &[String], output: &mut Vec<u8>) -> Option<bool> {
    let is_option = |argument: &&String| {
        argument
            .strip_prefix('-')
            .is_some_and(|letters| !letters.is_empty() && letters.chars().all(|c| "neE".contains(c)))
    };
    let options = arguments.iter().take_while(is_option).count();
    let (options, words) = arguments.split_at(options);
    if options.iter().any(|option| option.contains(['e', 'E'])) {
        return None;
    }
    output.extend_from_slice(words.join(" ").as_bytes());
    if options.is_empty() {
        output.push(b'\n');
    }
    Some(true)
}

/// `printf` with `%s`, `%%`, `\n`, `\t` and `\\`.
fn print(arguments: &[String], output: &mut Vec<u8>) -> Option<bool> {
    let (format, arguments) = arguments.split_first()?;
    if format.starts_with('-') || format.len() * (arguments.len() + 1) > LARGEST {
        return None;
    }
    let mut arguments = arguments.iter();
    loop {
        let before = arguments.len();
        let mut letters = format.bytes();
        while let Some(letter) = letters.next() {
            match letter {
                b'%' => match letters.next()? {
                    b'%' => output.push(b'%'),
                    b's' => output.extend_from_slice(arguments.next().map_or("", String::as_str).as_bytes()),
                    _ => return None,
                },
                b'\\' => output.push(match letters.next()? {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'\\' => b'\\',
                    _ => return None,
                }),
                letter => output.push(letter),
            }
        }
        // The format is used as long as it takes arguments and there are any.
        if arguments.len() == 0 || arguments.len() == before {
            return Some(true);
        }
    }
}

/// `test`: POSIX says by the number of arguments what they are.
fn test(arguments: &[String]) -> Option<bool> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => Some(false),
        [word] => Some(!word.is_empty()),
        ["!", word] => Some(word.is_empty()),
        ["-n", word] => Some(!word.is_empty()),
        ["-z", word] => Some(word.is_empty()),
        [left, "=" | "==", right] => Some(left == right),
        [left, "!=", right] => Some(left != right),
        [left, operator @ ("-eq" | "-ne" | "-gt" | "-ge" | "-lt" | "-le"), right] => {
            let (left, right) = (integer(left)?, integer(right)?);
            Some(match *operator {
                "-eq" => left == right,
                "-ne" => left != right,
                "-gt" => left > right,
                "-ge" => left >= right,
                "-lt" => left < right,
                _ => left <= right,
            })
        }
        ["!", "-n", word] => Some(word.is_empty()),
        ["!", "-z", word] => Some(!word.is_empty()),
        ["!", left, operator, right] => {
            let three = [left, operator, right].map(|word| (*word).to_owned());
            // Where the operator is none, other rules hold.
            (operator.starts_with('-') || operator.contains('=')).then(|| test(&three))?.map(|holds| !holds)
        }
        _ => None,
    }
}

fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}
