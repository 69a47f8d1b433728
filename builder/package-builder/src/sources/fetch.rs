//! Getting files: which origin in which order, what is verified where, many at a time.

use super::checksum::{FileChecksum, checksum_of_file};
use super::crates;
use super::debian::{DebianArchives, Which};
use super::error::{Attempt, SourceError};
use super::http::{HttpClient, Limits};
use super::lookaside::{Found, Lookaside};
use super::origin::Origin;
use report::EventKind;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Progress is said once per this many bytes, not per read.
const PROGRESS_STEP: u64 = 256 * 1024;

/// One file some package needs. [`super::Manifest::request`] makes it from a spec's tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRequest {
    /// The source package.
    pub package: String,
    /// The file's name, as the spec's directory or `SOURCES/` would have it.
    pub file_name: String,
    /// The spec's URL, macros expanded.
    pub url: Option<String>,
    /// Lowercase hexadecimal.
    pub sha512: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// The manifest's origins.
    pub origins: Vec<Origin>,
    /// Where the file is if it belongs to the tree.
    pub beside_spec: PathBuf,
}

/// Where to look and how hard.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// The cache's directory; made when needed.
    pub lookaside: PathBuf,
    /// The tree's `SOURCES/`.
    pub tree_sources: PathBuf,
    /// URLs with `{name}` and `{sha512}` in them.
    pub mirrors: Vec<String>,
    /// Downloads at once.
    pub parallel: usize,
    /// Ask nothing that is not on this machine.
    pub offline: bool,
}

/// A verified file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedSource {
    /// In the tree or in the cache; read-only to the caller.
    pub path: PathBuf,
    /// Of its content, taken in this run.
    pub sha512: String,
    /// Bytes.
    pub size: u64,
    /// `beside the spec`, `SOURCES`, `cache`, or the origin it was downloaded from.
    pub origin: String,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchOutcome {
    /// The request's package.
    pub package: String,
    /// The request's file.
    pub file_name: String,
    /// The file, or why not.
    pub result: Result<FetchedSource, SourceError>,
}

/// Gets every file; the outcomes are in the order of the requests. Files with the same checksum and name are fetched
/// once. Failures are collected, never fatal for the others. Events are the `Source…` kinds and diagnostics.
pub fn fetch(
    requests: &[SourceRequest],
    settings: &FetchSettings,
    progress: &(dyn Fn(EventKind) + Sync),
) -> Vec<FetchOutcome> {
    let mut groups: Vec<usize> = Vec::new();
    let mut group_of_content: BTreeMap<(&str, &str, &Path), usize> = BTreeMap::new();
    let group_of_request: Vec<usize> = (0..requests.len())
        .map(|index| {
            let request = &requests[index];
            let mut new_group = || {
                groups.push(index);
                groups.len() - 1
            };
            match &request.sha512 {
                Some(sha512) => {
                    let content = (sha512.as_str(), request.file_name.as_str(), request.beside_spec.as_path());
                    *group_of_content.entry(content).or_insert_with(new_group)
                }
                None => new_group(),
            }
        })
        .collect();
    let fetcher = Fetcher::new(settings, progress);
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..settings.parallel.clamp(1, groups.len().max(1)) {
            scope.spawn(|| {
                while let Some(&index) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = fetcher.fetch_one(&requests[index]);
                    results.lock().unwrap_or_else(PoisonError::into_inner).insert(index, result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let outcome = |(request, group): (&SourceRequest, &usize)| FetchOutcome {
        package: request.package.clone(),
        file_name: request.file_name.clone(),
        result: results[&groups[*group]].clone(),
    };
    requests.iter().zip(&group_of_request).map(outcome).collect()
}

/// What all downloads of one run share.
pub(super) struct Fetcher<'a> {
    settings: &'a FetchSettings,
    cache: Lookaside,
    http: HttpClient,
    debian: DebianArchives,
    progress: &'a (dyn Fn(EventKind) + Sync),
}

/// A file that arrived but was not yet compared.
struct Arrived {
    path: PathBuf,
    checksum: FileChecksum,
    resumed: bool,
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(settings: &'a FetchSettings, progress: &'a (dyn Fn(EventKind) + Sync)) -> Fetcher<'a> {
        let cache = Lookaside::new(&settings.lookaside);
        let debian = DebianArchives::new(settings.lookaside.join("apt"));
        Fetcher { settings, cache, http: HttpClient::new(), debian, progress }
    }

    fn fetch_one(&self, request: &SourceRequest) -> Result<FetchedSource, SourceError> {
        let result = self.find(request);
        if let Err(error) = &result {
            (self.progress)(EventKind::SourceFailed {
                package: request.package.clone(),
                file: request.file_name.clone(),
                reason: error.to_string(),
            });
        }
        result
    }

    fn find(&self, request: &SourceRequest) -> Result<FetchedSource, SourceError> {
        if let Some(found) = local(&request.beside_spec, "beside the spec")? {
            return match &request.sha512 {
                Some(expected) if *expected != found.sha512 => Err(SourceError::WrongChecksumInTree {
                    package: request.package.clone(),
                    path: found.path,
                    expected: expected.clone(),
                    got: found.sha512,
                }),
                _ => Ok(found),
            };
        }
        let in_sources = self.settings.tree_sources.join(&request.file_name);
        let (package, file) = (request.package.clone(), request.file_name.clone());
        let Some(sha512) = &request.sha512 else {
            let nowhere = request.url.is_none() && request.origins.is_empty() && !in_sources.exists();
            let directory = request.beside_spec.parent().unwrap_or(Path::new(".")).to_owned();
            return Err(match nowhere {
                true => SourceError::NotBesideSpec { package, file, directory },
                false => SourceError::MissingChecksum { package, file },
            });
        };
        let mut attempts = Vec::new();
        match local(&in_sources, "SOURCES")? {
            Some(found) if found.sha512 == *sha512 => return Ok(found),
            Some(found) => {
                let reason = wrong_checksum(sha512, &found.sha512, "left in place");
                self.warn(&format!("SOURCES/{file}: {reason}; looking elsewhere"));
                attempts.push(Attempt { origin: format!("SOURCES/{file}"), reason, is_other_content: true });
            }
            None => {}
        }
        if let Some(found) = self.cached(sha512)? {
            return Ok(found);
        }
        // One download per content, also among several runs on this machine; who waited finds it in the cache.
        let lock_path = self.cache.incoming(&format!("{sha512}.lock"))?;
        let lock = File::create(&lock_path).map_err(|error| SourceError::file(&lock_path, &error))?;
        lock.lock().map_err(|error| SourceError::file(&lock_path, &error))?;
        if let Some(found) = self.cached(sha512)? {
            return Ok(found);
        }
        for origin in self.candidates(request) {
            match self.take_from(&origin, request, sha512)? {
                Ok(found) => {
                    // Whoever waits on it, or makes it anew, looks into the cache first.
                    drop(fs::remove_file(&lock_path));
                    return Ok(found);
                }
                Err(attempt) => attempts.push(attempt),
            }
        }
        Err(SourceError::Unavailable { package, file, attempts })
    }

    /// Remote origins in their order.
    pub(super) fn candidates(&self, request: &SourceRequest) -> Vec<Origin> {
        let mirrors = self.settings.mirrors.iter().filter_map(|template| {
            // Without a checksum a mirror that is sorted by it cannot be asked.
            let sha512 = match &request.sha512 {
                Some(sha512) => sha512.as_str(),
                None if template.contains("{sha512}") => return None,
                None => "",
            };
            Some(template.replace("{name}", &url_segment(&request.file_name)).replace("{sha512}", sha512))
        });
        let urls = mirrors.chain(request.url.clone()).map(Origin::Url);
        urls.chain(request.origins.iter().cloned()).collect()
    }

    fn cached(&self, sha512: &str) -> Result<Option<FetchedSource>, SourceError> {
        Ok(match self.cache.get(sha512)? {
            Found::Yes(path, size) => {
                Some(FetchedSource { path, sha512: sha512.to_owned(), size, origin: "cache".to_owned() })
            }
            Found::No => None,
            Found::WasCorrupt => {
                self.warn(&format!("the cache's file {} was damaged; fetching it again", &sha512[..12]));
                None
            }
        })
    }

    /// The outer error is the machine's, the inner one this origin's.
    fn take_from(
        &self,
        origin: &Origin,
        request: &SourceRequest,
        sha512: &str,
    ) -> Result<Result<FetchedSource, Attempt>, SourceError> {
        let attempt =
            |reason, is_other_content| Ok(Err(Attempt { origin: origin.to_string(), reason, is_other_content }));
        let mut arrived = match self.receive(origin, request, sha512)? {
            Ok(arrived) => arrived,
            Err(reason) => return attempt(reason, false),
        };
        if arrived.resumed && arrived.checksum.sha512 != sha512 {
            // The beginning may be of another file; only a whole download can be blamed on the origin.
            fs::remove_file(&arrived.path).map_err(|error| SourceError::file(&arrived.path, &error))?;
            arrived = match self.receive(origin, request, sha512)? {
                Ok(arrived) => arrived,
                Err(reason) => return attempt(reason, false),
            };
        }
        if arrived.checksum.sha512 != sha512 {
            let kept = self.cache.reject(&arrived.path, &request.file_name)?;
            let kept = format!("kept as {}", kept.display());
            return attempt(wrong_checksum(sha512, &arrived.checksum.sha512, &kept), true);
        }
        let path = self.cache.adopt(&arrived.path, sha512)?;
        Ok(Ok(self.fetched(request, origin, path, arrived.checksum)))
    }

    /// For [`super::lock`]: takes whatever the origin has and puts it into the cache under its own checksum.
    pub(super) fn take_unverified(
        &self,
        origin: &Origin,
        request: &SourceRequest,
    ) -> Result<Result<FetchedSource, String>, SourceError> {
        let key = format!("unverified-{}-{}", request.package, request.file_name);
        // Without a checksum nothing could tell whether the parts belong together.
        let part = self.cache.incoming(&format!("{key}.part"))?;
        drop(fs::remove_file(&part));
        let arrived = match self.receive(origin, request, &key)? {
            Ok(arrived) => arrived,
            Err(reason) => return Ok(Err(reason)),
        };
        let path = self.cache.adopt(&arrived.path, &arrived.checksum.sha512)?;
        Ok(Ok(self.fetched(request, origin, path, arrived.checksum)))
    }

    fn fetched(
        &self,
        request: &SourceRequest,
        origin: &Origin,
        path: PathBuf,
        checksum: FileChecksum,
    ) -> FetchedSource {
        let origin = origin.to_string();
        (self.progress)(EventKind::SourceFetched {
            package: request.package.clone(),
            file: request.file_name.clone(),
            bytes: checksum.size,
            origin: origin.clone(),
        });
        FetchedSource { path, sha512: checksum.sha512, size: checksum.size, origin }
    }

    /// Brings what the origin has into the cache's `incoming/`, under a name made of `key`.
    fn receive(
        &self,
        origin: &Origin,
        request: &SourceRequest,
        key: &str,
    ) -> Result<Result<Arrived, String>, SourceError> {
        let is_local = matches!(origin, Origin::Url(url) if url.starts_with("file://"));
        if self.settings.offline && !is_local {
            return Ok(Err("not asked: this run is offline".to_owned()));
        }
        (self.progress)(EventKind::SourceStarted {
            package: request.package.clone(),
            file: request.file_name.clone(),
            origin: origin.to_string(),
        });
        let part = self.cache.incoming(&format!("{key}.part"))?;
        // Whole files do not touch the part: an origin that can be resumed may still be wanted later.
        let staged = self.cache.incoming(&format!("{key}.staged"))?;
        let brought = match origin {
            Origin::Url(url) => match url.strip_prefix("file://") {
                Some(path) => fs::copy(path, &staged).map(drop).map_err(|error| error.to_string()),
                None => return Ok(self.receive_by_http(url, request, &part)),
            },
            Origin::Crate { name, version, path } => crates::download(name, version, path.as_deref(), &staged),
            Origin::Debian { source, version, suite, file } => {
                let incoming = staged.parent().expect("it was joined to a directory");
                let directory = tempfile::Builder::new().prefix("debian-").tempdir_in(incoming);
                let directory = directory.map_err(|error| SourceError::file(incoming, &error))?;
                let which = match file {
                    Some(file) => Which::Named(file),
                    None => Which::Like(&request.file_name),
                };
                let downloaded = self.debian.download(source, version, suite.as_deref(), which, directory.path());
                downloaded.and_then(|path| fs::rename(path, &staged).map_err(|error| error.to_string()))
            }
        };
        if let Err(reason) = brought {
            return Ok(Err(reason));
        }
        let checksum = checksum_of_file(&staged).map_err(|error| SourceError::file(&staged, &error))?;
        Ok(Ok(Arrived { path: staged, checksum, resumed: false }))
    }

    fn receive_by_http(&self, url: &str, request: &SourceRequest, part: &Path) -> Result<Arrived, String> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err("only http, https and file addresses can be fetched".to_owned());
        }
        let said = Cell::new(0);
        let progress = |bytes: u64, total: Option<u64>| {
            if bytes >= said.get() + PROGRESS_STEP {
                said.set(bytes);
                (self.progress)(EventKind::SourceProgress { file: request.file_name.clone(), bytes, total });
            }
        };
        let downloaded = self.http.download(url, part, Limits { size: request.size }, &progress);
        let downloaded = downloaded.inspect_err(|_| {
            if fs::metadata(part).is_ok_and(|metadata| metadata.len() == 0) {
                drop(fs::remove_file(part));
            }
        })?;
        Ok(Arrived { path: part.to_owned(), checksum: downloaded.checksum, resumed: downloaded.resumed })
    }

    fn warn(&self, text: &str) {
        (self.progress)(EventKind::Diagnostic { text: format!("warning: {text}") });
    }

    pub(super) fn settings(&self) -> &FetchSettings {
        self.settings
    }
}

/// A file on this machine, hashed; `None` if there is none.
pub(super) fn local(path: &Path, origin: &str) -> Result<Option<FetchedSource>, SourceError> {
    if !path.is_file() {
        return Ok(None);
    }
    let checksum = checksum_of_file(path).map_err(|error| SourceError::file(path, &error))?;
    let FileChecksum { sha512, size } = checksum;
    Ok(Some(FetchedSource { path: path.to_owned(), sha512, size, origin: origin.to_owned() }))
}

fn wrong_checksum(expected: &str, got: &str, where_it_is: &str) -> String {
    format!("wrong checksum, {where_it_is}\nexpected {expected}\ngot      {got}")
}

/// A file name as part of a URL's path (RFC 3986, 3.3).
fn url_segment(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ if b"-._~+!$&'()*,;=:@".contains(&byte) => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
