//! Answers to `rpmspec -q`: as much of rpm's query formats as its cases about parsing use.

use rpmspec_parser::SourcePackage;
use rpmspec_parser::spec::BinaryPackage;

/// What `--requires` lists, without what rpm itself requires.
pub(super) fn requires(source: &SourcePackage) -> String {
    let packages = source.packages.iter().filter(|package| package.files.is_some());
    packages.flat_map(|package| &package.requires).map(|located| format!("{}\n", located.value)).collect()
}

/// What a query prints: a line or format for each package, or for the source. `None`: the format is not known here.
pub(super) fn query(source: &SourcePackage, only_source: bool, format: Option<&str>) -> Option<String> {
    let format = format.unwrap_or("%{nvra}\\n");
    let packages = if only_source { &source.packages[..1] } else { &source.packages };
    packages.iter().map(|package| expand(format, package)).collect()
}

fn expand(format: &str, package: &BinaryPackage) -> Option<String> {
    let mut text = String::new();
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        if let Some(tag) = rest.strip_prefix("%{") {
            let (tag, behind) = tag.split_once('}')?;
            text += &value(tag, package)?;
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("\\n") {
            text.push('\n');
            rest = behind;
        } else if letter == '[' {
            // Only queries of specs that do not parse have lists.
            return None;
        } else {
            text.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    Some(text)
}

fn value(tag: &str, package: &BinaryPackage) -> Option<String> {
    let BinaryPackage { name, version, release, arch, .. } = package;
    Some(match tag.to_ascii_lowercase().as_str() {
        "name" => name.clone(),
        "version" => version.clone(),
        "release" => release.clone(),
        "arch" => arch.clone(),
        "summary" => package.summary.clone(),
        "description" => package.description.clone(),
        "nvr" => format!("{name}-{version}-{release}"),
        "nvra" => format!("{name}-{version}-{release}.{arch}"),
        _ => return None,
    })
}
