//! SHA-512 of files and of bytes passing by.

use sha2::{Digest, Sha512};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What identifies a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChecksum {
    /// Lowercase hexadecimal, 128 digits.
    pub sha512: String,
    /// Bytes.
    pub size: u64,
}

/// A checksum that grows with the bytes.
#[derive(Clone, Default)]
pub(super) struct RunningChecksum {
    hasher: Sha512,
    size: u64,
}

impl RunningChecksum {
    /// Takes the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Takes all that is left in `reader`.
    pub(super) fn read_all(&mut self, reader: &mut impl Read) -> io::Result<()> {
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Bytes so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The checksum of all bytes so far.
    pub(super) fn finish(self) -> FileChecksum {
        let sha512 = self.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        FileChecksum { sha512, size: self.size }
    }
}

/// Reads the whole file.
pub fn checksum_of_file(path: &Path) -> io::Result<FileChecksum> {
    let mut checksum = RunningChecksum::default();
    checksum.read_all(&mut File::open(path)?)?;
    Ok(checksum.finish())
}

/// Lowercase, if it is a SHA-512 at all.
pub(super) fn parse_sha512(text: &str) -> Option<String> {
    let is_sha512 = text.len() == 128 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_sha512.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    #[test]
    fn a_file_has_the_standards_checksum() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let checksum = checksum_of_file(file.path()).unwrap();
        // FIPS 180-2, appendix C.1.
        let expected = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                        2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        assert_eq!(checksum, FileChecksum { sha512: expected.into(), size: 3 });
        assert_eq!(parse_sha512(&expected.to_uppercase()).as_deref(), Some(expected));
        assert_eq!(parse_sha512(&expected[1..]), None);
    }
}
