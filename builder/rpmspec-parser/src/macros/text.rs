//! What the text built-ins (`%{basename:…}`, `%{shrink:…}`, `%{url2path:…}`) make of a text.

use super::scan::is_space;

/// What follows the last `/`.
pub(super) fn basename(text: &str) -> &str {
    text.rsplit_once('/').map_or(text, |(_, name)| name)
}

/// What comes before the last `/`; all of a text without one.
pub(super) fn dirname(text: &str) -> &str {
    text.rsplit_once('/').map_or(text, |(directory, _)| directory)
}

/// What follows the last `.`; nothing for a text without one.
pub(super) fn suffix(text: &str) -> &str {
    text.rsplit_once('.').map_or("", |(_, suffix)| suffix)
}

/// Makes one blank of each run of white space, none at the ends.
pub(super) fn shrink(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|character: char| u8::try_from(character).is_ok_and(is_space))
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

/// A text as one word of the shell.
pub(super) fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The path of a URL; a text that is no URL is a path already.
pub(super) fn url_path(text: &str) -> &str {
    let schemes = ["file://", "ftp://", "hkp://", "http://", "https://"];
    let path = match schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        // A host may stand before the path.
        Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
        None if text == "-" => "",
        None => text,
    };
    if path.is_empty() { "/" } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!((basename("/a/b.c"), dirname("/a/b.c"), suffix("/a/b.c")), ("b.c", "/a", "c"));
        assert_eq!((basename("a"), dirname("a"), suffix("a")), ("a", "a", ""));
        assert_eq!(dirname("/a"), "");
    }

    #[test]
    fn white_space_is_shrunk() {
        assert_eq!(shrink("  a \t\n b\u{e9}  "), "a b\u{e9}");
        assert_eq!(shrink("   "), "");
    }

    #[test]
    fn urls_have_paths() {
        assert_eq!(url_path("http://host/a/b"), "/a/b");
        assert_eq!(url_path("https://host"), "/");
        assert_eq!(url_path("/a/b"), "/a/b");
        assert_eq!(url_path("file:///a"), "/a");
    }
}
