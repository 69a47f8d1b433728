//! Adding an entry to the changelog.

use super::{Edit, Refusal, behind, line_end};
use crate::spec::changelog::{DAYS, MONTHS, days_of_month, days_since_1970, read_entry};
use crate::tree::{Kind, Node, Tree};

/// An entry of a changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Year, month from 1, and day from 1. The day of the week is computed.
    pub date: (i64, i64, i64),
    /// Who made the change: `A Name <a@name.example>`.
    pub author: &'a str,
    /// Epoch, version and release, where the entry names them.
    pub evr: Option<&'a str>,
    /// What was done, a line each. A line that begins neither with `-` nor with a blank gets a `- `.
    pub lines: &'a [&'a str],
}

impl Tree {
    /// Adds an entry at the top of the changelog, set out as the others are; a spec without `%changelog` gets one at its
    /// end. A `%` is written as `%%`, so that nothing in an entry is a macro.
    ///
    /// # Errors
    /// There is no such day, a text is not one line, the changelog is conditional, written by a macro, or has a newer
    /// entry, which rpm would not accept.
    pub fn add_entry(&self, entry: &Entry<'_>) -> Result<Edit, Refusal> {
        let mut headers = self.nodes().filter(|node| {
            node.kind() == Kind::Header && node.header().is_some_and(|header| header.word == "%changelog")
        });
        let Some(header) = headers.next() else { return self.add_changelog(entry) };
        if headers.next().is_some() {
            return Err(Refusal::Several("%changelog".to_owned()));
        }
        if header.is_conditional() {
            return Err(Refusal::Conditional { what: "%changelog".to_owned(), line: header.line() });
        }
        let present: Vec<Node<'_>> = header.section().into_iter().flat_map(Node::children).skip(1).collect();
        let entries: Vec<Node<'_>> = present.iter().copied().filter(|node| node.kind() == Kind::Entry).collect();
        let other = present.iter().take_while(|node| node.kind() != Kind::Entry);
        if let Some(node) = other.into_iter().find(|node| !matches!(node.kind(), Kind::Blank | Kind::Comment)) {
            let text = node.text().trim_end().to_owned();
            return Err(Refusal::Composite { what: "%changelog".to_owned(), line: node.line(), text });
        }
        let end = line_end(header.text());
        let newest = entries.first().copied();
        let mut text = entry.written(newest.map_or("", first_line), end)?;
        if let Some(newest) = newest
            && let (Ok((old, _)), Ok((new, _))) =
                (read_entry(first_line(newest), "-"), read_entry(first_of(&text), "-"))
            && new.time < old.time
        {
            return Err(Refusal::OutOfOrder(newest.line()));
        }
        let blank = |entry: &Node<'_>| entry.text().ends_with(&end.repeat(2));
        match entries.as_slice() {
            [] => {}
            [first, _, ..] if !blank(first) => {}
            _ => text.push_str(end),
        }
        behind(header, &text)
    }

    fn add_changelog(&self, entry: &Entry<'_>) -> Result<Edit, Refusal> {
        if !self.faults.is_empty() {
            return Err(Refusal::Unfinished);
        }
        let first = self.text.split_inclusive('\n').next().unwrap_or_default();
        let end = line_end(first);
        let text = entry.written("", end)?;
        let at = self.text.len();
        let before = match &*self.text {
            "" => String::new(),
            text if text.ends_with('\n') => end.to_owned(),
            _ => end.repeat(2),
        };
        Ok(Edit::one(at..at, format!("{before}%changelog{end}{text}{end}")))
    }
}

impl Entry<'_> {
    /// The entry's lines, all but the last with an end, in the manner of another's first line.
    fn written(&self, like: &str, end: &str) -> Result<String, Refusal> {
        let (year, month, day) = self.date;
        let bad = || Refusal::BadText(format!("{year}-{month}-{day}"));
        let month_name = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month)).ok_or_else(bad)?;
        if !(1990..=9999).contains(&year) || !(1..=days_of_month(year, month)).contains(&day) {
            return Err(bad());
        }
        let weekday = (days_since_1970(year, month, day) + 4).rem_euclid(7);
        let weekday = usize::try_from(weekday).ok().and_then(|day| DAYS.get(day)).ok_or_else(bad)?;
        let evr = match self.evr {
            Some(evr) => format!("{}{}", separator(like), one_line(evr)?),
            None => String::new(),
        };
        let mut text = format!("* {weekday} {month_name} {day:02} {year} {}{evr}", one_line(self.author)?);
        if self.lines.is_empty() {
            return Err(Refusal::BadText(String::new()));
        }
        for line in self.lines {
            text.push_str(end);
            if !line.starts_with(['-', ' ']) {
                text.push_str("- ");
            }
            text.push_str(&one_line(line)?);
        }
        Ok(text)
    }
}

/// What stands between author and version in an entry's first line: `> 1.0` or `> - 1.0`.
fn separator(like: &str) -> &'static str {
    match like.trim_end().rsplit_once('>') {
        Some((_, evr)) if evr.trim_start().starts_with(|letter: char| letter.is_ascii_digit()) => " ",
        _ => " - ",
    }
}

fn one_line(text: &str) -> Result<String, Refusal> {
    let fits = !text.trim().is_empty() && !text.contains(['\n', '\r', '\0', '\\']);
    if fits { Ok(text.replace('%', "%%")) } else { Err(Refusal::BadText(text.to_owned())) }
}

fn first_line(node: Node<'_>) -> &str {
    first_of(node.text())
}

fn first_of(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
