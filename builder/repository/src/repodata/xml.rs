//! Walks an XML file element by element; whatever is wrong with it is an error with its name.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::error::RepositoryError;

/// No repodata is larger than this, compressed or not; a file that claims to be is a trap.
const LARGEST: u64 = 4 << 30;

/// Takes the compression off, told by its magic: gzip, zstd, xz or none. The result is UTF-8.
pub(crate) fn decompress(name: &Path, bytes: &[u8]) -> Result<String, RepositoryError> {
    let mut text = String::new();
    let result = match bytes {
        [0x1f, 0x8b, ..] => flate2::read::MultiGzDecoder::new(bytes).take(LARGEST).read_to_string(&mut text),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            zstd::stream::Decoder::new(bytes).and_then(|decoder| decoder.take(LARGEST).read_to_string(&mut text))
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            liblzma::read::XzDecoder::new_multi_decoder(bytes).take(LARGEST).read_to_string(&mut text)
        }
        [b'B', b'Z', b'h', ..] => {
            return Err(RepositoryError::bad_repodata(name, "bzip2 is not supported; gzip, zstd and xz are"));
        }
        plain if starts_like_xml(plain) => plain.take(LARGEST).read_to_string(&mut text),
        [] => return Err(RepositoryError::bad_repodata(name, "it is empty")),
        _ => {
            let reason = "it is neither XML nor compressed in a known way; gzip, zstd and xz are supported";
            return Err(RepositoryError::bad_repodata(name, reason));
        }
    };
    match result {
        Ok(_) if text.len() as u64 == LARGEST => Err(RepositoryError::bad_repodata(name, "it is larger than 4 GiB")),
        Ok(_) => Ok(text),
        Err(error) => Err(RepositoryError::bad_repodata(name, &error)),
    }
}

/// Whether the first byte after blanks and a byte order mark opens a tag.
fn starts_like_xml(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// The elements of one file, in order.
pub(crate) struct Document<'a> {
    name: &'a Path,
    reader: Reader<&'a [u8]>,
    depth: usize,
}

/// A step through the file.
pub(crate) enum Step<'a> {
    /// An element opens.
    Open(Element<'a>),
    /// An element closes; the name without its prefix.
    Close(String),
}

/// An opened element.
pub(crate) struct Element<'a> {
    start: BytesStart<'a>,
}

impl<'a> Document<'a> {
    /// Starts at the beginning of the text; `name` is for errors.
    pub(crate) fn new(name: &'a Path, text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Self { name, reader, depth: 0 }
    }

    /// An error at this file.
    pub(crate) fn error(&self, reason: &(impl ToString + ?Sized)) -> RepositoryError {
        let reason = format!("{} (at byte {})", reason.to_string(), self.reader.buffer_position());
        RepositoryError::bad_repodata(self.name, &reason)
    }

    /// The next opening or closing tag; `None` at the regular end.
    pub(crate) fn step(&mut self) -> Result<Option<Step<'a>>, RepositoryError> {
        loop {
            match self.reader.read_event() {
                Ok(Event::Start(start)) => {
                    self.depth += 1;
                    return Ok(Some(Step::Open(Element { start })));
                }
                Ok(Event::End(end)) => {
                    // The reader itself refuses a tag that closes what is not open.
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Some(Step::Close(end.local_name().as_ref().to_owned())));
                }
                Ok(Event::Eof) if self.depth == 0 => return Ok(None),
                Ok(Event::Eof) => return Err(self.error("it ends within an element")),
                Ok(_) => {}
                Err(error) => return Err(self.error(&error)),
            }
        }
    }

    /// The text of an element that was just opened, up to its end.
    pub(crate) fn text(&mut self, element: &Element<'_>) -> Result<String, RepositoryError> {
        let text = self.reader.read_text(element.start.name()).map_err(|error| self.error(&error))?;
        self.depth = self.depth.saturating_sub(1);
        let content = text.xml_content(XmlVersion::Implicit1_0);
        let text = quick_xml::escape::unescape(&content).map_err(|error| self.error(&error))?;
        Ok(text.into_owned())
    }

    /// An attribute that must be there.
    pub(crate) fn required(&self, element: &Element<'_>, attribute: &str) -> Result<String, RepositoryError> {
        let missing = || self.error(&format!("`{}` has no `{attribute}`", element.name()));
        self.attribute(element, attribute)?.ok_or_else(missing)
    }

    /// An attribute that may be there.
    pub(crate) fn attribute(&self, element: &Element<'_>, name: &str) -> Result<Option<String>, RepositoryError> {
        let found = element.start.try_get_attribute(name).map_err(|error| self.error(&error))?;
        let Some(attribute) = found else { return Ok(None) };
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| self.error(&error))?;
        Ok(Some(Cow::into_owned(value)))
    }

    /// A number, or an error that names what it should have been.
    pub(crate) fn number(&self, text: &str, what: &str) -> Result<u64, RepositoryError> {
        text.trim().parse().map_err(|_| self.error(&format!("`{text}` is no {what}")))
    }
}

impl Element<'_> {
    /// Its name, without the prefix of a name space.
    pub(crate) fn name(&self) -> &str {
        self.start.local_name().into_inner()
    }
}
