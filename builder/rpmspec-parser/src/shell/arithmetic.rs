//! The sums of `$((…))`: decimal numbers, `+ - * / %` and parentheses.

/// Deeper parentheses are left to a shell.
const DEEPEST: u32 = 32;

/// The value of an expression; `None` where it is no plain sum, or does not fit.
pub(super) fn evaluate(text: &str) -> Option<i64> {
    // Those are other operators.
    if ["++", "--", "**"].iter().any(|operator| text.contains(operator)) {
        return None;
    }
    let mut sum = Sum { bytes: text.as_bytes(), at: 0, depth: 0 };
    let value = sum.terms()?;
    sum.next().is_none().then_some(value)
}

struct Sum<'text> {
    bytes: &'text [u8],
    at: usize,
    depth: u32,
}

impl Sum<'_> {
    /// The next byte that is no blank.
    fn next(&mut self) -> Option<u8> {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn terms(&mut self) -> Option<i64> {
        let mut value = self.factors()?;
        while let Some(operator @ (b'+' | b'-')) = self.next() {
            self.at += 1;
            let other = self.factors()?;
            value = if operator == b'+' { value.checked_add(other) } else { value.checked_sub(other) }?;
        }
        Some(value)
    }

    fn factors(&mut self) -> Option<i64> {
        let mut value = self.operand()?;
        while let Some(operator @ (b'*' | b'/' | b'%')) = self.next() {
            self.at += 1;
            let other = self.operand()?;
            value = match operator {
                b'*' => value.checked_mul(other),
                b'/' => value.checked_div(other),
                _ => value.checked_rem(other),
            }?;
        }
        Some(value)
    }

    fn operand(&mut self) -> Option<i64> {
        self.depth += 1;
        let value = match self.next()? {
            _ if self.depth > DEEPEST => None,
            b'-' => {
                self.at += 1;
                self.operand()?.checked_neg()
            }
            b'(' => {
                self.at += 1;
                let value = self.terms()?;
                let closed = self.next() == Some(b')');
                self.at += 1;
                closed.then_some(value)
            }
            b'0'..=b'9' => {
                let length = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let digits = std::str::from_utf8(&self.bytes[self.at..self.at + length]).ok()?;
                self.at += length;
                // A leading zero means octal.
                if length > 1 && digits.starts_with('0') { None } else { digits.parse().ok() }
            }
            _ => None,
        };
        self.depth -= 1;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn sums_have_bashs_values() {
        for (text, value) in [
            ("1 + 2 * 3", Some(7)),
            ("(1+2)*3", Some(9)),
            ("-7 / 2", Some(-3)),
            ("-7 % 3", Some(-1)),
            ("1 - -1", Some(2)),
            ("1--1", None),
            ("010", None),
            ("1/0", None),
            ("1 2", None),
            ("", None),
            ("9223372036854775807 + 1", None),
        ] {
            assert_eq!(evaluate(text), value, "{text}");
        }
    }
}
