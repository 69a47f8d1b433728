//! Writes RPMs: the content of a group of Debian packages, or of a seed's own files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder};
use rpmspec_parser::rpm::{Capability, Relation};

use super::deb::{Entry, EntryKind};
use super::elf;
use super::version::RELEASE;

/// Everything an RPM is written from.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) arch: String,
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) source: String,
    /// Seconds since 1970, for the build time and all files.
    pub(super) time: u32,
    pub(super) provides: BTreeSet<Capability>,
    pub(super) requires: BTreeSet<Capability>,
    /// Sonames its files are linked with, still to be compared with what the set offers.
    pub(super) sonames: BTreeSet<String>,
    /// By path.
    pub(super) entries: BTreeMap<String, EntryKind>,
}

impl Content {
    /// Adds files: those that are there already stay as they are.
    pub(super) fn add_entries(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            if entry.from_root {
                self.add_alias(&entry.path);
            }
            self.entries.entry(entry.path).or_insert(entry.kind);
        }
    }

    /// `/bin/sh` is what scripts ask for and `/usr/bin/sh` what is packaged: offers both.
    pub(super) fn add_alias(&mut self, path: &str) {
        if let Some(alias) = path.strip_prefix("/usr").filter(|alias| {
            let directory = alias.rsplit_once('/').map(|(directory, _)| directory);
            matches!(directory, Some("/bin" | "/sbin"))
        }) {
            self.provides.insert(Capability::any(alias));
        }
    }

    /// Adds what rpm's generators would find in the files: sonames, `pkgconfig()`, `perl()`.
    pub(super) fn generate_dependencies(&mut self) {
        for (path, kind) in &self.entries {
            let EntryKind::File { content, .. } = kind else { continue };
            let file_name = path.rsplit('/').next().unwrap_or_default();
            if content.starts_with(b"\x7fELF") {
                let found = elf::dependencies(file_name, content);
                self.provides.extend(found.provides.into_iter().map(Capability::any));
                self.sonames.extend(found.needs);
            } else if let Some(module) = file_name.strip_suffix(".pc")
                && path.contains("/pkgconfig/")
            {
                self.provides.insert(pkgconfig(module, &String::from_utf8_lossy(content)));
            } else if file_name.ends_with(".pm") && path.contains("/perl") {
                let modules = perl_modules(&String::from_utf8_lossy(content), path);
                self.provides.extend(modules.into_iter().map(Capability::any));
            }
        }
    }

    /// Turns sonames into requirements where `offered` has them; a package's own need no mention.
    pub(super) fn require_sonames(&mut self, offered: &BTreeSet<String>) {
        let needed = std::mem::take(&mut self.sonames).into_iter().map(Capability::any);
        let needed: Vec<Capability> =
            needed.filter(|soname| offered.contains(&soname.name) && !self.provides.contains(soname)).collect();
        self.requires.extend(needed);
    }

    /// Writes the RPM into a directory and gives its path.
    ///
    /// # Errors
    /// A file name is unfit for RPM, or the file cannot be written.
    pub(super) fn write(self, directory: &Path) -> Result<PathBuf, rpm::Error> {
        let config =
            BuildConfig::v4().compression(CompressionWithLevel::Zstd(1)).source_date(self.time).reserved_space(None);
        let mut builder =
            PackageBuilder::new(&self.name, &self.version, "LicenseRef-Debian-copyright", &self.arch, &self.summary);
        builder.using_config(config).release(RELEASE).description(self.description).build_host("seed");
        builder.packager(format!("converted from {}", self.source)).group("Unspecified");
        for capability in &self.provides {
            builder.provides(dependency(capability));
        }
        for capability in &self.requires {
            builder.requires(dependency(capability));
        }
        for (path, kind) in self.entries {
            match kind {
                EntryKind::File { mode, content } => {
                    builder.with_file_contents(content, FileOptions::new(path).permissions(mode))?;
                }
                EntryKind::Directory { mode } => {
                    builder.with_dir_entry(FileOptions::dir(path).permissions(mode))?;
                }
                EntryKind::Link { target } => {
                    builder.with_symlink(FileOptions::symlink(path, target))?;
                }
            }
        }
        let path = directory.join(format!("{}-{}-{RELEASE}.{}.rpm", self.name, self.version, self.arch));
        builder.build()?.write_file(&path)?;
        Ok(path)
    }
}

fn dependency(capability: &Capability) -> Dependency {
    let name = capability.name.clone();
    match &capability.version {
        None => Dependency::any(name),
        Some((relation, evr)) => {
            let version = evr.to_string();
            match relation {
                Relation::Less => Dependency::less(name, version),
                Relation::LessOrEqual => Dependency::less_eq(name, version),
                Relation::Equal => Dependency::eq(name, version),
                Relation::GreaterOrEqual => Dependency::greater_eq(name, version),
                Relation::Greater => Dependency::greater(name, version),
            }
        }
    }
}

/// `pkgconfig(module) = version`, with the variables of the file expanded.
fn pkgconfig(module: &str, text: &str) -> Capability {
    let mut variables: BTreeMap<&str, String> = BTreeMap::new();
    let mut version = String::new();
    let expand = |value: &str, variables: &BTreeMap<&str, String>| {
        let mut value = value.trim().to_owned();
        for (name, expansion) in variables {
            value = value.replace(&format!("${{{name}}}"), expansion);
        }
        value
    };
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("Version:") {
            version = expand(value, &variables);
        } else if let Some((name, value)) = line.split_once('=')
            && !name.contains([':', ' '])
        {
            let value = expand(value, &variables);
            variables.insert(name, value);
        }
    }
    let name = format!("pkgconfig({module})");
    if version.is_empty() || version.contains(char::is_whitespace) {
        return Capability::any(name);
    }
    Capability { name, version: Some((Relation::Equal, rpmspec_parser::rpm::Evr::parse(&version))) }
}

/// `perl(Module::Name)` for each package a module's file declares; a module that declares none by name at
/// the start of a line is known by its file.
fn perl_modules(text: &str, path: &str) -> BTreeSet<String> {
    let code = text.split("\n__END__").next().unwrap_or_default();
    let mut modules = BTreeSet::new();
    for line in code.lines() {
        let Some(rest) = line.strip_prefix("package ") else { continue };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, ':' | '_')).collect();
        if !name.is_empty() {
            modules.insert(format!("perl({name})"));
        }
    }
    if modules.is_empty() {
        let file_name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".pm");
        modules.insert(format!("perl({file_name})"));
    }
    modules
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    #[test]
    fn pkgconfig_versions_are_expanded() {
        let capability =
            pkgconfig("zlib", "prefix=/usr\nmajor=1\nversion=${major}.2\n\nName: zlib\nVersion: ${version}.13\n");
        assert_eq!(capability.to_string(), "pkgconfig(zlib) = 1.2.13");
        assert_eq!(pkgconfig("x", "Name: x\n").to_string(), "pkgconfig(x)");
    }

    #[test]
    fn perl_modules_are_found_by_declaration_or_file() {
        let text = "package File::Spec;\n package Hidden;\npackage File::Spec::Unix 1.2 {\n\n__END__\npackage No;\n";
        let modules: Vec<String> = perl_modules(text, "/usr/share/perl/5/File/Spec.pm").into_iter().collect();
        assert_eq!(modules, ["perl(File::Spec)", "perl(File::Spec::Unix)"]);
        assert!(perl_modules("1;\n", "/usr/share/perl/strict.pm").contains("perl(strict)"));
    }

    #[test]
    fn an_rpm_is_written_the_same_way_twice() {
        let directory = tempfile::tempdir().unwrap();
        let mut content = Content {
            name: "tool".to_owned(),
            version: "1".to_owned(),
            arch: "noarch".to_owned(),
            summary: "a tool".to_owned(),
            time: 1_700_000_000,
            ..Content::default()
        };
        content.sonames.insert("libz.so.1()(64bit)".to_owned());
        content.sonames.insert("libother.so.1()(64bit)".to_owned());
        content.add_entries(vec![Entry {
            path: "/usr/bin/tool".to_owned(),
            from_root: true,
            kind: EntryKind::File { mode: 0o755, content: b"#!/bin/sh\n".to_vec() },
        }]);
        content.require_sonames(&BTreeSet::from(["libz.so.1()(64bit)".to_owned()]));
        let first = content.clone().write(directory.path()).unwrap();
        let bytes = std::fs::read(&first).unwrap();
        assert_eq!(std::fs::read(content.write(directory.path()).unwrap()).unwrap(), bytes);
        let package = rpm::PackageMetadata::open(&first).unwrap();
        let names = |dependencies: Vec<Dependency>| dependencies.into_iter().map(|d| d.name).collect::<BTreeSet<_>>();
        assert!(names(package.get_provides().unwrap()).contains("/bin/tool"));
        let requires = names(package.get_requires().unwrap());
        assert!(requires.contains("libz.so.1()(64bit)") && !requires.contains("libother.so.1()(64bit)"));
    }
}
