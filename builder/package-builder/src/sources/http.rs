//! Downloads over HTTP: resumed where they stopped, hashed while they arrive, tried again only when that may help.

use super::checksum::{FileChecksum, RunningChecksum};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use ureq::http::{Response, StatusCode, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Tries in a row that brought no byte further.
const TRIES: u32 = 4;
/// Grows fourfold with each try.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Silence, not total time: a large file over a slow line is fine.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// One client for all downloads of a run.
pub(crate) struct HttpClient {
    agent: Agent,
    /// Hosts that could not be reached at all, with the reason: asking them again for each file only costs time.
    unreachable: Mutex<BTreeMap<String, String>>,
}

/// What is known of the wanted file beforehand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Its exact size.
    pub(crate) size: Option<u64>,
}

/// A finished download.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Downloaded {
    /// Of the whole file.
    pub(crate) checksum: FileChecksum,
    /// Part of it was there before; if the checksum is wrong, that part may be to blame.
    pub(crate) resumed: bool,
}

/// Why one try failed.
enum Trouble {
    /// Trying again may help.
    Transient(String),
    /// Trying again will not.
    Permanent(String),
    /// This host is not there.
    Unreachable(String),
    /// What is in the part does not belong to what the server has.
    StalePart,
}

impl HttpClient {
    pub(crate) fn new() -> HttpClient {
        // The host's own certificates, so that a company's or a mirror's authority works as everywhere else.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls)
            .user_agent(concat!("package-builder/", env!("CARGO_PKG_VERSION")))
            // A `.tar.gz` must arrive as it is: no transparent decompression.
            .accept_encoding("identity")
            .timeout_resolve(Some(CONNECT_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(SILENCE_TIMEOUT))
            .timeout_per_read(Some(SILENCE_TIMEOUT))
            .build()
            .new_agent();
        HttpClient { agent, unreachable: Mutex::default() }
    }

    /// Downloads `url` into `part`, going on from what is there. The error is a lowercase fragment.
    pub(crate) fn download(
        &self,
        url: &str,
        part: &Path,
        limits: Limits,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<Downloaded, String> {
        let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        let host = host.ok_or_else(|| format!("`{url}` is no address"))?;
        if let Some(reason) = self.unreachable().get(&host) {
            return Err(format!("{reason} (said before; not asked again)"));
        }
        let mut tries = 0;
        loop {
            let before = part_size(part);
            let trouble = match self.attempt(url, part, limits, progress) {
                Ok(downloaded) => return Ok(downloaded),
                Err(trouble) => trouble,
            };
            let reason = match trouble {
                Trouble::Permanent(reason) => return Err(reason),
                Trouble::Unreachable(reason) => {
                    self.unreachable().insert(host, reason.clone());
                    return Err(reason);
                }
                Trouble::StalePart => {
                    fs::remove_file(part).map_err(|error| format!("{}: {error}", part.display()))?;
                    "the server cannot go on where an earlier download stopped".to_owned()
                }
                Trouble::Transient(reason) => reason,
            };
            tries = if part_size(part) > before { 1 } else { tries + 1 };
            if tries >= TRIES {
                return Err(format!("{reason} ({TRIES} tries)"));
            }
            std::thread::sleep(FIRST_PAUSE * 4_u32.pow(tries - 1));
        }
    }

    fn attempt(
        &self,
        url: &str,
        part: &Path,
        limits: Limits,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<Downloaded, Trouble> {
        let file_trouble = |error: io::Error| Trouble::Permanent(format!("{}: {error}", part.display()));
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(part).map_err(file_trouble)?;
        let mut checksum = RunningChecksum::default();
        checksum.read_all(&mut file).map_err(file_trouble)?;
        let had = checksum.size();
        if had > 0 && limits.size == Some(had) {
            return Ok(Downloaded { checksum: checksum.finish(), resumed: true });
        }
        let mut request = self.agent.get(url);
        if had > 0 {
            request = request.header(header::RANGE, format!("bytes={had}-"));
        }
        let mut response = request.call().map_err(|error| trouble_of(&error))?;
        let resumed = match response.status() {
            StatusCode::PARTIAL_CONTENT if had > 0 && range_start(&response) == Some(had) => true,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if had > 0 => {
                return Err(Trouble::StalePart);
            }
            StatusCode::OK => {
                file.set_len(0).map_err(file_trouble)?;
                checksum = RunningChecksum::default();
                false
            }
            status => return Err(trouble_of_status(status)),
        };
        let start = checksum.size();
        let total = response.body().content_length().map(|left| start + left);
        if let (Some(size), Some(total)) = (limits.size, total)
            && size != total
        {
            return Err(Trouble::Permanent(format!("it has {total} bytes there, not {size}")));
        }
        self.receive(&mut response, &mut file, &mut checksum, limits, &|bytes| progress(bytes, total))
            .map_err(|trouble| trouble.unwrap_or_else(file_trouble))?;
        if let Some(total) = total.filter(|total| *total != checksum.size()) {
            return Err(Trouble::Transient(format!("the connection ended at {} of {total} bytes", checksum.size())));
        }
        Ok(Downloaded { checksum: checksum.finish(), resumed })
    }

    /// Copies the body; the inner `Err` is an error of the file, not of the network.
    fn receive(
        &self,
        response: &mut Response<Body>,
        file: &mut File,
        checksum: &mut RunningChecksum,
        limits: Limits,
        progress: &dyn Fn(u64),
    ) -> Result<(), Result<Trouble, io::Error>> {
        let mut reader = response.body_mut().as_reader();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Ok(Trouble::Transient(format!("the connection broke: {error}")))),
            };
            file.write_all(&buffer[..count]).map_err(Err)?;
            checksum.update(&buffer[..count]);
            if let Some(size) = limits.size.filter(|size| checksum.size() > *size) {
                return Err(Ok(Trouble::Permanent(format!("it is larger than {size} bytes there"))));
            }
            progress(checksum.size());
        }
    }

    fn unreachable(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.unreachable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn part_size(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |metadata| metadata.len())
}

/// The first byte of a partial answer (RFC 9110, 14.4: `bytes 100-199/200`).
fn range_start(response: &Response<Body>) -> Option<u64> {
    let value = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    value.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

fn trouble_of_status(status: StatusCode) -> Trouble {
    let reason = format!("the server answered {status}");
    let may_pass = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    if may_pass || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) {
        Trouble::Transient(reason)
    } else {
        Trouble::Permanent(reason)
    }
}

fn trouble_of(error: &ureq::Error) -> Trouble {
    use ureq::Error;
    match error {
        Error::HostNotFound => Trouble::Unreachable("host not found".to_owned()),
        Error::ConnectionFailed => Trouble::Unreachable("cannot connect".to_owned()),
        Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            Trouble::Unreachable(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()))
        }
        Error::Timeout(which) => Trouble::Transient(format!("no answer in time ({which})")),
        Error::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Trouble::Unreachable(error.to_string())
            }
            // What the resolver says has no kind of its own.
            _ if error.to_string().contains("failed to lookup address") => {
                Trouble::Unreachable("host not found".to_owned())
            }
            _ => Trouble::Transient(error.to_string()),
        },
        other => Trouble::Permanent(other.to_string()),
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
