//! RPM header sections as bytes: every index entry is checked against the store before anything is
//! read from it, so that later readers cannot run past the end.
//!
//! Format: rpm's manual, "RPM Package format", "Header structure".

use std::io::{self, Read};
use std::ops::Range;

/// The magic of a header section, with its version.
const MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 0x01];
/// rpm's own limits (`header_internal.hh`): more entries or data than this is no package.
const MOST_ENTRIES: u32 = 0xffff;
const MOST_DATA: u32 = 0x0fff_ffff;

/// One header section: the signature header or the main header.
#[derive(Debug)]
pub(crate) struct RawHeader {
    entries: Vec<RawEntry>,
    store: Vec<u8>,
}

/// One tag of a header. Its range is known to lie in the store.
#[derive(Clone, Debug)]
pub(crate) struct RawEntry {
    /// The tag's number (`rpmtag.h`).
    pub(crate) tag: u32,
    /// The type's number, 0 to 9.
    pub(crate) kind: u32,
    /// How many values it has.
    pub(crate) count: u32,
    range: Range<usize>,
}

/// The types of tags.
pub(crate) mod kind {
    pub(crate) const NULL: u32 = 0;
    pub(crate) const CHAR: u32 = 1;
    pub(crate) const INT8: u32 = 2;
    pub(crate) const INT16: u32 = 3;
    pub(crate) const INT32: u32 = 4;
    pub(crate) const INT64: u32 = 5;
    pub(crate) const STRING: u32 = 6;
    pub(crate) const BINARY: u32 = 7;
    pub(crate) const STRING_ARRAY: u32 = 8;
    pub(crate) const I18N: u32 = 9;
}

impl RawHeader {
    /// Reads one section, without the padding that follows a signature header.
    ///
    /// # Errors
    /// The section ends early or an entry of it points outside.
    pub(crate) fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut intro = [0; 16];
        input.read_exact(&mut intro)?;
        if intro[..4] != MAGIC {
            return Err(invalid("a header does not start with its magic"));
        }
        let count = word(&intro, 8);
        let size = word(&intro, 12);
        if count == 0 || count > MOST_ENTRIES || size > MOST_DATA {
            return Err(invalid(format!("a header claims {count} entries and {size} bytes")));
        }
        let index = read_exactly(input, u64::from(count) * 16)?;
        let store = read_exactly(input, u64::from(size))?;
        let entries = index.chunks_exact(16).map(|entry| check(entry, &store)).collect::<io::Result<_>>()?;
        Ok(Self { entries, store })
    }

    /// The size of the section in the file, without padding.
    pub(crate) fn size(&self) -> u64 {
        16 + 16 * self.entries.len() as u64 + self.store.len() as u64
    }

    /// All entries, in the order of the file.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&RawEntry, &[u8])> {
        self.entries.iter().map(|entry| (entry, &self.store[entry.range.clone()]))
    }

    fn find(&self, tag: u32, kinds: &[u32]) -> Option<(&RawEntry, &[u8])> {
        self.entries().find(|(entry, _)| entry.tag == tag && kinds.contains(&entry.kind))
    }

    /// The strings of a tag; empty where it is missing or no string.
    pub(crate) fn strings(&self, tag: u32) -> Vec<&[u8]> {
        match self.find(tag, &[kind::STRING, kind::STRING_ARRAY, kind::I18N]) {
            None => Vec::new(),
            Some((entry, bytes)) => bytes.split(|byte| *byte == 0).take(entry.count as usize).collect(),
        }
    }

    /// The 16-bit numbers of a tag; empty where it is missing or of another type.
    pub(crate) fn numbers16(&self, tag: u32) -> Vec<u16> {
        match self.find(tag, &[kind::INT16]) {
            None => Vec::new(),
            Some((_, bytes)) => bytes.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect(),
        }
    }

    /// The numbers of a 32- or 64-bit tag; empty where it is missing or of another type.
    pub(crate) fn numbers(&self, tag: u32) -> Vec<u64> {
        match self.find(tag, &[kind::INT32, kind::INT64]) {
            None => Vec::new(),
            Some((entry, bytes)) if entry.kind == kind::INT32 => {
                bytes.chunks_exact(4).map(|bytes| u64::from(word(bytes, 0))).collect()
            }
            Some((_, bytes)) => {
                bytes.chunks_exact(8).map(|bytes| u64::from(word(bytes, 0)) << 32 | u64::from(word(bytes, 4))).collect()
            }
        }
    }
}

/// Reads so much and no less, without believing the size before the bytes are there.
fn read_exactly(input: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends within a header"));
    }
    Ok(bytes)
}

/// Finds out where the values of an entry lie, and that they do lie in the store.
fn check(entry: &[u8], store: &[u8]) -> io::Result<RawEntry> {
    let (tag, kind, start, count) = (word(entry, 0), word(entry, 4), word(entry, 8) as usize, word(entry, 12));
    let outside = || invalid(format!("tag {tag} points outside of its header"));
    let rest = store.get(start..).ok_or_else(outside)?;
    let length = match kind {
        kind::NULL => 0,
        kind::CHAR | kind::INT8 | kind::BINARY => count as usize,
        kind::INT16 => count as usize * 2,
        kind::INT32 => count as usize * 4,
        kind::INT64 => count as usize * 8,
        kind::STRING | kind::STRING_ARRAY | kind::I18N => {
            if kind == kind::STRING && count != 1 {
                return Err(invalid(format!("tag {tag} is one string, {count} times")));
            }
            if count as usize > rest.len() {
                return Err(outside());
            }
            let mut length = 0;
            for _ in 0..count {
                length += rest[length..].iter().position(|byte| *byte == 0).ok_or_else(outside)? + 1;
            }
            length
        }
        _ => return Err(invalid(format!("tag {tag} has the unknown type {kind}"))),
    };
    if length > rest.len() {
        return Err(outside());
    }
    Ok(RawEntry { tag, kind, count, range: start..start + length })
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    /// A header with the given entries (tag, type, offset, count) over the store.
    fn section(entries: &[(u32, u32, u32, u32)], store: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([0; 4]);
        bytes.extend((entries.len() as u32).to_be_bytes());
        bytes.extend((store.len() as u32).to_be_bytes());
        for (tag, kind, offset, count) in entries {
            [tag, kind, offset, count].iter().for_each(|value| bytes.extend(value.to_be_bytes()));
        }
        bytes.extend(store);
        bytes
    }

    #[test]
    fn values_are_found() {
        let store = b"one\0two\0\0\0\0\x07\x01\x02";
        let entries = [(1, kind::STRING_ARRAY, 0, 2), (2, kind::INT32, 8, 1), (3, kind::INT16, 12, 1)];
        let header = RawHeader::read(&mut &section(&entries, store)[..]).unwrap();
        assert_eq!(header.strings(1), [b"one", b"two"]);
        assert_eq!(header.numbers(2), [7]);
        assert_eq!(header.numbers16(3), [0x102]);
        assert!(header.strings(2).is_empty() && header.numbers(9).is_empty());
    }

    #[test]
    fn lies_are_refused() {
        for entry in [
            (1, kind::STRING, 9, 1),
            (1, kind::STRING, 2, 1),
            (1, kind::STRING, 0, 2),
            (1, kind::STRING_ARRAY, 0, 3),
            (1, kind::STRING_ARRAY, 0, u32::MAX),
            (1, kind::INT32, 0, 2),
            (1, kind::INT64, 0, u32::MAX),
            (1, kind::BINARY, u32::MAX, 1),
            (1, 10, 0, 1),
        ] {
            assert!(RawHeader::read(&mut &section(&[entry], b"a\0bcd")[..]).is_err(), "{entry:?}");
        }
        let mut huge = section(&[(1, kind::NULL, 0, 0)], b"");
        huge[12..16].copy_from_slice(&0x0fff_0000u32.to_be_bytes());
        assert!(RawHeader::read(&mut &huge[..]).is_err());
    }
}
