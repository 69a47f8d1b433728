//! Damaged files are errors that name the file, never a panic, never endless.

use std::fs;
use std::path::Path;

use repository::{Repomd, RepositoryIndex, read_rpm, unpack, write_repodata};

use crate::fixtures::{fixtures, has, named};

/// A sequence of numbers that looks random and is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    /// A copy with something broken: bytes changed, something cut out, or the end missing.
    fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match self.below(4) {
            0 => bytes.truncate(self.below(bytes.len())),
            1 => {
                let start = self.below(bytes.len());
                let end = (start + 1 + self.below(16)).min(bytes.len());
                bytes.drain(start..end);
            }
            _ => {
                for _ in 0..=self.below(4) {
                    let at = self.below(bytes.len());
                    bytes[at] = [0, 0xff, 0x7f, 0x80, bytes[at] ^ 1, self.below(256) as u8][self.below(6)];
                }
            }
        }
        bytes
    }
}

#[test]
fn damaged_rpms_are_errors() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.rpm");
    let mut numbers = Numbers(1);
    let (mut read, mut unpacked) = (0, 0);
    for name in ["alpha-1.0", "alpha-tools", "beta-1.0-1.src"] {
        let whole = fs::read(named(fixtures(), name)).unwrap();
        // Most of the damage goes where the structure is.
        for round in 0..400 {
            let header = whole.len().min(if round % 4 == 0 { whole.len() } else { 3000 });
            let mut bytes = numbers.damage(&whole[..header]);
            bytes.extend(&whole[header..]);
            fs::write(&path, &bytes).unwrap();
            match read_rpm(&path) {
                Ok(_) => read += 1,
                Err(error) => assert!(error.to_string().contains("damaged.rpm"), "{error}"),
            }
            let root = directory.path().join("root");
            match unpack(&path, &root) {
                Ok(_) => unpacked += 1,
                Err(error) => assert!(error.to_string().contains("damaged.rpm"), "{error}"),
            }
            let _ = fs::remove_dir_all(&root);
            // Whatever can be read can be published, or is refused.
            let _ = write_repodata(directory.path());
        }
    }
    assert!(read > 0 && unpacked > 0 && read < 1200 && unpacked < 1200, "{read} {unpacked}");
}

#[test]
fn damaged_repodata_is_an_error() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for rpm in fixtures() {
        fs::hard_link(rpm, directory.path().join(rpm.file_name().unwrap())).unwrap();
    }
    write_repodata(directory.path()).unwrap();
    let name = directory.path().join("repodata/repomd.xml");
    let repomd = fs::read(&name).unwrap();
    let parsed = Repomd::parse(&name, &repomd).unwrap();
    let plain = |kind: &str| {
        let bytes = fs::read(directory.path().join(&parsed.records[kind].location)).unwrap();
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&bytes[..]), &mut plain).unwrap();
        plain
    };
    let (primary, filelists) = (plain("primary"), plain("filelists"));
    let whole = RepositoryIndex::from_repodata((&name, &primary), Some((&name, &filelists))).unwrap();
    assert_eq!(whole, RepositoryIndex::load_directory(directory.path()).unwrap());
    let mut numbers = Numbers(2);
    let mut errors = 0;
    for _ in 0..1000 {
        let results = [
            Repomd::parse(&name, &numbers.damage(&repomd)).err(),
            RepositoryIndex::from_repodata((&name, &numbers.damage(&primary)), None).err(),
            RepositoryIndex::from_repodata((&name, &primary), Some((&name, &numbers.damage(&filelists)))).err(),
        ];
        for error in results.into_iter().flatten() {
            assert!(error.to_string().contains("repomd.xml"), "{error}");
            errors += 1;
        }
    }
    assert!(errors > 1000, "{errors}");

    // Cut anywhere before the end of its last element, it is an error, and does not go on for ever.
    let whole_length = primary.trim_ascii_end().len();
    assert_eq!(RepositoryIndex::from_repodata((&name, &primary[..whole_length]), None).unwrap().packages.len(), 8);
    for end in (0..whole_length).step_by(7).chain([whole_length - 1]) {
        assert!(RepositoryIndex::from_repodata((&name, &primary[..end]), None).is_err(), "{end}");
    }
    // A file that is whole but not the one that was meant.
    let path = directory.path().join(&parsed.records["primary"].location);
    fs::write(&path, &primary).unwrap();
    assert!(RepositoryIndex::load_directory(directory.path()).is_err());
}

#[test]
fn other_compressions_are_read() {
    let primary = br#"<?xml version="1.0"?><metadata packages="1"><package type="rpm"><name>a</name><arch>noarch</arch>
        <version epoch="1" ver="2" rel="3"/><checksum type="sha256" pkgid="YES">0000000000000000000000000000000000000000000000000000000000000000</checksum>
        <size package="7" installed="1" archive="1"/><location href="a.rpm"/><format/></package></metadata>"#;
    let name = Path::new("primary.xml");
    let plain = RepositoryIndex::from_repodata((name, primary), None).unwrap();
    assert_eq!(plain.packages[0].metadata.nevra.to_string(), "a-1:2-3.noarch");
    assert_eq!((plain.packages[0].location.as_str(), plain.packages[0].size), ("a.rpm", 7));
    let zstd = zstd::stream::encode_all(&primary[..], 1).unwrap();
    let mut xz = Vec::new();
    std::io::Read::read_to_end(&mut liblzma::read::XzEncoder::new(&primary[..], 1), &mut xz).unwrap();
    for compressed in [zstd, xz] {
        assert_eq!(RepositoryIndex::from_repodata((name, &compressed), None).unwrap(), plain);
        assert!(RepositoryIndex::from_repodata((name, &compressed[..compressed.len() - 5]), None).is_err());
    }
    for (from, to) in
        [("sha256", "sha"), ("a.rpm", "../a.rpm"), ("a.rpm", "/a.rpm"), ("package=\"7\"", "package=\"x\"")]
    {
        let text = std::str::from_utf8(primary).unwrap().replace(from, to);
        assert!(RepositoryIndex::from_repodata((name, text.as_bytes()), None).is_err(), "{to}");
    }
}
