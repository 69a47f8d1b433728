//! Where the files of a repository are: in a directory or at a URL.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::sources::http::{HttpClient, Limits};

/// The root of a repository.
pub(in crate::seeds) enum Origin {
    /// A directory of this host.
    Directory(PathBuf),
    /// A web server.
    Web {
        /// The root's URLs, without a slash at their ends: they are asked in this order.
        bases: Vec<String>,
        /// The client for all downloads of a run.
        client: HttpClient,
    },
}

impl fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name_of(""))
    }
}

impl Origin {
    /// The origin of a URL or path, as the settings have it, and of its mirrors.
    pub(super) fn new(url: &str, mirrors: &[String]) -> Self {
        if url.starts_with("http://") || url.starts_with("https://") {
            let urls = std::iter::once(url).chain(mirrors.iter().map(String::as_str));
            let bases = urls.map(|url| url.trim_end_matches('/').to_owned()).collect();
            return Self::Web { bases, client: HttpClient::new() };
        }
        Self::Directory(PathBuf::from(url.strip_prefix("file://").unwrap_or(url)))
    }

    /// Whether no network is needed.
    pub(in crate::seeds) fn is_local(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    /// A file's full name, for errors.
    pub(in crate::seeds) fn name_of(&self, location: &str) -> String {
        match self {
            Self::Directory(directory) => directory.join(location).display().to_string(),
            Self::Web { bases, .. } => bases.first().map(|base| address(base, location)).unwrap_or_default(),
        }
    }

    /// Copies a file of that size to `part`, going on from what is there; tells whether it went on. The error is
    /// a lowercase fragment.
    pub(in crate::seeds) fn copy(&self, location: &str, part: &Path, size: u64) -> Result<bool, String> {
        match self {
            Self::Directory(directory) => copy_file(&directory.join(location), part, size).map(|()| false),
            Self::Web { bases, client } => {
                let limits = Limits { size: Some(size) };
                // What one mirror broke off another goes on with; the checksum judges the whole.
                first_that_answers(bases, location, |url| Ok(client.download(url, part, limits, &|_, _| {})?.resumed))
            }
        }
    }

    /// Reads a whole file, through `scratch` where it has to be downloaded. The error is a lowercase fragment.
    pub(super) fn read(&self, location: &str, size: Option<u64>, scratch: &Path) -> Result<Vec<u8>, String> {
        let path = match self {
            Self::Directory(directory) => directory.join(location),
            Self::Web { bases, client } => {
                let part = scratch.join("download");
                first_that_answers(bases, location, |url| {
                    match fs::remove_file(&part) {
                        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.to_string()),
                        _ => {}
                    }
                    client.download(url, &part, Limits { size }, &|_, _| {}).map(|_| ())
                })?;
                part
            }
        };
        fs::read(&path).map_err(|error| reason_of(&error))
    }
}

/// Asks one root after the other. The error is of all of them.
fn first_that_answers<T>(
    bases: &[String],
    location: &str,
    mut ask: impl FnMut(&str) -> Result<T, String>,
) -> Result<T, String> {
    let mut reasons = Vec::new();
    for base in bases {
        match ask(&address(base, location)) {
            Ok(answer) => return Ok(answer),
            Err(reason) if bases.len() == 1 => reasons.push(reason),
            Err(reason) => reasons.push(format!("{base}: {reason}")),
        }
    }
    Err(reasons.join("; "))
}

fn address(base: &str, location: &str) -> String {
    format!("{base}/{}", encoded(location))
}

fn copy_file(from: &Path, to: &Path, size: u64) -> Result<(), String> {
    let there = fs::metadata(from).map_err(|error| reason_of(&error))?.len();
    if there != size {
        return Err(format!("it has {there} bytes, the repodata says {size}"));
    }
    // A copy and not a link: what is in the cache stays as it was verified, whatever happens to the directory.
    match fs::remove_file(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(format!("{}: {error}", to.display())),
        _ => {}
    }
    fs::copy(from, to).map(|_| ()).map_err(|error| reason_of(&error))
}

fn reason_of(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "it is not there".to_owned(),
        _ => error.to_string(),
    }
}

/// A location as part of a URL (RFC 3986, 3.3): whatever may not stand in a path is escaped, what is escaped
/// already stays.
fn encoded(location: &str) -> String {
    let mut url = String::with_capacity(location.len());
    for byte in location.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@%".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_become_addresses_and_paths() {
        let web = Origin::new("https://mirror.test/os/", &[]);
        assert_eq!(
            web.name_of("Packages/l/libstdc++-1~a^b c.rpm"),
            "https://mirror.test/os/Packages/l/libstdc++-1~a%5Eb%20c.rpm"
        );
        assert!(!web.is_local());
        assert_eq!(Origin::new("file:///srv/os", &[]).name_of("a.rpm"), "/srv/os/a.rpm");
        assert_eq!(Origin::new("/srv/os", &[]).name_of("a.rpm"), "/srv/os/a.rpm");
    }

    #[test]
    fn mirrors_are_asked_in_their_order_until_one_answers() {
        let bases = ["a", "b", "c"].map(str::to_owned);
        let mut asked = Vec::new();
        let answer = first_that_answers(&bases, "x y", |url| {
            asked.push(url.to_owned());
            if url.starts_with('b') { Ok(url.to_owned()) } else { Err("gone".to_owned()) }
        });
        assert_eq!(
            (answer.as_deref(), asked.as_slice()),
            (Ok("b/x%20y"), ["a/x%20y", "b/x%20y"].map(str::to_owned).as_slice())
        );
        let none = first_that_answers(&bases, "x", |_| Err::<(), _>("gone".to_owned()));
        assert_eq!(none, Err("a: gone; b: gone; c: gone".to_owned()));
        assert_eq!(first_that_answers(&bases[..1], "x", |_| Err::<(), _>("gone".to_owned())), Err("gone".to_owned()));
    }
}
