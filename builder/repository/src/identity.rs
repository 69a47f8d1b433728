//! The identity of an RPM: a hash of what it means, equal for two builds of the same thing.
//!
//! It is the SHA-256 of the main header, tag by tag in the order of their numbers: number, type, count
//! and the value as it stands in the file. File contents come in by their digests, which the header
//! lists. These are left out or normalized, each because it differs between two builds of the same
//! thing, or says again in another way what is hashed already:
//!
//! | left out | why |
//! |---|---|
//! | lead and signature header | signatures and digests over everything else, the build time included |
//! | build time, build host, cookie | when and where it was built |
//! | source package id | a digest over the SRPM with its build time |
//! | rpm version | the tool, not the result |
//! | expanded spec of an SRPM | holds the paths of the build; the spec itself is among the SRPM's files |
//! | header region | offsets within the file |
//! | payload digests and sizes, archive size | follow from the files; differ with time stamps in the archive |
//! | file times | where nobody clamped them they are the build time; `SOURCE_DATE_EPOCH` fixes the rest |
//! | installed size, and the sizes of directories | sum of what is hashed; a directory's depends on the file system |
//! | device numbers | those of the build machine |
//! | inode numbers | only which files are hard links of one another counts |
//! | file classes | what libmagic thinks of contents that are hashed |
//! | file signatures | IMA and fs-verity: signing, like the signature header |
//!
//! Everything else counts, the changelog, the payload's compression and tags nobody knows included.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::header::hex;
use crate::raw_header::RawHeader;

/// Numbers of tags, from rpm's `rpmtag.h`.
mod tag {
    pub(super) const HEADER_IMAGE: u32 = 61;
    pub(super) const HEADER_IMMUTABLE: u32 = 63;
    pub(super) const BUILD_TIME: u32 = 1006;
    pub(super) const BUILD_HOST: u32 = 1007;
    pub(super) const SIZE: u32 = 1009;
    pub(super) const FILE_SIZES: u32 = 1028;
    pub(super) const FILE_MODES: u32 = 1030;
    pub(super) const FILE_TIMES: u32 = 1034;
    pub(super) const ARCHIVE_SIZE: u32 = 1046;
    pub(super) const RPM_VERSION: u32 = 1064;
    pub(super) const COOKIE: u32 = 1094;
    pub(super) const FILE_DEVICES: u32 = 1095;
    pub(super) const FILE_INODES: u32 = 1096;
    pub(super) const FILE_CLASS: u32 = 1141;
    pub(super) const CLASS_DICTIONARY: u32 = 1142;
    pub(super) const SOURCE_PACKAGE_ID: u32 = 1146;
    pub(super) const LONG_FILE_SIZES: u32 = 5008;
    pub(super) const LONG_SIZE: u32 = 5009;
    pub(super) const FILE_SIGNATURES: u32 = 5090;
    pub(super) const FILE_SIGNATURE_LENGTH: u32 = 5091;
    pub(super) const PAYLOAD_DIGEST: u32 = 5092;
    pub(super) const PAYLOAD_DIGEST_ALGORITHM: u32 = 5093;
    pub(super) const PAYLOAD_DIGEST_PLAIN: u32 = 5097;
    pub(super) const EXPANDED_SPEC: u32 = 5099;
    pub(super) const PAYLOAD_SIZE: u32 = 5112;
    pub(super) const PAYLOAD_SIZE_PLAIN: u32 = 5113;
    pub(super) const FILE_MIME_INDEX: u32 = 5115;
    pub(super) const MIME_DICTIONARY: u32 = 5116;
    pub(super) const PAYLOAD_SHA512: u32 = 5121;
    pub(super) const PAYLOAD_SHA3_256_PLAIN: u32 = 5124;
}

/// Changes when the rules of this module do, so that identities made by other rules never seem equal. (Leaving out
/// one more tag is no such change: the identities of packages that have it change, and no others.)
const RULES: &[u8] = b"rpm identity 1\n";

/// The identity of the RPM with this main header, in lower-case hexadecimal.
pub(crate) fn of_header(header: &RawHeader) -> String {
    let mut entries: Vec<_> = header.entries().filter(|(entry, _)| !is_left_out(entry.tag)).collect();
    entries.sort_by_key(|(entry, _)| entry.tag);
    let mut hash = Sha256::new();
    hash.update(RULES);
    for (entry, value) in entries {
        for number in [entry.tag, entry.kind, entry.count] {
            hash.update(number.to_be_bytes());
        }
        // The length of values made of strings is not their count.
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value);
    }
    add(&mut hash, b"sizes", &regular_sizes(header));
    add(&mut hash, b"links", &hard_links(header));
    hex(&hash.finalize())
}

fn add(hash: &mut Sha256, name: &[u8], numbers: &[u64]) {
    hash.update(name);
    hash.update((numbers.len() as u64).to_be_bytes());
    numbers.iter().for_each(|number| hash.update(number.to_be_bytes()));
}

fn is_left_out(number: u32) -> bool {
    matches!(
        number,
        tag::HEADER_IMAGE..=tag::HEADER_IMMUTABLE
            | tag::BUILD_TIME
            | tag::BUILD_HOST
            | tag::SIZE
            | tag::FILE_SIZES
            | tag::FILE_TIMES
            | tag::ARCHIVE_SIZE
            | tag::RPM_VERSION
            | tag::COOKIE
            | tag::FILE_DEVICES
            | tag::FILE_INODES
            | tag::FILE_CLASS
            | tag::CLASS_DICTIONARY
            | tag::SOURCE_PACKAGE_ID
            | tag::LONG_FILE_SIZES
            | tag::LONG_SIZE
            | tag::FILE_SIGNATURES
            | tag::FILE_SIGNATURE_LENGTH
            | tag::PAYLOAD_DIGEST
            | tag::PAYLOAD_DIGEST_ALGORITHM
            | tag::PAYLOAD_DIGEST_PLAIN
            | tag::EXPANDED_SPEC
            | tag::PAYLOAD_SIZE
            | tag::PAYLOAD_SIZE_PLAIN
            | tag::FILE_MIME_INDEX
            | tag::MIME_DICTIONARY
            | tag::PAYLOAD_SHA512..=tag::PAYLOAD_SHA3_256_PLAIN
    )
}

/// The sizes of the files, 0 for what is no regular file.
fn regular_sizes(header: &RawHeader) -> Vec<u64> {
    let mut sizes = header.numbers(tag::LONG_FILE_SIZES);
    if sizes.is_empty() {
        sizes = header.numbers(tag::FILE_SIZES);
    }
    let modes = header.numbers16(tag::FILE_MODES);
    sizes.iter().zip(modes).map(|(size, mode)| if mode & 0o170_000 == 0o100_000 { *size } else { 0 }).collect()
}

/// For each file the index of the first that is the same inode.
fn hard_links(header: &RawHeader) -> Vec<u64> {
    let devices = header.numbers(tag::FILE_DEVICES);
    let inodes = header.numbers(tag::FILE_INODES);
    let mut first = BTreeMap::new();
    (devices.into_iter().zip(inodes)).zip(0..).map(|(inode, index)| *first.entry(inode).or_insert(index)).collect()
}
