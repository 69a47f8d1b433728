//! Debian control files: fields, and the dependencies in them.

use std::collections::BTreeMap;

/// The fields of one paragraph; continuation lines are joined with line breaks.
pub(super) type Paragraph = BTreeMap<String, String>;

/// Reads the first paragraph of a control file.
pub(super) fn parse_paragraph(text: &str) -> Paragraph {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            if fields.is_empty() {
                continue;
            }
            break;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    fields.into_iter().collect()
}

/// `name[:arch] [(operator version)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relationship {
    pub(super) name: String,
    pub(super) version: Option<(String, String)>,
}

/// The groups of a dependency field: all groups must hold, one relationship of each.
pub(super) fn parse_relationships(field: &str) -> Vec<Vec<Relationship>> {
    let groups = field.split(',').map(|group| group.split('|').filter_map(relationship).collect::<Vec<_>>());
    groups.filter(|group| !group.is_empty()).collect()
}

fn relationship(text: &str) -> Option<Relationship> {
    // Architecture and profile restrictions only stand in source packages.
    let (name, version) = match text.split_once('(') {
        Some((name, rest)) => (name, rest.split(')').next()),
        None => (text, None),
    };
    let name = name.trim().split(':').next().unwrap_or_default();
    let version = version.map(str::trim).and_then(|version| {
        let end = version.find(|c| !matches!(c, '<' | '>' | '='))?;
        let (operator, version) = version.split_at(end);
        Some((operator.to_owned(), version.trim().to_owned()))
    });
    (!name.is_empty()).then(|| Relationship { name: name.to_owned(), version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_end_at_the_first_empty_line() {
        let paragraph = parse_paragraph("\nPackage: a\nDescription: short\n long\n .\n more\n\nPackage: b\n");
        assert_eq!(paragraph.get("Package").map(String::as_str), Some("a"));
        assert_eq!(paragraph.get("Description").map(String::as_str), Some("short\nlong\n.\nmore"));
    }

    #[test]
    fn dependencies_are_split_into_groups() {
        let groups = parse_relationships("perl:any, libc6 (>= 2.34), debconf (>= 0.5) | debconf-2.0, x (<<2), ");
        let text = |relationship: &Relationship| match &relationship.version {
            Some((operator, version)) => format!("{} {operator} {version}", relationship.name),
            None => relationship.name.clone(),
        };
        let texts: Vec<Vec<String>> = groups.iter().map(|group| group.iter().map(text).collect()).collect();
        assert_eq!(texts, [vec!["perl"], vec!["libc6 >= 2.34"], vec!["debconf >= 0.5", "debconf-2.0"], vec!["x << 2"]]);
    }
}
