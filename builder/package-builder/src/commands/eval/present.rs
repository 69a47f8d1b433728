//! The `:format` behind a tag: how one value is shown.

use rpmspec_parser::spec::Qualifier;

use super::tags::Item;

/// How a value is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Presentation {
    /// As it is.
    #[default]
    String,
    ArraySize,
    Date,
    Day,
    DependencyFlags,
    DependencyType,
    Hex,
    Octal,
    Shell,
    SiUnits,
    IecUnits,
}

/// The formats by name.
const NAMES: [(&str, Presentation); 11] = [
    ("string", Presentation::String),
    ("arraysize", Presentation::ArraySize),
    ("date", Presentation::Date),
    ("day", Presentation::Day),
    ("depflags", Presentation::DependencyFlags),
    ("deptype", Presentation::DependencyType),
    ("hex", Presentation::Hex),
    ("octal", Presentation::Octal),
    ("shescape", Presentation::Shell),
    ("humansi", Presentation::SiUnits),
    ("humaniec", Presentation::IecUnits),
];

/// rpm's formats that show what a spec does not have: files, signatures, blobs.
const OTHERS: [&str; 17] = [
    "armor",
    "base64",
    "expand",
    "fflags",
    "fstate",
    "fstatus",
    "hashalgo",
    "json",
    "perms",
    "permissions",
    "pgpsig",
    "tagname",
    "tagnum",
    "triggertype",
    "utf8",
    "vflags",
    "xml",
];

impl Presentation {
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        if let Some((_, found)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*found);
        }
        let supported: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
        let supported = supported.join(", ");
        if OTHERS.contains(&name) {
            return Err(format!("the format `:{name}` is not supported for what a spec says; there are {supported}"));
        }
        Err(format!("unknown format `:{name}`; there are {supported}"))
    }

    pub(super) fn show(self, item: &Item, count: usize) -> Result<String, String> {
        let number = match (self, item) {
            (Self::ArraySize, _) => return Ok(count.to_string()),
            (Self::String, Item::Text(text)) => return Ok(text.clone()),
            (Self::Shell, Item::Text(text)) => return Ok(format!("'{}'", text.replace('\'', "'\\''"))),
            (_, Item::Text(_)) => return Ok("(not a number)".to_owned()),
            (_, Item::Number(number)) => *number,
        };
        Ok(match self {
            Self::Hex => format!("{number:x}"),
            Self::Octal => format!("{number:o}"),
            Self::Date => time(number, "%a %b %e %H:%M:%S %Y")?,
            Self::Day => time(number, "%a %b %d %Y")?,
            Self::DependencyFlags => relation(number),
            Self::DependencyType => types(number),
            Self::SiUnits => units(number, 1000),
            Self::IecUnits => units(number, 1024),
            Self::String | Self::ArraySize | Self::Shell => number.to_string(),
        })
    }
}

/// A time in UTC: where a query is made has no part in its answer.
fn time(seconds: i64, format: &str) -> Result<String, String> {
    let time = jiff::Timestamp::from_second(seconds).map_err(|error| error.to_string())?;
    Ok(time.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string())
}

fn relation(flags: i64) -> String {
    [(2, '<'), (4, '>'), (8, '=')].iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| *letter).collect()
}

fn types(flags: i64) -> String {
    let has = |qualifier: Qualifier| flags & i64::from(qualifier.bit()) != 0;
    let names = [
        (Qualifier::Pre, "pre"),
        (Qualifier::Post, "post"),
        (Qualifier::Preun, "preun"),
        (Qualifier::Postun, "postun"),
        (Qualifier::Verify, "verify"),
        (Qualifier::Interp, "interp"),
        (Qualifier::Rpmlib, "rpmlib"),
        (Qualifier::Pretrans, "pretrans"),
        (Qualifier::Posttrans, "posttrans"),
        (Qualifier::Prereq, "prereq"),
        (Qualifier::Meta, "meta"),
    ];
    let names: Vec<_> = names.iter().filter(|(qualifier, _)| has(*qualifier)).map(|(_, name)| *name).collect();
    if names.is_empty() { "manual".to_owned() } else { names.join(",") }
}

fn units(number: i64, base: i64) -> String {
    let mut whole = number;
    let mut rest = 0;
    let mut letters = "KMGTPE".chars();
    let mut letter = None;
    while whole.abs() >= base {
        rest = whole % base;
        whole /= base;
        letter = letters.next();
    }
    let tenth = rest.abs() * 10 / base;
    let letter = letter.map(String::from).unwrap_or_default();
    if whole.abs() < 10 { format!("{whole}.{tenth}{letter}") } else { format!("{whole}{letter}") }
}
