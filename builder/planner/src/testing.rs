//! Small universes for tests, written as lines: `Tag: value`, one value a line.

use rpmspec_parser::Place;
use rpmspec_parser::rpm::{Capability, Dependency, Evr, Nevra, PackageMetadata};
use rpmspec_parser::spec::{BinaryPackage, Located, SourcePackage};

use crate::universe::Variant;
use crate::{BuildGraph, Explanation, SeedPackage, TreePackage, Universe, resolve};

pub(crate) fn dependency(text: &str) -> Dependency {
    Dependency::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn capability(text: &str) -> Capability {
    match dependency(text) {
        Dependency::Capability(capability) => capability,
        Dependency::Rich(_) => panic!("{text} is no capability"),
    }
}

/// A spec, `NAME VERSION-RELEASE` and its lines. `Package: NAME` begins a subpackage; a line's number, from 1, is its
/// place. Packages are built unless they have the line `Unbuilt:`.
pub(crate) fn spec(nevr: &str, lines: &[&str]) -> TreePackage {
    let (name, evr) = nevr.split_once(' ').unwrap_or((nevr, "1-1"));
    let evr = Evr::parse(evr);
    let path = format!("SPECS/{name}/{name}.spec");
    let binary = |name: &str| BinaryPackage {
        name: name.to_owned(),
        epoch: evr.epoch,
        version: evr.version.clone(),
        release: evr.release.clone(),
        arch: "x86_64".to_owned(),
        files: Some(Vec::new()),
        ..BinaryPackage::default()
    };
    let mut source = SourcePackage {
        name: name.to_owned(),
        epoch: evr.epoch,
        version: evr.version.clone(),
        release: evr.release.clone(),
        packages: vec![binary(name)],
        ..SourcePackage::default()
    };
    let mut generated = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let (tag, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        let line = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let place = Some(Place { file: path.as_str().into(), line, column: 1 });
        let package = source.packages.last_mut().unwrap_or_else(|| panic!("no package"));
        match tag {
            "BuildRequires" => source.build_requires.push(Located::new(dependency(value), place)),
            "Generated" => generated.push(Located::new(dependency(value), place)),
            "BuildConflicts" => source.build_conflicts.push(Located::new(dependency(value), place)),
            "ExclusiveArch" => source.exclusive_archs.push(value.to_owned()),
            "ExcludeArch" => source.exclude_archs.push(value.to_owned()),
            "Package" => source.packages.push(binary(value)),
            "Unbuilt" => package.files = None,
            "Requires" => package.requires.push(Located::new(dependency(value), place)),
            "Conflicts" => package.conflicts.push(Located::new(dependency(value), place)),
            "Provides" => package.provides.push(Located::new(capability(value), place)),
            "Obsoletes" => package.obsoletes.push(Located::new(capability(value), place)),
            "File" => package.files.get_or_insert_default().push(value.to_owned()),
            _ => panic!("{tag}"),
        }
    }
    TreePackage { source, spec: path, generated, ..TreePackage::default() }
}

/// A spec that has a bootstrap variant of other lines.
pub(crate) fn spec_with_variant(nevr: &str, lines: &[&str], variant: &[&str]) -> TreePackage {
    let TreePackage { source, generated, .. } = spec(nevr, variant);
    TreePackage { other: Some(Box::new(Variant { source, generated })), ..spec(nevr, lines) }
}

/// A header, `NAME VERSION-RELEASE` and its lines.
pub(crate) fn header(nevr: &str, lines: &[&str]) -> PackageMetadata {
    let (name, evr) = nevr.split_once(' ').unwrap_or((nevr, "0-1"));
    let nevra = Nevra { name: name.to_owned(), evr: Evr::parse(evr), arch: "x86_64".to_owned() };
    let mut metadata = PackageMetadata::new(nevra);
    for line in lines {
        let (tag, value) = line.split_once(": ").unwrap_or((line, ""));
        match tag {
            "Provides" => metadata.provides.push(capability(value)),
            "Requires" => metadata.requires.push(dependency(value)),
            "Conflicts" => metadata.conflicts.push(dependency(value)),
            "Obsoletes" => metadata.obsoletes.push(capability(value)),
            "File" => metadata.files.push(value.to_owned()),
            "Arch" => value.clone_into(&mut metadata.nevra.arch),
            "Source" => metadata.source_rpm = Some(value.to_owned()),
            _ => panic!("{tag}"),
        }
    }
    metadata
}

pub(crate) fn seed(nevr: &str, lines: &[&str]) -> SeedPackage {
    SeedPackage { seed: "debian".to_owned(), metadata: header(nevr, lines) }
}

/// A universe whose base asks for the seed `gcc`, which needs nothing.
pub(crate) fn universe(tree: Vec<TreePackage>, mut seeds: Vec<SeedPackage>) -> Universe {
    seeds.push(seed("gcc", &[]));
    Universe { tree, seeds, base: vec![dependency("gcc")], arch: "x86_64".to_owned(), ..Universe::default() }
}

/// The build root of a spec that needs what the lines say, as `NAME-VERSION-RELEASE`, without the base's `gcc`.
pub(crate) fn root_of(
    lines: &[&str],
    tree: Vec<TreePackage>,
    seeds: Vec<SeedPackage>,
) -> Result<Vec<String>, Explanation> {
    root_in(lines, universe(tree, seeds))
}

pub(crate) fn root_in(lines: &[&str], mut universe: Universe) -> Result<Vec<String>, Explanation> {
    universe.tree.push(spec("the-spec", lines));
    let graph = resolve(&universe);
    let node = &graph.nodes["the-spec"];
    match &node.blocker {
        None => Ok(names(&graph, "the-spec")),
        Some(crate::Blocker::Unresolvable { explanation }) => Err(explanation.clone()),
        Some(other) => panic!("{other}"),
    }
}

/// The build root of a node, without the base's `gcc`.
pub(crate) fn names(graph: &BuildGraph, name: &str) -> Vec<String> {
    let members = graph.nodes[name].build_root.iter().map(|member| &member.nevra);
    members.filter(|nevra| nevra.name != "gcc").map(|nevra| format!("{}-{}", nevra.name, nevra.evr)).collect()
}
