//! What the RPMs of a source package will be and offer, read from its evaluated spec before it is built.
//!
//! Certain are names, versions, explicit `Provides` and the paths that `%files` names one by one. What a pattern
//! such as `%{_libdir}/pkgconfig/*.pc`, or a folder, will hold is not known: [`Prediction::may_offer`] answers
//! *maybe* for it, apart from the certain part. Generated dependencies (sonames, interpreters) are not predicted;
//! once a package is published, its real header takes the prediction's place.

use std::collections::BTreeSet;

use rpmspec_parser::rpm::{Capability, Dependency, PackageMetadata};
use rpmspec_parser::spec::{BinaryPackage, SourcePackage};

/// One RPM that a source package will give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// What is certain.
    pub metadata: PackageMetadata,
    /// Its number among the spec's packages, the main one being 0.
    pub package: usize,
    /// Absolute paths with `*`, `?` or `[…]`, as `%files` has them, braces expanded.
    pub patterns: Vec<String>,
    /// Paths that may be folders and then bring all below them; `%dir` is not among them.
    folders: Vec<String>,
    /// Paths and patterns left out by `%exclude`.
    excluded: Vec<String>,
}

/// The certain part of what a source package's RPMs will be, for an architecture. Subpackages without `%files`
/// are not built and not among them.
#[must_use]
pub fn predict(source: &SourcePackage, arch: &str) -> Vec<PackageMetadata> {
    predictions(source, arch).into_iter().map(|prediction| prediction.metadata).collect()
}

/// Like [`predict`], with what is only possible.
#[must_use]
pub fn predictions(source: &SourcePackage, arch: &str) -> Vec<Prediction> {
    let source_rpm = format!("{}-{}-{}.src.rpm", source.name, source.version, source.release);
    let built = source
        .packages
        .iter()
        .enumerate()
        .filter_map(|(number, package)| Some((number, package, package.files.as_ref()?)));
    built
        .map(|(number, package, lines)| {
            let mut metadata = metadata_of(package, arch);
            metadata.source_rpm = Some(source_rpm.clone());
            let mut prediction = Prediction {
                metadata,
                package: number,
                patterns: Vec::new(),
                folders: Vec::new(),
                excluded: Vec::new(),
            };
            lines.iter().for_each(|line| prediction.read_line(line));
            prediction.finish();
            prediction
        })
        .collect()
}

fn metadata_of(package: &BinaryPackage, arch: &str) -> PackageMetadata {
    let mut nevra = package.nevra();
    if nevra.arch.is_empty() {
        arch.clone_into(&mut nevra.arch);
    }
    let mut metadata = PackageMetadata::new(nevra);
    for provided in &package.provides {
        if !metadata.provides.contains(&provided.value) {
            metadata.provides.push(provided.value.clone());
        }
    }
    let is_real = |dependency: &Dependency| !dependency.capabilities().iter().any(|c| c.name.starts_with("rpmlib("));
    let values = |list: &[rpmspec_parser::spec::Located<Dependency>]| {
        list.iter().map(|d| d.value.clone()).filter(is_real).collect()
    };
    metadata.requires = values(&package.requires);
    metadata.conflicts = values(&package.conflicts);
    metadata.recommends = values(&package.recommends);
    metadata.obsoletes = package.obsoletes.iter().map(|obsoleted| obsoleted.value.clone()).collect();
    metadata
}

impl Prediction {
    /// Reads one line of `%files`.
    fn read_line(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        let (mut is_folder, mut is_excluded) = (false, false);
        for word in words(line) {
            match word {
                Word::Directive("dir") => is_folder = true,
                Word::Directive("exclude") => is_excluded = true,
                // `%defattr` has only arguments and `%docdir` names a folder that is not packaged.
                Word::Directive("defattr" | "docdir") => return,
                Word::Directive(_) => {}
                Word::Path(path) => {
                    for path in alternatives(path) {
                        let path = if path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path };
                        // What is not absolute is documentation and goes to a folder of its own.
                        if !path.starts_with('/') {
                            continue;
                        }
                        if is_excluded {
                            self.excluded.push(path);
                        } else if is_pattern(&path) {
                            self.patterns.push(path);
                        } else {
                            if !is_folder {
                                self.folders.push(path.clone());
                            }
                            self.metadata.files.push(path);
                        }
                    }
                }
            }
        }
    }

    /// Applies `%exclude`, sorts, and adds the capabilities that follow from the paths.
    fn finish(&mut self) {
        let excluded = &self.excluded;
        let is_kept = |path: &String| !excluded.iter().any(|pattern| matches(pattern, path));
        self.metadata.files.retain(is_kept);
        self.folders.retain(is_kept);
        self.patterns.retain(|path| !excluded.contains(path));
        for list in [&mut self.metadata.files, &mut self.folders, &mut self.patterns] {
            *list = std::mem::take(list).into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        }
        for path in &self.metadata.files {
            if let Some(module) = pkgconfig_module(path) {
                let capability = format!("pkgconfig({module})");
                // rpm adds the module's own version, which only the built file tells.
                if !self.metadata.provides.iter().any(|provided| provided.name == capability) {
                    self.metadata.provides.push(Capability::any(capability));
                }
            }
        }
    }

    /// Whether a pattern or a folder of `%files` may bring what a name stands for: a file path,
    /// `pkgconfig(module)`, or the soname of a library in a library folder.
    #[must_use]
    pub fn may_offer(&self, name: &str) -> bool {
        if name.starts_with('/') {
            return self.may_hold(name);
        }
        if let Some(module) = name.strip_prefix("pkgconfig(").and_then(|rest| rest.strip_suffix(')')) {
            let file = format!("{module}.pc");
            return self.patterns.iter().filter(|p| p.contains("/pkgconfig/")).any(|p| matches_last(p, &file))
                || self.folders.iter().any(|folder| folder.ends_with("/pkgconfig"));
        }
        match name.split_once('(') {
            Some((soname, _)) if soname.contains(".so") => {
                let paths = self.patterns.iter().chain(&self.metadata.files);
                paths.filter(|path| is_library_folder(path)).any(|path| matches_last(path, soname))
            }
            _ => false,
        }
    }

    fn may_hold(&self, path: &str) -> bool {
        if self.excluded.iter().any(|pattern| matches(pattern, path)) {
            return false;
        }
        let below = |folder: &String| path.strip_prefix(&**folder).is_some_and(|rest| rest.starts_with('/'));
        self.folders.iter().any(below) || self.patterns.iter().any(|pattern| matches(pattern, path))
    }
}

/// The module a path is the pkg-config file of.
fn pkgconfig_module(path: &str) -> Option<&str> {
    let (folder, file) = path.rsplit_once('/')?;
    let module = file.strip_suffix(".pc")?;
    folder.ends_with("/pkgconfig").then_some(module)
}

fn is_library_folder(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    matches!(folder, "/usr/lib64" | "/usr/lib" | "/lib64" | "/lib")
}

fn matches_last(pattern: &str, file: &str) -> bool {
    matches(pattern.rsplit('/').next().unwrap_or(pattern), file)
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

enum Word<'a> {
    /// `%name` or `%name(…)`.
    Directive(&'a str),
    Path(&'a str),
}

/// Splits a line of `%files`; quotes keep blanks together, and a directive's arguments are dropped.
fn words(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '%' {
            let length = rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len() - 1);
            let (name, tail) = rest[1..].split_at(length);
            words.push(Word::Directive(name));
            let arguments = tail.trim_start();
            rest = match arguments.strip_prefix('(') {
                Some(arguments) => arguments.split_once(')').map_or("", |(_, tail)| tail),
                // A `%` that begins no name must not be read again.
                None if name.is_empty() => tail.split_once(char::is_whitespace).map_or("", |(_, tail)| tail),
                None => tail,
            };
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (path, tail) = quoted.split_once('"').unwrap_or((quoted, ""));
            words.push(Word::Path(path));
            rest = tail;
        } else {
            let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (path, tail) = rest.split_at(length);
            words.push(Word::Path(path));
            rest = tail;
        }
        rest = rest.trim_start();
    }
    words
}

/// More paths than this from one word are not expanded further.
const MOST_ALTERNATIVES: usize = 256;

/// Expands `{a,b}` as rpm's glob does; a word with unbalanced braces stands for itself.
fn alternatives(path: &str) -> Vec<String> {
    let mut open = vec![path.to_owned()];
    let mut done = Vec::new();
    while let Some(path) = open.pop() {
        match split_braces(&path) {
            Some((head, choices, tail)) if open.len() + done.len() + choices.len() <= MOST_ALTERNATIVES => {
                open.extend(choices.iter().rev().map(|choice| format!("{head}{choice}{tail}")));
            }
            _ => done.push(path),
        }
    }
    done
}

/// The first brace group: what is before, its choices, what is behind.
fn split_braces(path: &str) -> Option<(&str, Vec<&str>, &str)> {
    let start = path.find('{')?;
    let (mut depth, mut begin, mut choices) = (0usize, start + 1, Vec::new());
    for (index, byte) in path.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => {
                choices.push(&path[begin..index]);
                return Some((&path[..start], choices, &path[index + 1..]));
            }
            b'}' => depth -= 1,
            b',' if depth == 1 => {
                choices.push(&path[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    None
}

/// Whether a glob matches a whole path. `*` and `?` do not match `/`; `[…]` matches one byte of a set.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.as_bytes(), path.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last `*`, and what it has not swallowed yet.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            None if t == path.len() => return true,
            Some(b'*') => {
                star = Some((p + 1, t));
                Some((p + 1, t))
            }
            Some(b'?') => path.get(t).filter(|byte| **byte != b'/').map(|_| (p + 1, t + 1)),
            Some(b'[') => {
                path.get(t).and_then(|byte| set_matches(&pattern[p..], *byte)).map(|length| (p + length, t + 1))
            }
            Some(b'\\') if p + 1 < pattern.len() => {
                path.get(t).filter(|b| **b == pattern[p + 1]).map(|_| (p + 2, t + 1))
            }
            Some(literal) => path.get(t).filter(|byte| *byte == literal).map(|_| (p + 1, t + 1)),
            None => None,
        };
        (p, t) = match (step, star) {
            (Some(next), _) => next,
            (None, Some((after, swallowed))) if path.get(swallowed).is_some_and(|byte| *byte != b'/') => {
                star = Some((after, swallowed + 1));
                (after, swallowed + 1)
            }
            _ => return false,
        };
    }
}

/// The length of the set `[…]` that `pattern` begins with, if it contains the byte. Without `]` the `[` is itself.
fn set_matches(pattern: &[u8], byte: u8) -> Option<usize> {
    let Some(end) = pattern.iter().skip(2).position(|b| *b == b']').map(|index| index + 2) else {
        return (byte == b'[').then_some(1);
    };
    let inside = &pattern[1..end];
    let (is_negated, inside) = match inside {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, inside),
    };
    let mut found = false;
    let mut index = 0;
    while let Some(first) = inside.get(index) {
        match (inside.get(index + 1), inside.get(index + 2)) {
            (Some(b'-'), Some(last)) => {
                found |= (*first..=*last).contains(&byte);
                index += 3;
            }
            _ => {
                found |= *first == byte;
                index += 1;
            }
        }
    }
    (found != is_negated && byte != b'/').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(files: &[&str]) -> Prediction {
        let main = BinaryPackage {
            name: "zlib-devel".to_owned(),
            version: "1.3".to_owned(),
            release: "1".to_owned(),
            arch: "x86_64".to_owned(),
            files: Some(files.iter().map(|line| (*line).to_owned()).collect()),
            ..BinaryPackage::default()
        };
        let unbuilt = BinaryPackage { name: "zlib-static".to_owned(), ..BinaryPackage::default() };
        let source = SourcePackage {
            name: "zlib".to_owned(),
            version: "1.3".to_owned(),
            release: "1".to_owned(),
            packages: vec![unbuilt, main],
            ..SourcePackage::default()
        };
        let mut all = predictions(&source, "x86_64");
        assert_eq!(all.len(), 1, "a subpackage without %files is not built");
        all.remove(0)
    }

    #[test]
    fn directives_are_stripped_and_paths_kept() {
        let prediction = package(&[
            "%defattr(-,root,root,-)",
            "# comment",
            "%doc README ChangeLog",
            "%license LICENSE",
            "%attr(0755, root, root) %{x} /usr/bin/minizip",
            "%config(noreplace) %verify(not md5) /etc/zlib.conf",
            "%dir /usr/share/zlib/",
            "%ghost /run/zlib",
            "%docdir /usr/share/doc/zlib",
            "/usr/include/{zlib,zconf}.h /usr/lib64/libz.so",
            "\"/usr/share/zlib/with blank\"",
            "/usr/lib64/pkgconfig/zlib.pc",
        ]);
        assert_eq!(
            prediction.metadata.files,
            [
                "/etc/zlib.conf",
                "/run/zlib",
                "/usr/bin/minizip",
                "/usr/include/zconf.h",
                "/usr/include/zlib.h",
                "/usr/lib64/libz.so",
                "/usr/lib64/pkgconfig/zlib.pc",
                "/usr/share/zlib",
                "/usr/share/zlib/with blank",
            ]
        );
        let provides: Vec<String> = prediction.metadata.provides.iter().map(ToString::to_string).collect();
        assert_eq!(provides, ["zlib-devel = 1.3-1", "pkgconfig(zlib)"]);
        assert_eq!(prediction.metadata.source_rpm.as_deref(), Some("zlib-1.3-1.src.rpm"));
        assert_eq!(prediction.package, 1);
    }

    #[test]
    fn patterns_and_folders_only_may_offer() {
        let prediction = package(&[
            "/usr/lib64/pkgconfig/*.pc",
            "/usr/lib64/libz.so.*",
            "/usr/bin/z*",
            "/usr/share/zlib",
            "%dir /usr/share/empty",
            "%exclude /usr/bin/zold",
        ]);
        assert_eq!(prediction.metadata.provides.len(), 1);
        for name in [
            "pkgconfig(zlib)",
            "libz.so.1()(64bit)",
            "libz.so.1(ZLIB_1.2.9)(64bit)",
            "/usr/bin/zcat",
            "/usr/share/zlib/a",
        ] {
            assert!(prediction.may_offer(name), "{name}");
        }
        for name in [
            "libzz.so.1()(64bit)",
            "/usr/bin/cat",
            "/usr/bin/zold",
            "/usr/share/empty/a",
            "perl(z)",
            "/usr/bin/z/a",
            "zlib",
        ] {
            assert!(!prediction.may_offer(name), "{name}");
        }
    }

    #[test]
    fn globs_match_as_the_shell_does() {
        for (pattern, path, does) in [
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/b/c", false),
            ("/a/*.so.?", "/a/lib.so.1", true),
            ("/a/*.so.?", "/a/lib.so.12", false),
            ("/a/[a-c]x", "/a/bx", true),
            ("/a/[!a-c]x", "/a/bx", false),
            ("/a/[", "/a/[", true),
            ("/a*b*c", "/axbxbxc", true),
            ("/a\\*", "/a*", true),
            ("/a\\*", "/ab", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, path), does, "{pattern} {path}");
        }
        assert_eq!(alternatives("/{a,b{c,d}}/e"), ["/a/e", "/bc/e", "/bd/e"]);
        assert_eq!(alternatives("/{a"), ["/{a"]);
    }
}
