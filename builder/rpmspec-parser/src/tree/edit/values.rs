//! Setting the value of a tag, in the tag itself or in the macro that holds it.

use super::{Edit, Refusal, check};
use crate::tree::{Node, Span, Tree};

/// Macros whose bodies are macros are followed this far.
const DEEPEST: usize = 8;

impl Tree {
    /// Sets the value of a tag. Where the value is one macro that this file defines, unconditionally, once and before
    /// the tag, its definition is changed instead.
    ///
    /// `package` is `None` for the main package, else as the `%package` line has it; `tag` is a name in any letters'
    /// case, with its number where it has one (`Source0`).
    ///
    /// # Errors
    /// The text does not say what to change, or the value cannot be written.
    pub fn set_value(&self, package: Option<&str>, tag: &str, value: &str) -> Result<Edit, Refusal> {
        check(value)?;
        let (node, span) = self.value_of(package, tag)?;
        let span = self.defining(tag, node, span)?;
        Ok(Edit::one(span, value))
    }

    /// Sets the main package's `Release`. What follows the number stays: in `Release: 3%{?dist}`, that is `%{?dist}`.
    /// A value with macros of its own takes the place of all of it.
    ///
    /// # Errors
    /// As for [`Self::set_value`].
    pub fn set_release(&self, value: &str) -> Result<Edit, Refusal> {
        check(value)?;
        let (node, span) = self.value_of(None, "Release")?;
        let text = &self.text[span.clone()];
        let tail = ["%{?", "%{dist}", "%dist"].iter().filter_map(|tail| text.find(tail)).filter(|at| *at > 0).min();
        match tail {
            Some(_) if value.contains('%') => Ok(Edit::one(span, value)),
            Some(at) => Ok(Edit::one(self.defining("Release", node, span.start..span.start + at)?, value)),
            None => Ok(Edit::one(self.defining("Release", node, span)?, value)),
        }
    }

    /// The one, unconditional tag of a name, and the bytes of its value.
    fn value_of(&self, package: Option<&str>, tag: &str) -> Result<(Node<'_>, Span), Refusal> {
        let named = |name: &str, number: &str| format!("{name}{number}").eq_ignore_ascii_case(tag);
        let mut found = self.tags(package).filter(|(_, found)| named(&found.name, found.number));
        let (node, first) = found.next().ok_or_else(|| Refusal::Missing(tag.to_owned()))?;
        if found.next().is_some() {
            return Err(Refusal::Several(tag.to_owned()));
        }
        if node.is_conditional() {
            return Err(Refusal::Conditional { what: tag.to_owned(), line: node.line() });
        }
        Ok((node, first.value_span))
    }

    /// The bytes that hold a value which is written at some bytes of a node.
    fn defining(&self, what: &str, node: Node<'_>, mut span: Span) -> Result<Span, Refusal> {
        let (mut what, mut node) = (what.to_owned(), node);
        for _ in 0..DEEPEST {
            let text = &self.text[span.clone()];
            if !text.contains(['%', '\n', '\0', '\\']) {
                return Ok(span);
            }
            let composite = || Refusal::Composite { what: what.clone(), line: node.line(), text: text.to_owned() };
            let name = only_macro(text).ok_or_else(composite)?;
            let (defined, body) = self.definition_of(name, node)?;
            (what, node, span) = (format!("%{name}"), defined, body);
        }
        Err(Refusal::Composite { what, line: node.line(), text: self.text[span].to_owned() })
    }

    /// The one definition of a macro before a node, and the bytes of its body.
    fn definition_of(&self, name: &str, before: Node<'_>) -> Result<(Node<'_>, Span), Refusal> {
        let definitions = self.nodes().filter_map(|node| Some((node, node.definition()?)));
        let mut found = definitions.filter(|(_, definition)| definition.name == name);
        let elsewhere = || Refusal::DefinedElsewhere(name.to_owned());
        let (node, definition) = found.next().ok_or_else(elsewhere)?;
        if node.span().start >= before.span().start || definition.options.is_some() {
            return Err(elsewhere());
        }
        if node.is_conditional() {
            return Err(Refusal::Conditional { what: format!("%{name}"), line: node.line() });
        }
        // One within another macro, or an %undefine, counts too.
        if self.mentions(name) > 1 {
            return Err(Refusal::Several(format!("definition of %{name}")));
        }
        Ok((node, definition.body_span))
    }

    /// How often the text says that a macro is to be defined or undefined.
    fn mentions(&self, name: &str) -> usize {
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let defines = |(at, _): &(usize, &str)| {
            let before = &self.text[..*at];
            let word = before.trim_end_matches([' ', '\t']);
            word.len() < before.len()
                && (word.ends_with("define") || word.ends_with("global"))
                && !self.text[at + name.len()..].starts_with(is_name)
        };
        self.text.match_indices(name).filter(defines).count()
    }
}

/// The name of the macro that a text is: `%name`, `%{name}` or `%{?name}`.
fn only_macro(text: &str) -> Option<&str> {
    let name = text.strip_prefix('%')?;
    let name = name.strip_prefix('{').map_or(Some(name), |name| name.strip_suffix('}'))?;
    let name = if text.starts_with("%{?") { &name[1..] } else { name };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}
