//! rpm's query formats: parsing one, and filling it with a header's tags.
//!
//! `%{TAG}` with a width before and `:format` behind the name, `[…]` for every element, `%|TAG?{…}:{…}|`, `%{=TAG}`
//! for the same value with every element, `%{#TAG}` for the number of elements, and C's escapes.

use super::present::Presentation;
use super::tags::{Header, Tag, Value};

/// A format that is read.
#[derive(Clone, Debug)]
pub(super) struct Format(Vec<Token>);

#[derive(Clone, Debug)]
enum Token {
    Text(String),
    Tag(TagToken),
    Array(Vec<Token>),
    Condition { tag: Tag, present: Vec<Token>, missing: Vec<Token> },
}

#[derive(Clone, Debug)]
struct TagToken {
    tag: Tag,
    presentation: Presentation,
    /// The same value with every element.
    just_one: bool,
    /// The number of elements instead of the value.
    count: bool,
    width: Width,
}

#[derive(Clone, Copy, Debug, Default)]
struct Width {
    columns: usize,
    left: bool,
}

/// Wider than this is a slip of the keyboard.
const WIDEST: usize = 10_000;

/// Formats nested deeper than this are refused.
const DEEPEST: usize = 32;

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

/// What ends a list of tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Text,
    Bracket,
    Brace,
}

impl Format {
    /// Reads a format.
    ///
    /// # Errors
    /// What is wrong with it, as rpm words it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Reader { rest: text, depth: 0 }.tokens(End::Text).map(Self)
    }

    /// Fills it in for one package.
    ///
    /// # Errors
    /// An array's tags have different numbers of elements, or a value cannot be presented so.
    pub(super) fn fill(&self, header: &Header<'_>) -> Result<String, String> {
        let mut text = String::new();
        fill_all(&self.0, header, 0, &mut text)?;
        Ok(text)
    }
}

impl Reader<'_> {
    fn tokens(&mut self, end: End) -> Result<Vec<Token>, String> {
        if self.depth >= DEEPEST {
            return Err("the format is nested too deeply".to_owned());
        }
        self.depth += 1;
        let mut tokens = Vec::new();
        let mut text = String::new();
        loop {
            let Some(letter) = self.next() else {
                match end {
                    End::Text => break,
                    End::Bracket => return Err("] expected at end of array".to_owned()),
                    End::Brace => return Err("} expected in expression".to_owned()),
                }
            };
            let token = match letter {
                ']' | '}' if (letter == ']') == (end == End::Bracket) && end != End::Text => break,
                ']' | '}' => return Err(format!("unexpected {letter}")),
                '\\' => {
                    text.extend(self.next().map(escaped));
                    continue;
                }
                '%' if self.take('%') => {
                    text.push('%');
                    continue;
                }
                '%' if self.take('|') => self.condition()?,
                '%' => self.tag()?,
                '[' => Token::Array(self.tokens(End::Bracket)?),
                letter => {
                    text.push(letter);
                    continue;
                }
            };
            if !text.is_empty() {
                tokens.push(Token::Text(std::mem::take(&mut text)));
            }
            tokens.push(token);
        }
        if !text.is_empty() {
            tokens.push(Token::Text(text));
        }
        self.depth -= 1;
        Ok(tokens)
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(letter)
    }

    fn take(&mut self, letter: char) -> bool {
        let found = self.rest.strip_prefix(letter);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// `%` is read; a width, and a tag in braces follow.
    fn tag(&mut self) -> Result<Token, String> {
        let (width, behind) = self.rest.split_once('{').ok_or("missing { after %")?;
        let left = width.starts_with('-');
        let digits = width.strip_prefix('-').unwrap_or(width);
        let columns = if digits.is_empty() { Some(0) } else { digits.parse().ok() };
        let columns = columns.filter(|columns| *columns <= WIDEST).ok_or("invalid field width")?;
        let (inside, behind) = behind.split_once('}').ok_or("missing } after %{")?;
        self.rest = behind;
        let just_one = inside.starts_with('=');
        let count = inside.starts_with('#');
        let inside = if just_one || count { &inside[1..] } else { inside };
        let (name, presentation) = match inside.split_once(':') {
            Some((name, presentation)) => (name, Presentation::parse(presentation)?),
            None => (inside, Presentation::default()),
        };
        let width = Width { columns, left };
        Ok(Token::Tag(TagToken { tag: Tag::parse(name)?, presentation, just_one, count, width }))
    }

    /// `%|` is read; `TAG?{…}:{…}|` follows.
    fn condition(&mut self) -> Result<Token, String> {
        let (name, behind) = self.rest.split_once('?').ok_or("? expected in expression")?;
        self.rest = behind;
        let tag = Tag::parse(name)?;
        if !self.take('{') {
            return Err("{ expected after ? in expression".to_owned());
        }
        let present = self.tokens(End::Brace)?;
        let missing = if self.take(':') {
            if !self.take('{') {
                return Err("{ expected after : in expression".to_owned());
            }
            self.tokens(End::Brace)?
        } else {
            Vec::new()
        };
        if !self.take('|') {
            return Err("| expected at end of expression".to_owned());
        }
        Ok(Token::Condition { tag, present, missing })
    }
}

fn escaped(letter: char) -> char {
    match letter {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        letter => letter,
    }
}

fn fill_all(tokens: &[Token], header: &Header<'_>, element: usize, text: &mut String) -> Result<(), String> {
    for token in tokens {
        match token {
            Token::Text(literal) => text.push_str(literal),
            Token::Tag(tag) => text.push_str(&fill_tag(tag, header, element)?),
            Token::Condition { tag, present, missing } => {
                let chosen = if header.get(*tag).is_some() { present } else { missing };
                fill_all(chosen, header, element, text)?;
            }
            Token::Array(tokens) => {
                for element in 0..elements(tokens, header)? {
                    fill_all(tokens, header, element, text)?;
                }
            }
        }
    }
    Ok(())
}

/// How many times an array is repeated.
fn elements(tokens: &[Token], header: &Header<'_>) -> Result<usize, String> {
    let mut elements = None;
    for token in tokens {
        let Token::Tag(TagToken { tag, just_one: false, .. }) = token else { continue };
        let Some(value) = header.get(*tag) else { continue };
        if elements.is_some_and(|elements| elements != value.len()) {
            return Err("array iterator used with different sized arrays".to_owned());
        }
        elements = Some(value.len());
    }
    Ok(elements.unwrap_or(0))
}

fn fill_tag(token: &TagToken, header: &Header<'_>, element: usize) -> Result<String, String> {
    let value = header.get(token.tag);
    let element = if token.just_one { 0 } else { element };
    let text = match &value {
        Some(value) if token.count => value.len().to_string(),
        Some(value) => present(token, value, element)?,
        None => "(none)".to_owned(),
    };
    let missing = token.width.columns.saturating_sub(text.chars().count());
    let blanks = " ".repeat(missing);
    Ok(if token.width.left { text + &blanks } else { blanks + &text })
}

fn present(token: &TagToken, value: &Value, element: usize) -> Result<String, String> {
    match value.get(element) {
        Some(item) => token.presentation.show(&item, value.len()),
        None => Ok("(none)".to_owned()),
    }
}
