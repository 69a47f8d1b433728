//! A quick hash for names of macros, seeded by chance, so that no spec knows which names collide.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

/// One chance a process.
static CHANCE: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u64) | 1);

/// Odd, with about half of its bits set.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Makes the hashers of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(*CHANCE)
    }
}

/// The state of one hash.
#[derive(Debug)]
pub(super) struct NameHasher(u64);

impl BuildHasher for Seed {
    type Hasher = NameHasher;

    fn build_hasher(&self) -> NameHasher {
        NameHasher(self.0)
    }
}

impl NameHasher {
    /// Multiplies to twice the width and folds the halves: each bit of the word moves many of the result.
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR ^ (*CHANCE << 1));
        let bytes = product.to_le_bytes();
        self.0 = word_of(&bytes[..8]) ^ word_of(&bytes[8..]);
    }
}

/// Up to eight bytes as a number.
fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let length = bytes.len().min(8);
    word[..length].copy_from_slice(&bytes[..length]);
    u64::from_le_bytes(word)
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            self.mix(word_of(chunk));
        }
        self.0 = self.0.wrapping_add(bytes.len() as u64);
    }

    fn write_u8(&mut self, byte: u8) {
        // What ends a text.
        self.0 = self.0.rotate_left(5) ^ u64::from(byte);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_spread() {
        let seed = Seed::default();
        let names = (0..4096_u32).map(|number| format!("name_{number}"));
        let hashes: Vec<u64> = names.map(|name| seed.hash_one(name.as_str())).collect();
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), 4096);
        // Both the bits that choose a bucket and those that are compared first.
        let low: BTreeSet<_> = hashes.iter().map(|hash| hash & 1023).collect();
        let high: BTreeSet<_> = hashes.iter().map(|hash| hash >> 57).collect();
        assert!(low.len() > 950 && high.len() == 128, "{} and {}", low.len(), high.len());
    }
}
