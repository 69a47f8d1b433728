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

/// The last component of a path, as the C library's `basename` finds it.
pub(super) fn last_component(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        path => basename(path),
    }
}

/// A path without its last component, as the C library's `dirname` finds it.
pub(super) fn parent(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.is_empty() { "." } else { "/" };
    }
    match trimmed.rsplit_once('/') {
        None => ".",
        Some((parent, _)) => match parent.trim_end_matches('/') {
            "" => "/",
            parent => parent,
        },
    }
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
    fn paths_are_taken_apart_as_the_c_library_does() {
        for (path, parent_of, last) in [
            ("/a/b.c", "/a", "b.c"),
            ("a", ".", "a"),
            ("/a", "/", "a"),
            ("a//b//", "a", "b"),
            ("/", "/", "/"),
            ("", ".", "."),
            ("//a", "/", "a"),
        ] {
            assert_eq!((parent(path), last_component(path)), (parent_of, last), "{path}");
        }
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
