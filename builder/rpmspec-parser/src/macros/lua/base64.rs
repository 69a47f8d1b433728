//! Base64 as rpm writes and reads it.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Characters of a line where the caller does not say.
const LINE: usize = 64;

/// Encodes bytes in lines of a length, 64 if none is given; 0 makes one line without an end.
pub(super) fn encode(data: &[u8], line: Option<usize>) -> String {
    let groups = line.unwrap_or(LINE) / 4;
    let mut text = String::new();
    let lines = if groups == 0 { data.chunks(usize::MAX) } else { data.chunks(groups * 3) };
    for line in lines {
        for chunk in line.chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for index in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * index) & 63) as usize];
                text.push(if index <= chunk.len() { char::from(letter) } else { '=' });
            }
        }
        if groups > 0 {
            text.push('\n');
        }
    }
    text
}

/// Decodes; white space does not count. `None` for what is no base64.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    let mut bits = 0_u32;
    let mut count = 0;
    let mut padding = 0;
    for &byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        if byte == b'=' {
            padding += 1;
            continue;
        }
        let value = LETTERS.iter().position(|letter| *letter == byte).filter(|_| padding == 0)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 1;
        if count % 4 == 0 {
            data.extend_from_slice(&bits.to_be_bytes()[1..]);
            bits = 0;
        }
    }
    match (count % 4, padding) {
        (0, 0) => {}
        (2, 2) => data.push((bits >> 4) as u8),
        (3, 1) => data.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]),
        _ => return None,
    }
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_and_decoding_agree() {
        assert_eq!(encode(b"foobar", Some(0)), "Zm9vYmFy");
        assert_eq!(encode(b"fooba", None), "Zm9vYmE=\n");
        assert_eq!(encode(b"foobar", Some(4)), "Zm9v\nYmFy\n");
        for data in [&b""[..], b"a", b"ab", b"abc", b"\0\xff\x10\x80"] {
            assert_eq!(decode(encode(data, None).as_bytes()).as_deref(), Some(data));
        }
        assert_eq!(decode(b"Zm9"), None);
        assert_eq!(decode(b"Zm9$"), None);
    }
}
