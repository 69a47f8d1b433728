//! What a pattern may cost: Lua matches by going back and trying again, inside one instruction.

/// An upper bound of the steps that matching takes, in instructions: each unbounded repetition may try every
/// length, and a pattern that is not anchored every start.
pub(super) fn cost(length: u64, pattern: &[u8]) -> u64 {
    let starts = u32::from(pattern.first() != Some(&b'^'));
    let mut repetitions = 0_u32;
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                bytes.next();
            }
            b'*' | b'+' | b'-' => repetitions = repetitions.saturating_add(1),
            _ => {}
        }
    }
    // One repetition per start is what nearly all patterns have; it is linear in practice.
    let power = (repetitions + starts).saturating_sub(1).max(1);
    length.max(1).saturating_pow(power) / 1000
}

#[cfg(test)]
mod tests {
    use super::cost;

    #[test]
    fn only_hostile_patterns_are_dear() {
        assert!(cost(1_000, b"^.-.-.-.-.-b$") > 200_000_000);
        assert!(cost(100, b"^(%d+)%.(%d+)%.(%d+)") < 10_000_000);
    }
}
