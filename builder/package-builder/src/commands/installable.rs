//! `installable`: whether what is published can be installed from the repository alone.

use std::collections::BTreeSet;

use planner::queries::{UnknownName, installable};
use repository::{Generations, RpmFile};
use rpmspec_parser::rpm::PackageMetadata;

use crate::cli::InstallableArgs;
use crate::config::Settings;
use crate::error::{CommandError, ErrorKind};
use crate::host::Layout;

pub(super) fn run(settings: &Settings, arguments: &InstallableArgs) -> Result<(), CommandError> {
    let names = &arguments.targets.names;
    if names.is_empty() && !arguments.targets.all {
        return Err(CommandError::usage("no package is named").hint("name published packages, or say `--all`"));
    }
    let layout = Layout::new(&settings.output);
    let nothing = || {
        CommandError::usage(format!("nothing is published in `{}`", layout.repository().display()))
            .hint("build something first: `package-builder build NAME`")
    };
    // Asking makes no output folder.
    if !layout.repository().exists() {
        return Err(nothing());
    }
    let generations =
        Generations::open(layout.root()).map_err(|error| CommandError::infrastructure(error.to_string()))?;
    let generation = generations.current().ok_or_else(nothing)?;
    let rpms: Vec<&RpmFile> = generation.packages().iter().filter(|rpm| !rpm.is_source).collect();
    let asked = if names.is_empty() { None } else { Some(places(&rpms, names)?) };
    let packages = rpms.iter().map(|rpm| PackageMetadata::clone(&rpm.metadata)).collect();
    let answer = installable(packages, &settings.file.distribution.architecture, asked.as_ref());
    if arguments.json {
        super::print_json(&answer)?;
    } else {
        super::print_data(answer.to_string().as_bytes())?;
    }
    match answer.broken.len() {
        0 => Ok(()),
        count => Err(CommandError::new(ErrorKind::No, format!("{count} of the packages cannot be installed"))),
    }
}

/// The places of the packages that names mean: packages, and all of a source package.
fn places(rpms: &[&RpmFile], names: &[String]) -> Result<BTreeSet<usize>, CommandError> {
    let mut places = BTreeSet::new();
    for name in names {
        let is_meant =
            |rpm: &RpmFile| rpm.metadata.nevra.name == *name || (!rpm.is_seed && rpm.source_package() == name);
        let found: Vec<_> = (0..rpms.len()).filter(|place| is_meant(rpms[*place])).collect();
        if found.is_empty() {
            let known = rpms.iter().flat_map(|rpm| [&*rpm.metadata.nevra.name, rpm.source_package()]);
            let unknown = UnknownName::new(name, "the repository", known);
            return Err(
                CommandError::usage(unknown.to_string()).hint("`package-builder plan` tells what is to be built")
            );
        }
        places.extend(found);
    }
    Ok(places)
}
