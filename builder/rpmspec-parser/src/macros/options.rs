//! Options of parametric macros: the C library's `getopt`, with its reordering and its words.

/// An option as found: its letter and its argument.
pub(super) type Found = (char, Option<String>);

/// Why options cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OptionError {
    /// The letter is no option.
    Unknown(char),
    /// The option needs an argument and there is none.
    NoArgument(char),
}

impl OptionError {
    /// The letter.
    pub(super) const fn letter(&self) -> char {
        match self {
            Self::Unknown(letter) | Self::NoArgument(letter) => *letter,
        }
    }

    /// The C library's words for it.
    pub(super) fn words(&self, name: &str) -> String {
        match self {
            Self::Unknown(letter) => format!("{name}: invalid option -- '{letter}'"),
            Self::NoArgument(letter) => format!("{name}: option requires an argument -- '{letter}'"),
        }
    }
}

/// What [`read_options`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// The options, in order.
    pub(super) options: Vec<Found>,
    /// Index of the first argument that is no option.
    pub(super) first: usize,
    /// What is wrong, if anything.
    pub(super) error: Option<OptionError>,
}

/// Reads the options among `arguments` (the macro's name comes first) and moves the others behind them.
///
/// `letters` is as `getopt` has it: `a:b` takes `-a ARGUMENT` and `-b`, `a::` an argument only in the same
/// word. A lone `-` means that nothing is an option. A leading `+` stops at the first other argument.
pub(super) fn read_options(arguments: &mut Vec<String>, letters: &str) -> Options {
    if letters == "-" {
        return Options { first: 1, ..Options::default() };
    }
    let mut found = Options::default();
    let in_order = letters.starts_with('+');
    let mut input = std::mem::take(arguments).into_iter();
    let mut read: Vec<String> = input.next().into_iter().collect();
    let mut others = Vec::new();
    while let Some(word) = input.next() {
        if word == "--" {
            read.push(word);
            others.extend(input.by_ref());
        } else if word.len() < 2 || !word.starts_with('-') || found.error.is_some() {
            others.push(word);
            if in_order {
                others.extend(input.by_ref());
            }
        } else {
            let next = read_word(&word, letters, &mut input, &mut found);
            read.push(word);
            read.extend(next);
        }
    }
    found.first = read.len();
    read.extend(others);
    *arguments = read;
    found
}

/// Reads the letters of one word; returns the next word if it was the last one's argument.
fn read_word(
    word: &str,
    letters: &str,
    input: &mut impl Iterator<Item = String>,
    found: &mut Options,
) -> Option<String> {
    let mut rest = word[1..].chars();
    while let Some(letter) = rest.next() {
        let position = letters.find(letter).filter(|_| !matches!(letter, ':' | ';' | '+'));
        let Some(position) = position else {
            found.error = Some(OptionError::Unknown(letter));
            return None;
        };
        let after = &letters[position + letter.len_utf8()..];
        if !after.starts_with(':') {
            found.options.push((letter, None));
            continue;
        }
        let attached = rest.as_str();
        if !attached.is_empty() || after.starts_with("::") {
            let argument = (!attached.is_empty()).then(|| attached.to_owned());
            found.options.push((letter, argument));
            return None;
        }
        let Some(next) = input.next() else {
            found.error = Some(OptionError::NoArgument(letter));
            return None;
        };
        found.options.push((letter, Some(next.clone())));
        return Some(next);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(letters: &str, arguments: &[&str]) -> (Vec<String>, Options) {
        let mut arguments: Vec<String> =
            std::iter::once("m").chain(arguments.iter().copied()).map(str::to_owned).collect();
        let options = read_options(&mut arguments, letters);
        (arguments, options)
    }

    #[test]
    fn options_come_first() {
        let (arguments, options) = read("a:b", &["x", "-b", "y", "-a", "1", "-ba2"]);
        assert_eq!(arguments, ["m", "-b", "-a", "1", "-ba2", "x", "y"]);
        assert_eq!(options.first, 5);
        let expected = [('b', None), ('a', Some("1".to_owned())), ('b', None), ('a', Some("2".to_owned()))];
        assert_eq!(options.options, expected);
        assert_eq!(options.error, None);
    }

    #[test]
    fn two_dashes_end_the_options() {
        let (arguments, options) = read("a", &["x", "--", "-a"]);
        assert_eq!(arguments, ["m", "--", "x", "-a"]);
        assert_eq!((options.first, options.options.len()), (2, 0));
    }

    #[test]
    fn errors_name_the_letter() {
        assert_eq!(read("a", &["-x"]).1.error, Some(OptionError::Unknown('x')));
        assert_eq!(read("a:", &["-a"]).1.error, Some(OptionError::NoArgument('a')));
        assert_eq!(OptionError::Unknown('x').words("m"), "m: invalid option -- 'x'");
    }

    #[test]
    fn a_dash_switches_options_off() {
        let (arguments, options) = read("-", &["-x", "y"]);
        assert_eq!(arguments, ["m", "-x", "y"]);
        assert_eq!((options.first, options.error), (1, None));
    }
}
