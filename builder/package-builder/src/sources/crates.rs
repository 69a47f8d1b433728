//! `crate:` origins: published crates by the host's own `cargo`, which verifies them against its index.
//!
//! Several C libraries are published whole inside a crate, immutable and for good.

use flate2::read::GzDecoder;
use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// Has cargo fetch the crate and copies it, or the file at `path` inside it, to `into`.
pub(super) fn download(name: &str, version: &str, path: Option<&str>, into: &Path) -> Result<(), String> {
    let cargo_home = cargo_home()?;
    let found = match cached_crate(&cargo_home, name, version) {
        Some(found) => found,
        None => {
            ask_cargo(name, version)?;
            cached_crate(&cargo_home, name, version)
                .ok_or_else(|| format!("cargo has {name} {version}, but it is not in {}", cargo_home.display()))?
        }
    };
    match path {
        None => fs::copy(&found, into).map(drop).map_err(|error| format!("{}: {error}", found.display())),
        Some(path) => extract(&found, path, into),
    }
}

fn cargo_home() -> Result<PathBuf, String> {
    let configured = env::var_os("CARGO_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let default = || env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    configured.or_else(default).ok_or_else(|| "neither CARGO_HOME nor HOME is set".to_owned())
}

/// cargo keeps what it verified in `registry/cache/<registry>/`.
fn cached_crate(cargo_home: &Path, name: &str, version: &str) -> Option<PathBuf> {
    let registries = fs::read_dir(cargo_home.join("registry/cache")).ok()?;
    let mut directories: Vec<PathBuf> = registries.flatten().map(|entry| entry.path()).collect();
    directories.sort();
    let file_name = format!("{name}-{version}.crate");
    directories.into_iter().map(|directory| directory.join(&file_name)).find(|path| path.is_file())
}

/// `cargo info` downloads one crate and nothing it depends on; a cargo that lacks the verb (before 1.82) says so.
fn ask_cargo(name: &str, version: &str) -> Result<(), String> {
    let mut command = Command::new("cargo");
    command.args(["info", "--quiet", "--color=never", &format!("{name}@{version}")]);
    // Away from any workspace, whose lock file would answer for the registry.
    command.current_dir("/").stdin(Stdio::null());
    let output = command.output().map_err(|error| {
        format!("`cargo` is not on this host ({error}); install Rust, or give the file another origin")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(lines.join("\n"))
}

/// Takes one file out of a crate, which is a `.tar.gz` with everything below `NAME-VERSION/`.
fn extract(crate_file: &Path, wanted: &str, into: &Path) -> Result<(), String> {
    let trouble = |error: io::Error| format!("{}: {error}", crate_file.display());
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(crate_file).map_err(trouble)?));
    for entry in archive.entries().map_err(trouble)? {
        let mut entry = entry.map_err(trouble)?;
        let path = entry.path().map_err(trouble)?.into_owned();
        let inside: PathBuf = path.components().skip(1).collect();
        let plain = inside.components().all(|component| matches!(component, Component::Normal(_)));
        if plain && inside == Path::new(wanted) && entry.header().entry_type().is_file() {
            let mut file = File::create(into).map_err(|error| format!("{}: {error}", into.display()))?;
            return io::copy(&mut entry, &mut file).map(drop).map_err(trouble);
        }
    }
    Err(format!("the crate has no file `{wanted}`; `tar -tf` on the .crate lists what it has"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    #[test]
    fn one_file_is_taken_out_of_a_crate() {
        let directory = tempfile::tempdir().unwrap();
        let crate_file = directory.path().join("x-1.0.crate");
        let mut builder = tar::Builder::new(GzEncoder::new(File::create(&crate_file).unwrap(), Compression::fast()));
        for (path, content) in [("x-1.0/Cargo.toml", "no"), ("x-1.0/vendor/x.tar.gz", "yes")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
        let into = directory.path().join("out");
        extract(&crate_file, "vendor/x.tar.gz", &into).unwrap();
        assert_eq!(fs::read_to_string(&into).unwrap(), "yes");
        assert!(extract(&crate_file, "vendor", &into).unwrap_err().contains("no file `vendor`"));
    }

    #[test]
    fn a_cached_crate_is_found_in_any_registry() {
        let home = tempfile::tempdir().unwrap();
        let registry = home.path().join("registry/cache/some-registry");
        fs::create_dir_all(&registry).unwrap();
        fs::write(registry.join("z-2.0.15+z.1.5.7.crate"), "").unwrap();
        assert!(cached_crate(home.path(), "z", "2.0.15+z.1.5.7").is_some());
        assert_eq!(cached_crate(home.path(), "z", "2.0.15"), None);
    }
}
