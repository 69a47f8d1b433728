//! What is asked of the packages of a spec, and by which format.

use rpmspec_parser::SourcePackage;

use crate::cli::EvalArgs;
use crate::error::CommandError;

use super::format::Format;
use super::tags::{BuildTags, Header};

/// A question.
pub(super) enum Query {
    /// `name-version-release.arch`, a line each.
    Names(Which),
    /// A format.
    Format(Which, Format),
    /// The format is wrong.
    Refused(CommandError),
}

/// Which packages are asked.
#[derive(Clone, Copy)]
pub(super) enum Which {
    /// All binary packages.
    Binary,
    /// The binary packages that a build gives.
    Built,
    /// The source package.
    Source,
}

impl Query {
    pub(super) fn of(arguments: &EvalArgs) -> Self {
        let mut which = match (arguments.srpm, arguments.builtrpms) {
            (true, _) => Which::Source,
            (_, true) => Which::Built,
            _ => Which::Binary,
        };
        let short = [
            (arguments.requires, "REQUIRE"),
            (arguments.provides, "PROVIDE"),
            (arguments.conflicts, "CONFLICT"),
            (arguments.obsoletes, "OBSOLETE"),
            (arguments.buildrequires, "REQUIRE"),
            (arguments.buildconflicts, "CONFLICT"),
        ];
        if arguments.buildrequires || arguments.buildconflicts {
            which = Which::Source;
        }
        let families = short.iter().filter(|(asked, _)| *asked);
        let short: String = families.map(|(_, family)| format!("[%{{{family}NEVRS}}\\n]")).collect();
        let format = match &arguments.queryformat {
            Some(format) => format,
            None if short.is_empty() => return Self::Names(which),
            None => &short,
        };
        match Format::parse(format) {
            Ok(format) => Self::Format(which, format),
            Err(error) => Self::Refused(
                CommandError::usage(format!("incorrect format `{format}`: {error}"))
                    .hint("`package-builder eval --querytags` lists the tags"),
            ),
        }
    }

    /// The answer of one spec.
    pub(super) fn ask(&self, source: &SourcePackage, tags: &BuildTags) -> Result<String, CommandError> {
        let (Self::Names(which) | Self::Format(which, _)) = self else { return Ok(String::new()) };
        let mut answer = String::new();
        for header in headers(*which, source, tags) {
            match self {
                Self::Format(_, format) => {
                    let filled = format.fill(&header).map_err(|error| {
                        CommandError::usage(format!("incorrect format: {error}"))
                            .hint("put `=` before a tag in `[ ]` that is the same for every element: `%{=NAME}`")
                    })?;
                    answer.push_str(&filled);
                }
                _ => answer.push_str(&header.line()),
            }
        }
        Ok(answer)
    }
}

fn headers<'a>(which: Which, source: &'a SourcePackage, tags: &'a BuildTags) -> Vec<Header<'a>> {
    let binary = |package| Header::binary(source, package, tags);
    match which {
        Which::Source => Header::source(source, tags).into_iter().collect(),
        Which::Built => source.packages.iter().filter(|package| package.files.is_some()).map(binary).collect(),
        Which::Binary => source.packages.iter().map(binary).collect(),
    }
}
