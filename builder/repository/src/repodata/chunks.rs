//! The packages' parts of repodata, compressed in chunks that the next generation takes over where they are the same.
//!
//! Compression is most of the cost of a large repository's repodata, and from one generation to the next hardly any
//! package differs. So neighbours are compressed together, apart from all others, and a gzip file is put together
//! from such pieces: a deflate stream may be cut at any flush, and checksums of pieces give that of the whole. Where
//! a chunk ends depends on the package at its end only, so that a package more or less changes one chunk or two.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use rayon::prelude::*;

use super::write::Fragments;

/// Some neighbours of a repository.
pub(crate) struct Chunk {
    packages: Vec<Arc<Fragments>>,
    /// Their parts of primary, filelists and other.
    parts: [Piece; 3],
}

/// A piece of a gzip file.
pub(crate) struct Piece {
    deflated: Vec<u8>,
    crc: Crc,
}

impl Piece {
    /// Compresses without reference to anything before, so that any piece may come before.
    fn new<'a>(texts: impl Iterator<Item = &'a [u8]>, is_last: bool) -> io::Result<Self> {
        let mut crc = Crc::new();
        // The level of createrepo_c.
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        for text in texts {
            crc.update(text);
            encoder.write_all(text)?;
        }
        if is_last {
            return Ok(Self { deflated: encoder.finish()?, crc });
        }
        encoder.flush()?;
        // Not `finish`, which would end the stream.
        Ok(Self { deflated: std::mem::take(encoder.get_mut()), crc })
    }
}

/// Compresses packages, in this order; what is in `previous` just so is taken from there.
pub(crate) fn chunks(packages: &[Arc<Fragments>], previous: &[Arc<Chunk>]) -> io::Result<Vec<Arc<Chunk>>> {
    let first = |packages: &[Arc<Fragments>]| packages.first().map(|package| Arc::as_ptr(package).addr());
    let known: BTreeMap<_, _> = previous.iter().map(|chunk| (first(&chunk.packages), chunk)).collect();
    let groups: Vec<_> = packages.split_inclusive(|package| package.ends_chunk()).collect();
    let chunks = groups.into_par_iter().map(|group| {
        if let Some(chunk) = known.get(&first(group)) {
            let mut pairs = chunk.packages.iter().zip(group);
            if chunk.packages.len() == group.len() && pairs.all(|(old, new)| Arc::ptr_eq(old, new)) {
                return Ok(Arc::clone(chunk));
            }
        }
        let piece = |index: usize| Piece::new(group.iter().map(|package| package.part(index)), false);
        Ok(Arc::new(Chunk { packages: group.to_vec(), parts: [piece(0)?, piece(1)?, piece(2)?] }))
    });
    chunks.collect()
}

/// One of the three files as gzip: what comes before the packages, they, and what comes after.
pub(crate) fn gzip(index: usize, before: &[u8], chunks: &[Arc<Chunk>], after: &[u8]) -> io::Result<Vec<u8>> {
    let (head, tail) = (Piece::new([before].into_iter(), false)?, Piece::new([after].into_iter(), true)?);
    // No flags, no time (it would make the file another each time), no name, system unknown: RFC 1952.
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut crc = Crc::new();
    let parts = chunks.iter().map(|chunk| &chunk.parts[index]);
    for piece in [&head].into_iter().chain(parts).chain([&tail]) {
        bytes.extend_from_slice(&piece.deflated);
        crc.combine(&piece.crc);
    }
    bytes.extend(crc.sum().to_le_bytes());
    bytes.extend(crc.amount().to_le_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use std::io::Read;

    use super::*;

    fn packages(numbers: impl Iterator<Item = u32>) -> Vec<Arc<Fragments>> {
        let make = |number: u32| {
            let text = |kind: &str| format!("\n<{kind}>{}</{kind}>", "text ".repeat(number as usize % 9)).into_bytes();
            Arc::new(Fragments::from_parts([text("a"), text("b"), text("c")], number.is_multiple_of(5)))
        };
        numbers.map(make).collect()
    }

    fn check(packages: &[Arc<Fragments>], chunks: &[Arc<Chunk>]) {
        for index in 0..3 {
            let whole = [&b"before"[..]].into_iter().chain(packages.iter().map(|package| package.part(index)));
            let whole: Vec<u8> = whole.chain([&b"after"[..]]).flatten().copied().collect();
            let bytes = gzip(index, b"before", chunks, b"after").unwrap();
            let mut read = Vec::new();
            // This reader stops at the end of the first member, which has to be all.
            let mut decoder = flate2::bufread::GzDecoder::new(&bytes[..]);
            decoder.read_to_end(&mut read).unwrap();
            assert_eq!(read, whole);
            assert!(decoder.into_inner().is_empty());
        }
    }

    #[test]
    fn the_whole_is_its_pieces() {
        for count in [0, 1, 2, 40] {
            let packages = packages(0..count);
            check(&packages, &chunks(&packages, &[]).unwrap());
        }
    }

    #[test]
    fn only_what_differs_is_made_anew() {
        let mut changed = packages(0..100);
        let before = chunks(&changed, &[]).unwrap();
        assert_eq!(before.len(), 20 + 1);
        for change in 0..3 {
            match change {
                0 => drop(changed.remove(52)),
                1 => changed.insert(17, packages(7..8).remove(0)),
                // The end of a chunk goes: two become one.
                _ => drop(changed.remove(30)),
            }
            let after = chunks(&changed, &before).unwrap();
            check(&changed, &after);
            let kept = |chunk: &&Arc<Chunk>| before.iter().any(|old| Arc::ptr_eq(old, chunk));
            assert_eq!(after.iter().filter(|chunk| !kept(chunk)).count(), change + 1);
        }
    }
}
