//! The archive inside an RPM: cpio in the `newc` form, and rpm's stripped form (`07070X`) for large files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufRead, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::table::{Kind, Table};

/// Longer names are no names.
const LONGEST_NAME: usize = 1 << 16;

/// Takes the compression off a payload, told by its magic.
pub(super) fn decompress<'a>(mut input: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match input.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::Decoder::with_buffer(input)?),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(input)),
        [b'0', b'7', b'0', b'7', ..] => Box::new(input),
        [b'B', b'Z', b'h', ..] => {
            return Err(invalid("its payload is compressed with bzip2; gzip, zstd and xz are supported"));
        }
        // LZMA without a container has no magic; its usual first byte is that of the default settings.
        [0x5d, 0, 0, ..] => {
            return Err(invalid("its payload is compressed with lzma; gzip, zstd and xz are supported"));
        }
        _ => return Err(invalid("its payload is in no known form")),
    })
}

/// Reads an archive record by record.
pub(super) struct Archive<'a, R> {
    input: R,
    table: &'a Table,
    by_path: BTreeMap<&'a Path, usize>,
    /// Bytes read so far: records are aligned to 4.
    position: u64,
}

/// One record.
pub(super) struct Record {
    /// The file in the table.
    pub(super) index: usize,
    /// How many bytes of content follow; they must be read before the next record.
    pub(super) size: u64,
}

impl<'a, R: Read> Archive<'a, R> {
    pub(super) fn new(input: R, table: &'a Table) -> Self {
        let by_path = table.rows.iter().enumerate().map(|(index, row)| (row.path.as_path(), index)).collect();
        Self { input, table, by_path, position: 0 }
    }

    /// The next record; `None` at the trailer.
    pub(super) fn record(&mut self) -> io::Result<Option<Record>> {
        self.align()?;
        let mut magic = [0; 6];
        self.exact(&mut magic)?;
        match &magic {
            b"07070X" => {
                let index = self.number()? as usize;
                self.align()?;
                let size = self.stripped_size(index)?;
                Ok(Some(Record { index, size }))
            }
            b"070701" | b"070702" => {
                let mut numbers = [0; 13];
                for number in &mut numbers {
                    *number = self.number()?;
                }
                let (size, name_size) = (u64::from(numbers[6]), numbers[11] as usize);
                if name_size == 0 || name_size > LONGEST_NAME {
                    return Err(invalid("a name in its payload is too long"));
                }
                let mut name = vec![0; name_size];
                self.exact(&mut name)?;
                name.pop();
                self.align()?;
                if name == b"TRAILER!!!" {
                    return Ok(None);
                }
                let path = name.strip_prefix(b".").unwrap_or(&name);
                let path = path.strip_prefix(b"/").unwrap_or(if path.len() < name.len() { &name } else { path });
                let path = PathBuf::from(OsStr::from_bytes(path));
                let index = self.by_path.get(path.as_path()).copied();
                let index =
                    index.ok_or_else(|| invalid(format!("`{}` is in its payload but not listed", path.display())))?;
                Ok(Some(Record { index, size }))
            }
            _ => Err(invalid("its payload has no record where one should be")),
        }
    }

    /// Reads content of the current record.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }

    /// How much content a stripped record has: only the header tells.
    fn stripped_size(&self, index: usize) -> io::Result<u64> {
        let row = self.table.rows.get(index).ok_or_else(|| invalid("its payload has a file that is not listed"))?;
        let elsewhere = self.table.content_of.get(&index).is_some_and(|content| *content != index);
        Ok(match row.kind {
            Kind::Regular if !elsewhere => row.size,
            Kind::Symlink(_) => row.size,
            _ => 0,
        })
    }

    fn number(&mut self) -> io::Result<u32> {
        let mut digits = [0; 8];
        self.exact(&mut digits)?;
        let text = std::str::from_utf8(&digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        text.and_then(|text| u32::from_str_radix(text, 16).ok())
            .ok_or_else(|| invalid("a number in its payload is none"))
    }

    fn align(&mut self) -> io::Result<()> {
        let padding = (self.position.wrapping_neg() % 4) as usize;
        self.exact(&mut [0; 4][..padding])
    }

    fn exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.input.read_exact(buffer)?;
        self.position += buffer.len() as u64;
        Ok(())
    }
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}
