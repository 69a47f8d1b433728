//! Adding and removing tags of which a package has many: dependencies, sources, patches.

use super::{Edit, Refusal, behind, check, stands_alone};
use crate::macros::RpmVersion;
use crate::spec::tags::{Kind as TagKind, find_tag, spelled};
use crate::tree::{Kind, Node, Tag, Tree};

impl Tree {
    /// Adds a tag behind the last of its like in a package, written as that one is; where there is none, behind the
    /// package's last tag. `Patch` and `Source` get the next number where the others have one.
    ///
    /// `package` is `None` for the main package, else as the `%package` line has it; `tag` may have a qualifier
    /// (`Requires(post)`) or a number of its own (`Patch7`).
    ///
    /// # Errors
    /// There is no such package or tag, the package has it already, its next number is not known, or the value cannot be
    /// written.
    pub fn add(&self, package: Option<&str>, tag: &str, value: &str) -> Result<Edit, Refusal> {
        check(value)?;
        let line = format!("{tag}: {value}");
        let wanted =
            find_tag(&line, RpmVersion::any()).filter(|found| found.number.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(wanted) = wanted.filter(|_| check(tag).is_ok() && !tag.contains(':')) else {
            return Err(Refusal::BadText(line));
        };
        let section = self.preamble(package)?;
        let beside: Vec<(Node<'_>, Tag<'_>)> =
            section.children().filter_map(|node| Some((node, node.tag()?))).collect();
        let numbered = matches!(wanted.tag.kind, TagKind::Source | TagKind::Patch);
        let repeats = numbered || matches!(wanted.tag.kind, TagKind::Dependency(_));
        let alike = |tag: &Tag<'_>| tag.is(wanted.tag.name) && tag.qualifier == wanted.qualifier;
        let same_number = |tag: &Tag<'_>| tag.number.parse::<u32>().is_ok_and(|it| wanted.number.parse() == Ok(it));
        let says_so = |tag: &Tag<'_>| {
            !repeats
                || same_number(tag)
                || tag.value == value
                || is_list(tag) && tag.items().iter().any(|item| item.text == value)
        };
        if let Some((node, _)) = beside.iter().find(|(_, tag)| alike(tag) && says_so(tag)) {
            return Err(Refusal::AlreadyThere(node.line()));
        }
        let like = beside.iter().rfind(|(_, tag)| alike(tag));
        let label = match like {
            _ if !numbered || !wanted.number.is_empty() => tag.to_owned(),
            Some((_, like)) if like.number.is_empty() => like.name.clone(),
            _ => spelled(wanted.tag.name) + &self.next_number(wanted.tag.name)?,
        };
        let near = like
            .or_else(|| beside.iter().rfind(|(_, tag)| tag.is(wanted.tag.name)))
            .or_else(|| beside.iter().rfind(|(_, tag)| wanted.tag.kind == TagKind::Patch && tag.is("Source")))
            .or_else(|| beside.last());
        let Some((node, model)) = near else {
            let anchor = section.children().next().filter(|node| node.kind() == Kind::Header);
            let line = format!("{label}: {value}");
            // A preamble without a header begins where the text does.
            return anchor.map_or_else(|| Ok(Edit::one(0..0, format!("{line}\n"))), |header| behind(header, &line));
        };
        let label = match like {
            Some((node, tag)) if !numbered && !tag.value.is_empty() => {
                self.text[node.span().start..tag.value_span.start].to_owned()
            }
            _ => self.aligned(&label, *node, model),
        };
        behind(*node, &format!("{label}{value}"))
    }

    /// Removes all a package has of a tag with a value: whole lines, or a dependency of several in one line. A
    /// dependency is named with its version or without. What stands in an `%if` is removed too.
    ///
    /// `package` and `tag` are as for [`Self::add`]; a tag without a qualifier means those with one too.
    ///
    /// # Errors
    /// There is no such thing.
    pub fn remove(&self, package: Option<&str>, tag: &str, value: &str) -> Result<Edit, Refusal> {
        let (name, qualifier) = tag.trim_end_matches(')').split_once('(').map_or((tag, None), |(a, b)| (a, Some(b)));
        let mut changes = Vec::new();
        for (node, found) in self.tags(package) {
            let named = found.is(name) || format!("{}{}", found.name, found.number).eq_ignore_ascii_case(name);
            if !named || qualifier.is_some_and(|qualifier| qualifier != found.qualifier) {
                continue;
            }
            if found.value == value {
                stands_alone(node)?;
                changes.push((node.span(), String::new()));
                continue;
            }
            if !is_list(&found) || found.value.contains(['\n', '\0']) {
                continue;
            }
            let items = found.items();
            let goes = |at: usize| items[at].name == value || items[at].text == value;
            if !(0..items.len()).any(goes) {
                continue;
            }
            let last_kept = (0..items.len()).rfind(|at| !goes(*at));
            let Some(last_kept) = last_kept else {
                stands_alone(node)?;
                changes.push((node.span(), String::new()));
                continue;
            };
            // An item goes with what separates it from the next; the last ones with what stands before them.
            changes.extend(
                (0..last_kept)
                    .filter(|at| goes(*at))
                    .map(|at| (items[at].span.start..items[at + 1].span.start, String::new())),
            );
            if let Some(last) = items.last().filter(|_| last_kept + 1 < items.len()) {
                changes.push((items[last_kept].span.end..last.span.end, String::new()));
            }
        }
        if changes.is_empty() { Err(Refusal::Missing(format!("{tag}: {value}"))) } else { Ok(Edit { changes }) }
    }

    /// The number behind the highest that a `Source` or `Patch` has, written as theirs are.
    fn next_number(&self, tag: &str) -> Result<String, Refusal> {
        if let Some(node) = self.nodes().find(|node| node.kind() == Kind::Include && node.preamble().is_some()) {
            return Err(Refusal::Included(node.line()));
        }
        let mut highest = None;
        let mut width = 0;
        for (node, found) in
            self.nodes().filter_map(|node| Some((node, node.tag()?))).filter(|(_, found)| found.is(tag))
        {
            if found.number.is_empty() {
                highest = highest.max(Some(0));
                continue;
            }
            let text = self.text[node.span()].trim_end().to_owned();
            let composite = || Refusal::Composite { what: tag.to_owned(), line: node.line(), text: text.clone() };
            let number: u32 = found.number.parse().map_err(|_| composite())?;
            highest = highest.max(Some(number));
            width = width.max(if found.number.starts_with('0') { found.number.len() } else { 0 });
        }
        let next = highest.map_or(Some(0), |highest| highest.checked_add(1));
        let next = next.ok_or_else(|| Refusal::BadText(tag.to_owned()))?;
        Ok(format!("{next:0width$}"))
    }

    /// A label with its colon, and the white space with which values stand in one column.
    fn aligned(&self, label: &str, model: Node<'_>, tag: &Tag<'_>) -> String {
        let before = &self.text[model.span().start..tag.value_span.start];
        let blanks = &before[before.trim_end_matches([' ', '\t']).len()..];
        if blanks.contains('\t') {
            return format!("{label}:{blanks}");
        }
        let width = if blanks.len() > 1 { before.len() } else { 0 };
        format!("{:width$}", format!("{label}: "))
    }
}

/// Whether a tag's value is a list of dependencies.
fn is_list(tag: &Tag<'_>) -> bool {
    let line = format!("{}:", tag.name);
    find_tag(&line, RpmVersion::any()).is_some_and(|found| matches!(found.tag.kind, TagKind::Dependency(_)))
}
