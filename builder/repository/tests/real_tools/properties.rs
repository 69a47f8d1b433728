//! Whatever happens to repodata on its way: an error that names the file, or the same content; never a panic, never
//! endless.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proptest::prelude::*;
use repository::{Repomd, RepositoryIndex, write_repodata};
use tempfile::TempDir;

use crate::fixtures::{fixtures, has};

/// What is done to a file.
#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Flip(Vec<(usize, u8)>),
    Drop(usize, usize),
    Repeat(usize, usize),
    Insert(usize, Vec<u8>),
}

impl Damage {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let length = bytes.len();
        let range = |start: usize, size: usize| (start % length)..(start % length + size).min(length);
        match self {
            Self::Cut(end) => bytes[..end % length].to_vec(),
            Self::Flip(flips) => {
                let mut bytes = bytes.to_vec();
                flips.iter().for_each(|(at, with)| bytes[at % length] ^= with);
                bytes
            }
            Self::Drop(start, size) => {
                let range = range(*start, *size);
                [&bytes[..range.start], &bytes[range.end..]].concat()
            }
            Self::Repeat(start, size) => {
                let range = range(*start, *size);
                [&bytes[..range.end], &bytes[range.start..]].concat()
            }
            Self::Insert(at, what) => [&bytes[..at % length], what, &bytes[at % length..]].concat(),
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = 0..1_000_000usize;
    // What means something in the formats is more of a danger than any other bytes.
    let pieces = ["<", ">", "&", "\"", "<!--", "<![CDATA[", "<!DOCTYPE a [", "<?", "</", "&#0;", "&lt", "&x;", "\0"];
    let pieces = prop::sample::select(pieces.map(|piece| piece.as_bytes().to_vec()).to_vec());
    prop_oneof![
        place.clone().prop_map(Damage::Cut),
        prop::collection::vec((place.clone(), 1..=u8::MAX), 1..4).prop_map(Damage::Flip),
        (place.clone(), 1..400usize).prop_map(|(start, size)| Damage::Drop(start, size)),
        (place.clone(), 1..400usize).prop_map(|(start, size)| Damage::Repeat(start, size)),
        (place.clone(), pieces).prop_map(|(at, what)| Damage::Insert(at, what)),
        (place, prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, what)| Damage::Insert(at, what)),
    ]
}

/// A repository, its files of repodata and what they say.
struct Whole {
    directory: TempDir,
    files: Vec<PathBuf>,
    index: RepositoryIndex,
}

impl Whole {
    fn get() -> Option<&'static Self> {
        static WHOLE: OnceLock<Option<Whole>> = OnceLock::new();
        let make = || {
            let directory = tempfile::tempdir().unwrap();
            for rpm in fixtures() {
                fs::hard_link(rpm, directory.path().join(rpm.file_name().unwrap())).unwrap();
            }
            write_repodata(directory.path()).unwrap();
            let index = RepositoryIndex::load_directory(directory.path()).unwrap();
            let name = directory.path().join("repodata/repomd.xml");
            let repomd = Repomd::parse(&name, &fs::read(&name).unwrap()).unwrap();
            let mut files = vec![PathBuf::from("repodata/repomd.xml")];
            files.extend(["primary", "filelists"].map(|kind| PathBuf::from(&repomd.records[kind].location)));
            Whole { directory, files, index }
        };
        WHOLE.get_or_init(|| has("rpmbuild").then(make)).as_ref()
    }

    /// One of the files without its compression.
    fn plain(&self, file: usize) -> Vec<u8> {
        let bytes = fs::read(self.directory.path().join(&self.files[file])).unwrap();
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&bytes[..]), &mut plain).unwrap();
        plain
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 700, failure_persistence: None, ..ProptestConfig::default() })]

    /// As a reader meets it: `repomd.xml` has no checksum itself, and the others have theirs in it.
    #[test]
    fn a_repository_is_the_same_or_an_error(file in 0..3usize, damage in damage()) {
        let Some(whole) = Whole::get() else { return Ok(()) };
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("repodata")).unwrap();
        for (index, name) in whole.files.iter().enumerate() {
            let mut bytes = fs::read(whole.directory.path().join(name)).unwrap();
            if index == file {
                bytes = damage.apply(&bytes);
            }
            fs::write(copy.path().join(name), bytes).unwrap();
        }
        match RepositoryIndex::load_directory(copy.path()) {
            Ok(index) => prop_assert!(index == whole.index, "other content without an error"),
            Err(error) => prop_assert!(error.to_string().contains(&*copy.path().to_string_lossy()), "{error}"),
        }
    }

    /// Beneath the checksums: anything may come, and is read or refused.
    #[test]
    fn any_text_is_read_or_refused(file in 1..3usize, damages in prop::collection::vec(damage(), 1..3)) {
        let Some(whole) = Whole::get() else { return Ok(()) };
        let name = Path::new("some.xml");
        let mut plain = whole.plain(file);
        for damage in &damages {
            if !plain.is_empty() {
                plain = damage.apply(&plain);
            }
        }
        let primary = whole.plain(1);
        let result = match file {
            1 => RepositoryIndex::from_repodata((name, &plain), None),
            _ => RepositoryIndex::from_repodata((name, &primary), Some((name, &plain))),
        };
        if let Err(error) = result {
            prop_assert!(error.to_string().contains("some.xml"), "{error}");
        }
    }

    /// A list that is cut short, or tells of a package less than it says, is no list.
    #[test]
    fn a_cut_text_is_refused(file in 1..3usize, end in 0..1_000_000usize) {
        let Some(whole) = Whole::get() else { return Ok(()) };
        let (name, primary) = (Path::new("some.xml"), whole.plain(1));
        let plain = whole.plain(file);
        let cut = &plain[..end % plain.trim_ascii_end().len()];
        let result = match file {
            1 => RepositoryIndex::from_repodata((name, cut), None),
            _ => RepositoryIndex::from_repodata((name, &primary), Some((name, cut))),
        };
        prop_assert!(result.is_err());
    }

    #[test]
    fn anything_is_no_repodata(bytes in prop::collection::vec(any::<u8>(), 0..300), magic in 0..4usize) {
        // What claims to be compressed goes through the decoders.
        let magic: &[u8] = [&b""[..], b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"][magic];
        let bytes = [magic, &bytes].concat();
        let name = Path::new("some.xml");
        prop_assert!(RepositoryIndex::from_repodata((name, &bytes), None).is_err());
        prop_assert!(Repomd::parse(name, &bytes).is_err());
    }
}
