//! What goes between a session and the agent in its container, both ways: frames of a letter, a length and
//! that many bytes.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Usage;
use crate::linux::order::{Command, Report};

/// The length of a frame's head.
pub(super) const HEAD: usize = 5;
/// How much data goes into one frame.
pub(super) const CHUNK: usize = 64 * 1024;
/// No frame is longer than this.
const LONGEST: usize = 64 * 1024 * 1024;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the agent: an [`Order`].
    Order,
    /// To the agent: end what the order started.
    Stop,
    /// Data, either way. Data to the agent ends with a frame without any.
    Data,
    /// From the agent: an [`Answer`], the last frame of an order.
    End,
}

/// What the agent is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Run a command; its output comes as data.
    Run(Command),
    /// Send a directory as a tar stream.
    CopyOut {
        /// The directory.
        guest: PathBuf,
    },
    /// Unpack the tar stream that follows.
    CopyIn {
        /// The directory.
        guest: PathBuf,
    },
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    /// The result.
    pub(super) report: Report,
    /// Whether the kernel killed something for want of memory meanwhile.
    pub(super) out_of_memory: bool,
    /// What the container's processes have used since it was started.
    pub(super) usage: Usage,
}

/// A frame's head.
pub(super) fn head(kind: Kind, length: usize) -> io::Result<[u8; HEAD]> {
    let letter = match kind {
        Kind::Order => b'o',
        Kind::Stop => b's',
        Kind::Data => b'd',
        Kind::End => b'e',
    };
    let [a, b, c, d] = u32::try_from(length).map_err(io::Error::other)?.to_be_bytes();
    Ok([letter, a, b, c, d])
}

/// Kind and length from a frame's head.
pub(super) fn parse(head: [u8; HEAD]) -> io::Result<(Kind, usize)> {
    let [letter, a, b, c, d] = head;
    let kind = match letter {
        b'o' => Kind::Order,
        b's' => Kind::Stop,
        b'd' => Kind::Data,
        b'e' => Kind::End,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame begins with byte {letter}"))),
    };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(io::Error::other)?;
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame is {length} bytes long")));
    }
    Ok((kind, length))
}

/// Writes a frame.
pub(super) fn write(mut to: impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    to.write_all(&head(kind, payload.len())?)?;
    to.write_all(payload)
}

/// Reads a frame.
pub(super) fn read(mut from: impl Read) -> io::Result<(Kind, Vec<u8>)> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head)?;
    let (kind, length) = parse(head)?;
    let mut payload = vec![0; length];
    from.read_exact(&mut payload)?;
    Ok((kind, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written_and_anything_else_is_refused() {
        let mut stream = Vec::new();
        for (kind, payload) in [(Kind::Order, &b"abc"[..]), (Kind::Data, &[]), (Kind::End, &[0; 70_000])] {
            write(&mut stream, kind, payload).expect("it fits");
        }
        let mut from = stream.as_slice();
        assert_eq!(read(&mut from).ok(), Some((Kind::Order, b"abc".to_vec())));
        assert_eq!(read(&mut from).ok(), Some((Kind::Data, Vec::new())));
        assert_eq!(read(&mut from).ok().map(|(kind, payload)| (kind, payload.len())), Some((Kind::End, 70_000)));
        assert!(read(from).is_err());
        assert!(parse([b'x', 0, 0, 0, 0]).is_err());
        assert!(parse([b'd', 255, 0, 0, 0]).is_err());
    }
}
