//! Any three texts are versions, in one order: total, and the same as that of their hashes.
#![no_main]

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

use libfuzzer_sys::fuzz_target;
use rpmspec_parser::rpm::{Evr, compare_versions};

fn hash(evr: &Evr) -> u64 {
    let mut hasher = DefaultHasher::new();
    evr.hash(&mut hasher);
    hasher.finish()
}

fuzz_target!(|text: &str| {
    let mut texts = text.splitn(3, '\n');
    let [a, b, c] = [(); 3].map(|()| texts.next().unwrap_or_default());
    assert_eq!(compare_versions(a, a), Ordering::Equal);
    assert_eq!(compare_versions(a, b), compare_versions(b, a).reverse());
    let [left, middle, right] = [a, b, c].map(Evr::parse);
    assert_eq!(left.cmp(&middle), middle.cmp(&left).reverse());
    if left.cmp(&middle) == middle.cmp(&right) {
        assert_eq!(left.cmp(&right), left.cmp(&middle), "{left}, {middle}, {right}");
    }
    if left == middle {
        assert_eq!(hash(&left), hash(&middle), "{left} and {middle}");
    }
});
