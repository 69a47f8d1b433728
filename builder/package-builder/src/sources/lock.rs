//! Writing checksums into `SPECS/<name>/sources`: the one place where an unverified file is trusted, by the user's
//! wish.
//!
//! The text is edited, not written anew, so comments and order stay. A checksum that is already there is never
//! replaced: to accept another file, its table is taken out first.

use super::error::{Attempt, SourceError};
use super::fetch::{FetchSettings, FetchedSource, Fetcher, SourceRequest, local};
use super::manifest::Manifest;
use report::EventKind;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

/// What locking did to one manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockOutcome {
    /// Files that have a checksum now, with where the file was taken from.
    pub added: Vec<(String, FetchedSource)>,
    /// Files that had one before.
    pub kept: Vec<String>,
    /// Tables no source or patch of the spec asks for; left as they are.
    pub unused: Vec<String>,
}

/// Fetches every file of one package that has no checksum yet and writes its sha512 and size to `manifest_path`
/// (atomically, and only if all were found). Files beside the spec need no entry: they are the tree's own.
pub fn lock(
    manifest_path: &Path,
    requests: &[SourceRequest],
    settings: &FetchSettings,
    progress: &(dyn Fn(EventKind) + Sync),
) -> Result<LockOutcome, Vec<SourceError>> {
    let text = match fs::read_to_string(manifest_path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(vec![SourceError::file(manifest_path, &error)]),
    };
    let manifest = parse(&text, manifest_path).map_err(|error| vec![error])?;
    let fetcher = Fetcher::new(settings, progress);
    let mut outcome = LockOutcome::default();
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    for request in requests {
        if !seen.insert(request.file_name.as_str()) {
            continue;
        }
        let entry = manifest.get(&request.file_name);
        if entry.is_some_and(|entry| entry.sha512.is_some()) {
            outcome.kept.push(request.file_name.clone());
        } else if entry.is_some() || !request.beside_spec.is_file() {
            match find_unverified(&fetcher, request) {
                Ok(found) => outcome.added.push((request.file_name.clone(), found)),
                Err(error) => errors.push(error),
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let unused = manifest.entries().map(|(name, _)| name).filter(|name| !seen.contains(name));
    outcome.unused = unused.map(str::to_owned).collect();
    if !outcome.added.is_empty() {
        let edited = edit(&text, &manifest, &outcome.added, manifest_path).map_err(|error| vec![error])?;
        write_atomically(manifest_path, &edited).map_err(|error| vec![SourceError::file(manifest_path, &error)])?;
    }
    Ok(outcome)
}

fn find_unverified(fetcher: &Fetcher<'_>, request: &SourceRequest) -> Result<FetchedSource, SourceError> {
    if let Some(found) = local(&request.beside_spec, "beside the spec")? {
        return Ok(found);
    }
    if let Some(found) = local(&fetcher.settings().tree_sources.join(&request.file_name), "SOURCES")? {
        return Ok(found);
    }
    let (package, file) = (request.package.clone(), request.file_name.clone());
    let candidates = fetcher.candidates(request);
    if candidates.is_empty() {
        let directory = request.beside_spec.parent().unwrap_or(Path::new(".")).to_owned();
        return Err(SourceError::NotBesideSpec { package, file, directory });
    }
    let mut attempts = Vec::new();
    for origin in candidates {
        match fetcher.take_unverified(&origin, request)? {
            Ok(found) => return Ok(found),
            Err(reason) => attempts.push(Attempt { origin: origin.to_string(), reason, is_other_content: false }),
        }
    }
    Err(SourceError::Unavailable { package, file, attempts })
}

/// Puts the new lines under the tables that are there and appends tables that are not.
fn edit(
    text: &str,
    manifest: &Manifest,
    added: &[(String, FetchedSource)],
    path: &Path,
) -> Result<String, SourceError> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut insertions = Vec::new();
    for (name, found) in added {
        let sha512 = format!("sha512 = \"{}\"", found.sha512);
        match manifest.get(name) {
            Some(entry) => {
                if !lines[entry.line - 1].trim_start().starts_with('[') {
                    let reason = format!("`{name}` is not written as a table; write `[\"{name}\"]` on its own line");
                    return Err(SourceError::Manifest { path: path.to_owned(), line: entry.line, reason });
                }
                let mut new_lines = vec![sha512];
                if entry.size.is_none() {
                    new_lines.push(format!("size = {}", found.size));
                }
                insertions.push((entry.line, new_lines));
            }
            None => {
                if lines.last().is_some_and(|line| !line.trim().is_empty()) {
                    lines.push(String::new());
                }
                // TOML's basic strings and Rust's escapes agree on what a file name can have.
                lines.extend([format!("[{name:?}]"), sha512, format!("size = {}", found.size)]);
            }
        }
    }
    // From the end, so that the line numbers of the others stay true.
    insertions.sort();
    for (line, new_lines) in insertions.into_iter().rev() {
        lines.splice(line..line, new_lines);
    }
    let edited = lines.join("\n") + "\n";
    // What was written must say what was found; anything else is a bug that must not reach the tree.
    let read_back = parse(&edited, path)?;
    for (name, found) in added {
        let entry = read_back.get(name);
        if entry.and_then(|entry| entry.sha512.as_ref()) != Some(&found.sha512) {
            let line = entry.map_or(1, |entry| entry.line);
            let reason = format!("the checksum of `{name}` could not be added; add it by hand: {}", found.sha512);
            return Err(SourceError::Manifest { path: path.to_owned(), line, reason });
        }
    }
    Ok(edited)
}

fn parse(text: &str, path: &Path) -> Result<Manifest, SourceError> {
    Manifest::parse(text, path).map_err(|error| SourceError::Manifest {
        path: path.to_owned(),
        line: error.line,
        reason: error.reason,
    })
}

fn write_atomically(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".sources").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    let mode = fs::metadata(path).map_or(0o644, |metadata| std::os::unix::fs::MetadataExt::mode(&metadata) & 0o777);
    fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    fn settings(directory: &Path) -> FetchSettings {
        FetchSettings {
            lookaside: directory.join("lookaside"),
            tree_sources: directory.join("SOURCES"),
            mirrors: vec![],
            parallel: 1,
            offline: true,
        }
    }

    #[test]
    fn checksums_are_added_and_everything_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sources");
        let known = "ab".repeat(64);
        let text =
            format!("# first\n[\"b.tar\"] # pinned\norigins = [\"debian:b=1\"]\n\n[\"old\"]\nsha512 = \"{known}\"\n");
        fs::write(&path, &text).unwrap();
        fs::create_dir(directory.path().join("SOURCES")).unwrap();
        fs::write(directory.path().join("SOURCES/a.tar"), "a").unwrap();
        fs::write(directory.path().join("SOURCES/b.tar"), "bb").unwrap();
        fs::write(directory.path().join("fix.patch"), "p").unwrap();
        let manifest = Manifest::parse(&text, &path).unwrap();
        let requests = ["https://h.test/a.tar", "https://h.test/b.tar", "fix.patch", "https://h.test/a.tar"]
            .map(|value| manifest.request("x", value, directory.path()));
        let outcome = lock(&path, &requests, &settings(directory.path()), &|_| {}).unwrap();
        assert_eq!(outcome.unused, ["old"]);
        let [a, b] = ["a.tar", "b.tar"].map(|name| {
            let found = outcome.added.iter().find(|(added, _)| added == name).unwrap();
            found.1.sha512.clone()
        });
        let expected = format!(
            "# first\n[\"b.tar\"] # pinned\nsha512 = \"{b}\"\nsize = 2\norigins = [\"debian:b=1\"]\n\n\
             [\"old\"]\nsha512 = \"{known}\"\n\n[\"a.tar\"]\nsha512 = \"{a}\"\nsize = 1\n"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        let manifest = Manifest::parse(&expected, &path).unwrap();
        let requests = [manifest.request("x", "https://h.test/a.tar", directory.path())];
        let again = lock(&path, &requests, &settings(directory.path()), &|_| {}).unwrap();
        assert_eq!((again.added.len(), again.kept), (0, vec!["a.tar".to_owned()]));
    }

    #[test]
    fn nothing_is_written_when_a_file_cannot_be_had() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sources");
        fs::create_dir(directory.path().join("SOURCES")).unwrap();
        fs::write(directory.path().join("SOURCES/a.tar"), "a").unwrap();
        let manifest = Manifest::default();
        let requests = ["https://h.test/a.tar", "https://h.test/gone.tar", "no.patch"]
            .map(|value| manifest.request("x", value, directory.path()));
        let errors = lock(&path, &requests, &settings(directory.path()), &|_| {}).unwrap_err();
        let texts: Vec<String> = errors.iter().map(SourceError::to_string).collect();
        assert!(texts[0].contains("https://h.test/gone.tar: not asked: this run is offline"), "{texts:?}");
        assert!(texts[1].contains("`no.patch` of `x` has no URL and is not in"), "{texts:?}");
        assert!(!path.exists());
    }
}
