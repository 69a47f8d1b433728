//! Reads the repodata of any RPM repository into the packages it lists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rpmspec_parser::rpm::{Capability, Dependency, Evr, Nevra, PackageMetadata, Relation};

use super::repomd::{Repomd, inside};
use super::xml::{self, Document, Element, Step};
use crate::error::{At, RepositoryError};

/// One package of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedPackage {
    /// Its NEVRA, dependencies and files. Without filelists only the files that primary lists.
    pub metadata: PackageMetadata,
    /// Where it lies, relative to the repository's root.
    pub location: String,
    /// The SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// The size of the file in bytes.
    pub size: u64,
}

/// What a repository offers, from its repodata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryIndex {
    /// Every package, in the order of primary.
    pub packages: Vec<IndexedPackage>,
}

impl RepositoryIndex {
    /// Loads the repodata below a repository's root, all files of all packages included.
    ///
    /// # Errors
    /// There is no repodata, it does not fit its checksums, or it is damaged.
    pub fn load_directory(path: impl AsRef<Path>) -> Result<Self, RepositoryError> {
        Self::load(path.as_ref(), true)
    }

    /// As [`load_directory`](Self::load_directory), with only the files that primary lists (`/etc`, `…bin/`):
    /// those that packages usually ask for, at a fraction of the cost.
    ///
    /// # Errors
    /// As [`load_directory`](Self::load_directory).
    pub fn load_directory_without_filelists(path: impl AsRef<Path>) -> Result<Self, RepositoryError> {
        Self::load(path.as_ref(), false)
    }

    fn load(root: &Path, with_filelists: bool) -> Result<Self, RepositoryError> {
        let name = root.join("repodata/repomd.xml");
        let repomd = Repomd::parse(&name, &std::fs::read(&name).at("read", &name)?)?;
        let file = |kind: &str| -> Result<(PathBuf, Vec<u8>), RepositoryError> {
            let record = repomd.record(&name, kind)?;
            let path = root.join(&record.location);
            let bytes = std::fs::read(&path).at("read", &path)?;
            record.check(&path, &bytes)?;
            Ok((path, bytes))
        };
        let primary = file("primary")?;
        let filelists = if with_filelists { Some(file("filelists")?) } else { None };
        let filelists = filelists.as_ref().map(|(path, bytes)| (path.as_path(), bytes.as_slice()));
        Self::from_repodata((&primary.0, &primary.1), filelists)
    }

    /// Reads a primary file and, for the complete lists of files, a filelists file: each a name for
    /// errors and the bytes, compressed with gzip, zstd, xz or not at all. The caller has checked them
    /// with [`RepomdRecord::check`](super::RepomdRecord::check).
    ///
    /// # Errors
    /// One is damaged, or primary identifies packages by anything but SHA-256.
    pub fn from_repodata(primary: (&Path, &[u8]), filelists: Option<(&Path, &[u8])>) -> Result<Self, RepositoryError> {
        let parse = || Primary::parse(primary.0, &xml::decompress(primary.0, primary.1)?);
        let (packages, files) = rayon::join(parse, || match filelists {
            None => Ok(BTreeMap::new()),
            Some((name, bytes)) => parse_filelists(name, &xml::decompress(name, bytes)?),
        });
        let (mut packages, mut files) = (packages?, files?);
        if let Some((name, _)) = filelists {
            for package in &mut packages {
                package.metadata.files = files.remove(&package.sha256).ok_or_else(|| {
                    RepositoryError::bad_repodata(name, &format!("`{}` is not in it", package.metadata.nevra))
                })?;
            }
        }
        Ok(Self { packages })
    }
}

/// The dependencies an element of primary lists.
#[derive(Clone, Copy)]
enum Section {
    Provides,
    Requires,
    Conflicts,
    Obsoletes,
    Recommends,
    /// Suggests, supplements, enhances: nothing here follows them.
    Ignored,
}

/// The package that is being read.
struct Primary {
    package: IndexedPackage,
    checksum_type: String,
}

impl Primary {
    fn new() -> Self {
        let nevra = Nevra { name: String::new(), evr: Evr::new(None, "", ""), arch: String::new() };
        let mut metadata = PackageMetadata::new(nevra);
        metadata.provides.clear();
        let package = IndexedPackage { metadata, location: String::new(), sha256: String::new(), size: 0 };
        Self { package, checksum_type: String::new() }
    }

    fn parse(name: &Path, text: &str) -> Result<Vec<IndexedPackage>, RepositoryError> {
        let mut document = Document::new(name, text);
        let mut packages = Vec::new();
        let mut current: Option<Self> = None;
        let mut section = Section::Ignored;
        let mut is_primary = false;
        while let Some(step) = document.step()? {
            match (step, &mut current) {
                (Step::Close(closed), Some(_)) if closed == "package" => {
                    packages.extend(current.take().map(|current| current.finish(&document)).transpose()?);
                }
                (Step::Close(_), _) => {}
                (Step::Open(element), Some(current)) => current.element(&mut document, &element, &mut section)?,
                (Step::Open(element), None) => match element.name() {
                    "metadata" => is_primary = true,
                    "package" => current = Some(Self::new()),
                    _ => {}
                },
            }
        }
        if !is_primary {
            return Err(document.error("there is no `metadata` in it"));
        }
        Ok(packages)
    }

    fn element(
        &mut self,
        document: &mut Document<'_>,
        element: &Element<'_>,
        section: &mut Section,
    ) -> Result<(), RepositoryError> {
        let metadata = &mut self.package.metadata;
        match element.name() {
            "name" => metadata.nevra.name = document.text(element)?,
            "arch" => metadata.nevra.arch = document.text(element)?,
            "version" => metadata.nevra.evr = evr(document, element)?,
            "checksum" => {
                self.checksum_type = document.required(element, "type")?;
                self.package.sha256 = document.text(element)?.trim().to_ascii_lowercase();
            }
            "size" => self.package.size = document.number(&document.required(element, "package")?, "size")?,
            "location" => self.package.location = inside(document, document.required(element, "href")?)?,
            "sourcerpm" => metadata.source_rpm = Some(document.text(element)?).filter(|name| !name.is_empty()),
            "file" => metadata.files.push(document.text(element)?),
            "provides" => *section = Section::Provides,
            "requires" => *section = Section::Requires,
            "conflicts" => *section = Section::Conflicts,
            "obsoletes" => *section = Section::Obsoletes,
            "recommends" => *section = Section::Recommends,
            "suggests" | "supplements" | "enhances" => *section = Section::Ignored,
            "entry" => match section {
                Section::Ignored => {}
                Section::Provides => metadata.provides.push(capability(document, element)?),
                Section::Obsoletes => metadata.obsoletes.push(capability(document, element)?),
                Section::Conflicts => metadata.conflicts.extend(dependency(document, element)?),
                Section::Requires => metadata.requires.extend(dependency(document, element)?),
                Section::Recommends => metadata.recommends.extend(dependency(document, element)?),
            },
            _ => {}
        }
        Ok(())
    }

    fn finish(self, document: &Document<'_>) -> Result<IndexedPackage, RepositoryError> {
        let package = self.package;
        let nevra = &package.metadata.nevra;
        if nevra.name.is_empty() || nevra.arch.is_empty() || nevra.evr.version.is_empty() {
            return Err(document.error("a package has no name, no version or no architecture"));
        }
        let fault = if package.location.is_empty() {
            "has no location".to_owned()
        } else if self.checksum_type != "sha256" {
            format!("is identified by `{}`; only sha256 is supported", self.checksum_type)
        } else if package.sha256.len() != 64 || !package.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            format!("has `{}` for a sha256", package.sha256)
        } else {
            return Ok(package);
        };
        Err(document.error(&format!("`{nevra}` {fault}")))
    }
}

/// The version in the attributes of an element. Repodata has no missing epoch: 0 stands for it.
fn evr(document: &Document<'_>, element: &Element<'_>) -> Result<Evr, RepositoryError> {
    let text = |name: &str| Ok(document.attribute(element, name)?.unwrap_or_default());
    let epoch = match text("epoch")?.as_str() {
        "" | "0" => None,
        epoch => Some(epoch.parse().map_err(|_| document.error(&format!("`{epoch}` is no epoch")))?),
    };
    Ok(Evr::new(epoch, text("ver")?, text("rel")?))
}

fn capability(document: &Document<'_>, element: &Element<'_>) -> Result<Capability, RepositoryError> {
    let name = document.required(element, "name")?;
    let relation = match document.attribute(element, "flags")?.as_deref() {
        None => return Ok(Capability::any(name)),
        Some("LT") => Relation::Less,
        Some("LE") => Relation::LessOrEqual,
        Some("EQ") => Relation::Equal,
        Some("GE") => Relation::GreaterOrEqual,
        Some("GT") => Relation::Greater,
        Some(other) => return Err(document.error(&format!("`{name}` has the unknown relation `{other}`"))),
    };
    let evr = evr(document, element)?;
    Ok(Capability { name, version: (!evr.version.is_empty()).then_some((relation, evr)) })
}

/// A dependency, or nothing for what rpm asks of itself.
fn dependency(document: &Document<'_>, element: &Element<'_>) -> Result<Option<Dependency>, RepositoryError> {
    let capability = capability(document, element)?;
    if capability.name.starts_with("rpmlib(") {
        return Ok(None);
    }
    if capability.name.starts_with('(') {
        return Dependency::parse(&capability.name).map(Some).map_err(|error| document.error(&error));
    }
    Ok(Some(Dependency::Capability(capability)))
}

/// The files of each package, by its checksum.
fn parse_filelists(name: &Path, text: &str) -> Result<BTreeMap<String, Vec<String>>, RepositoryError> {
    let mut document = Document::new(name, text);
    let mut lists = BTreeMap::new();
    let mut current: Option<(String, Vec<String>)> = None;
    while let Some(step) = document.step()? {
        match step {
            Step::Close(closed) if closed == "package" => lists.extend(current.take()),
            Step::Close(_) => {}
            Step::Open(element) => match (element.name(), &mut current) {
                ("package", _) => {
                    current = Some((document.required(&element, "pkgid")?.to_ascii_lowercase(), Vec::new()));
                }
                ("file", Some((_, files))) => files.push(document.text(&element)?),
                _ => {}
            },
        }
    }
    Ok(lists)
}
