//! Makes base layers: rpm, run in a sandbox over the bootstrap root, installs the set into an empty
//! directory with every dependency checked; the result is copied out and published by one rename.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::{Bind, ExecSpec, ExecStatus, Limits, Sandbox, Session, SessionSpec, User};
use sha2::{Digest as _, Sha256};

use super::{BaseLayer, BaseProgress, Bring, BuildrootError, bootstrap};
use crate::seeds::SeedRpm;

/// Part of every digest: raised whenever the same packages would become another layer.
const LAYER_VERSION: &str = "1";

/// Where the session sees the packages, and where it installs them.
const PACKAGES: &str = "/packages";
const TARGET: &str = "/target";

/// An install of some hundred packages takes seconds; this only ends one that hangs.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Makes the base layer of an install set, or finds it in the cache (`layers/` below `cache`).
///
/// The set must be complete: rpm checks all dependencies, and nothing is forced.
///
/// # Errors
/// [`BuildrootError`].
pub async fn prepare_base(
    rpms: &[&SeedRpm],
    cache: &Path,
    sandbox: &dyn Sandbox,
    bring: Bring<'_>,
    progress: &(dyn Fn(BaseProgress) + Sync),
) -> Result<BaseLayer, BuildrootError> {
    let layers = cache.join("layers");
    fs::create_dir_all(&layers).map_err(BuildrootError::io(&layers))?;
    let layers = layers.canonicalize().map_err(BuildrootError::io(&layers))?;
    let digest = base_digest(rpms);
    let layer = BaseLayer { directory: layers.join(&digest), digest };
    if layer.directory.is_dir() {
        progress(BaseProgress::Ready { cached: true });
        return Ok(layer);
    }
    let _lock = lock(&layers, &layer.digest)?;
    if layer.directory.is_dir() {
        progress(BaseProgress::Ready { cached: true });
        return Ok(layer);
    }
    bring(rpms)?;
    let bootstrap = prepare_bootstrap(rpms, &layers, progress)?;
    let working = temporary(&layers)?;
    install(rpms, &bootstrap, working.path(), sandbox, progress).await?;
    publish(working, "root", &layer.directory)?;
    progress(BaseProgress::Ready { cached: false });
    Ok(layer)
}

/// The bootstrap root of a set, made or found.
fn prepare_bootstrap(
    rpms: &[&SeedRpm],
    layers: &Path,
    progress: &(dyn Fn(BaseProgress) + Sync),
) -> Result<PathBuf, BuildrootError> {
    let packages = bootstrap::packages(rpms)?;
    let digest = digest_of("bootstrap", &packages);
    let directory = layers.join(&digest);
    let _lock = lock(layers, &digest)?;
    if directory.is_dir() {
        return Ok(directory);
    }
    progress(BaseProgress::Unpacking { packages: packages.len() });
    let working = temporary(layers)?;
    let root = working.path().join("root");
    let files: Vec<PathBuf> = packages.iter().map(|rpm| rpm.path.clone()).collect();
    ::repository::unpack_all(&files, &root)?;
    for directory in [PACKAGES, TARGET] {
        let path = root.join(directory.trim_start_matches('/'));
        fs::create_dir_all(&path).map_err(BuildrootError::io(&path))?;
    }
    publish(working, "root", &directory)?;
    Ok(directory)
}

/// Installs the set in a session and copies the result to `working/root`.
async fn install(
    rpms: &[&SeedRpm],
    bootstrap: &Path,
    working: &Path,
    sandbox: &dyn Sandbox,
    progress: &(dyn Fn(BaseProgress) + Sync),
) -> Result<(), BuildrootError> {
    // Only the set's own files are shown inside, under names that need no quoting.
    let packages = working.join("packages");
    let (scratch, root) = (working.join("scratch"), working.join("root"));
    for directory in [&packages, &scratch, &root] {
        fs::create_dir(directory).map_err(BuildrootError::io(directory))?;
    }
    let mut names = Vec::new();
    for rpm in rpms {
        let name = rpm.metadata.nevra.file_name();
        let link = packages.join(&name);
        fs::hard_link(&rpm.path, &link)
            .or_else(|_| fs::copy(&rpm.path, &link).map(|_| ()))
            .map_err(BuildrootError::io(&rpm.path))?;
        names.push(format!("{PACKAGES}/{name}"));
    }
    let session = sandbox
        .start(SessionSpec {
            name: "package-builder-base".to_owned(),
            layer: bootstrap.to_owned(),
            above: Vec::new(),
            scratch: scratch.clone(),
            binds: vec![Bind { host: packages, guest: PathBuf::from(PACKAGES) }],
            volumes: vec![PathBuf::from(TARGET)],
            limits: Limits::default(),
        })
        .await?;
    let done = fill(&*session, &names, &root, progress).await;
    let ended = session.end().await;
    done?;
    ended?;
    Ok(())
}

/// The commands of the installation, and the copy.
async fn fill(
    session: &dyn Session,
    names: &[String],
    root: &Path,
    progress: &(dyn Fn(BaseProgress) + Sync),
) -> Result<(), BuildrootError> {
    progress(BaseProgress::Installing { packages: names.len() });
    let rpm = ["rpm", "--root", TARGET, "--define", "_dbpath /var/lib/rpm"];
    let install = rpm.iter().map(|word| (*word).to_owned()).chain(["-i".to_owned()]).chain(names.iter().cloned());
    run(session, "installing the base", install.collect()).await?;
    if run(session, "looking for ldconfig", command(&["test", "-x", "/target/usr/sbin/ldconfig"])).await.is_ok() {
        run(session, "caching libraries", command(&["/usr/sbin/ldconfig", "-r", TARGET])).await?;
    }
    let verify: Vec<String> = rpm.iter().map(|word| (*word).to_owned()).chain(["-Va".to_owned()]).collect();
    run(session, "verifying the base", verify).await?;
    session.copy_out(Path::new(TARGET), root).await?;
    Ok(())
}

fn command(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Runs a command as root; anything but success is an error with its output.
async fn run(session: &dyn Session, action: &str, argv: Vec<String>) -> Result<(), BuildrootError> {
    let mut output: Vec<u8> = Vec::new();
    let environment = [("PATH", "/usr/bin:/usr/sbin"), ("HOME", "/root"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")];
    let spec = ExecSpec {
        argv,
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        directory: PathBuf::from("/"),
        user: User::Root,
        timeout: Some(TIMEOUT),
        idle_timeout: None,
    };
    let status = session.exec(spec, &mut output).await?;
    if status.success() {
        return Ok(());
    }
    let status = match status {
        ExecStatus::Exited(code) => format!("exit code {code}"),
        ExecStatus::Signaled(signal) => format!("signal {signal}"),
        other => format!("{other:?}"),
    };
    Err(BuildrootError::Rpm {
        action: action.to_owned(),
        status,
        output: String::from_utf8_lossy(&output).trim_end().to_owned(),
    })
}

/// The digest [`prepare_base`] gives the layer of an install set, known before it is made.
#[must_use]
pub fn base_digest(rpms: &[&SeedRpm]) -> String {
    digest_of("base", rpms)
}

/// SHA-256 over what a layer is made of: which kind, which packages. The order of `rpms` has no part in it.
fn digest_of(kind: &str, rpms: &[&SeedRpm]) -> String {
    let mut parts: Vec<String> =
        rpms.iter().map(|rpm| format!("{} {}", rpm.metadata.nevra.file_name(), rpm.sha256)).collect();
    parts.sort();
    let mut hash = Sha256::new();
    hash.update(format!("{kind} {LAYER_VERSION}\n{}\n", parts.join("\n")));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits for another run that makes the same layer.
fn lock(layers: &Path, digest: &str) -> Result<fs::File, BuildrootError> {
    let path = layers.join(format!("{digest}.lock"));
    let file = fs::File::create(&path).map_err(BuildrootError::io(&path))?;
    file.lock().map_err(BuildrootError::io(&path))?;
    Ok(file)
}

fn temporary(layers: &Path) -> Result<tempfile::TempDir, BuildrootError> {
    tempfile::Builder::new().prefix(".new-").tempdir_in(layers).map_err(BuildrootError::io(layers))
}

/// Gives a finished directory its name; from here on nobody writes to it.
fn publish(working: tempfile::TempDir, part: &str, directory: &Path) -> Result<(), BuildrootError> {
    use std::os::unix::fs::PermissionsExt as _;
    let root = working.path().join(part);
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).map_err(BuildrootError::io(&root))?;
    fs::rename(&root, directory).map_err(BuildrootError::io(directory))?;
    let path = working.path().to_owned();
    working.close().map_err(BuildrootError::io(&path))
}

#[cfg(test)]
mod tests {
    use rpmspec_parser::rpm::{Evr, Nevra, PackageMetadata};

    use super::*;

    #[test]
    fn a_digest_is_of_the_set_and_not_of_its_order() {
        let rpm = |name: &str, sha256: &str| SeedRpm {
            metadata: PackageMetadata::new(Nevra {
                name: name.to_owned(),
                evr: Evr::new(None, "1", "1"),
                arch: "noarch".to_owned(),
            }),
            path: PathBuf::new(),
            sha256: sha256.to_owned(),
        };
        let (a, b, changed) = (rpm("a", "1"), rpm("b", "2"), rpm("b", "3"));
        assert_eq!(digest_of("base", &[&a, &b]), digest_of("base", &[&b, &a]));
        assert_ne!(digest_of("base", &[&a, &b]), digest_of("base", &[&a, &changed]));
        assert_ne!(digest_of("base", &[&a, &b]), digest_of("bootstrap", &[&a, &b]));
    }
}
