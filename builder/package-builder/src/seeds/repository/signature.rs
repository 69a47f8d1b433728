//! Whether a `repomd.xml` was signed by the key of the settings, as `gpgv` judges it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// Why a signature does not count.
#[derive(Debug)]
pub(super) enum SignatureError {
    /// There is no `gpgv`.
    NoProgram,
    /// It is not good, with the reason.
    Bad(String),
}

/// Checks `signature` over `content` against the public keys in `key` (armored or not), in files below `scratch`.
/// Gives the fingerprint of the key that signed.
pub(super) fn verify(key: &[u8], content: &[u8], signature: &[u8], scratch: &Path) -> Result<String, SignatureError> {
    let keyring = dearmored(key).map_err(SignatureError::Bad)?;
    let files = [("keyring.gpg", keyring.as_slice()), ("signature", signature), ("content", content)];
    for (name, bytes) in files {
        fs::write(scratch.join(name), bytes).map_err(|error| SignatureError::Bad(format!("{name}: {error}")))?;
    }
    // Its own home, so that no setting or key of the user has a say.
    let mut command = Command::new("gpgv");
    command.arg("--homedir").arg(scratch).args(["--keyring", "./keyring.gpg", "--status-fd", "1"]);
    command.args(["signature", "content"]).current_dir(scratch).env("LC_ALL", "C").stdin(Stdio::null());
    let output = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => SignatureError::NoProgram,
        _ => SignatureError::Bad(format!("`gpgv` cannot be run: {error}")),
    })?;
    let status = String::from_utf8_lossy(&output.stdout).into_owned();
    judge(output.status.success(), &status).map_err(|reason| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let said: Vec<&str> = said.lines().map(|line| line.trim_start_matches("gpgv:").trim()).collect();
        SignatureError::Bad(reason.unwrap_or_else(|| said.join("; ")))
    })
}

/// Reads the status lines (`doc/DETAILS` of GnuPG): one good and valid signature of a key that has not expired.
fn judge(success: bool, status: &str) -> Result<String, Option<String>> {
    let lines = || status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] "));
    let word = |keyword: &str| lines().find_map(|line| line.strip_prefix(keyword)?.split_whitespace().next());
    for (keyword, reason) in [
        ("BADSIG ", "the file was changed after it was signed, by key"),
        ("NO_PUBKEY ", "it is signed by another key,"),
        ("EXPKEYSIG ", "it is signed by a key that has expired since,"),
        ("REVKEYSIG ", "it is signed by a key that was revoked,"),
        ("EXPSIG ", "the signature has expired, by key"),
    ] {
        if let Some(key) = word(keyword) {
            return Err(Some(format!("{reason} {key}")));
        }
    }
    match (word("VALIDSIG "), word("GOODSIG ")) {
        (Some(fingerprint), Some(_)) if success => Ok(fingerprint.to_owned()),
        _ => Err(None),
    }
}

/// The keys as `gpgv` reads them: every armored block (RFC 4880, 6.2) decoded, one after the other.
fn dearmored(key: &[u8]) -> Result<Vec<u8>, String> {
    let is_armored = key.windows(5).any(|window| window == b"-----");
    let text = match std::str::from_utf8(key) {
        Ok(text) if is_armored => text,
        _ if key.is_empty() => return Err("the key file is empty".to_owned()),
        _ => return Ok(key.to_vec()),
    };
    let mut bytes = Vec::new();
    let mut block: Option<(bool, String)> = None;
    for line in text.lines().map(str::trim) {
        match &mut block {
            None if line == "-----BEGIN PGP PUBLIC KEY BLOCK-----" => block = Some((false, String::new())),
            None => {}
            Some(_) if line.starts_with("-----END") => {
                let (_, encoded) = block.take().unwrap_or_default();
                bytes.extend(base64_decoded(&encoded).ok_or("a block of the key file is no base64")?);
            }
            // The headers end at an empty line; the checksum is of no use to `gpgv`.
            Some((in_body, _)) if !*in_body => *in_body = line.is_empty(),
            Some((_, encoded)) if !line.starts_with('=') => encoded.push_str(line),
            Some(_) => {}
        }
    }
    if bytes.is_empty() {
        return Err("the key file holds no public key".to_owned());
    }
    Ok(bytes)
}

fn base64_decoded(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armor_is_taken_off() {
        let block = |body: &str| {
            format!(
                "-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: 1\n\n{body}\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"
            )
        };
        // RFC 4648, 10.
        let two = format!("{}some text\n{}", block("Zm9vYm\nFy"), block("Zm9vYg=="));
        assert_eq!(dearmored(two.as_bytes()), Ok(b"foobarfoob".to_vec()));
        assert_eq!(dearmored(b"\x99\x01binary"), Ok(b"\x99\x01binary".to_vec()));
        assert!(dearmored(block("Zm9v!").as_bytes()).is_err());
        assert!(dearmored(b"-----BEGIN CERTIFICATE-----\n\nZm9v\n-----END CERTIFICATE-----\n").is_err());
        assert!(dearmored(b"").is_err());
    }

    #[test]
    fn only_a_good_signature_counts() {
        let good = "[GNUPG:] GOODSIG 0123 x\n[GNUPG:] VALIDSIG ABCD 2026-01-01 0\n";
        assert_eq!(judge(true, good), Ok("ABCD".to_owned()));
        assert_eq!(judge(false, good), Err(None));
        assert_eq!(judge(true, ""), Err(None));
        let two = format!("{good}[GNUPG:] BADSIG 4567 y\n");
        assert!(judge(true, &two).is_err_and(|reason| reason.is_some_and(|reason| reason.contains("4567"))));
        let expired = "[GNUPG:] EXPKEYSIG 0123 x\n[GNUPG:] VALIDSIG ABCD 2026-01-01 0\n";
        assert!(judge(true, expired).is_err_and(|reason| reason.is_some_and(|reason| reason.contains("expired"))));
    }
}
