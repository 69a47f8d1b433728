//! The main job on real software: the tree's own packages, in every sandbox, used by stock clients.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::tree::cache;
use tests::{has, has_docker, package_builder, root, run, skip, succeed};

/// Real packages that are built with what they need; fourteen in all, one of them only known once a build asks for it.
const PACKAGES: &[&str] = &["jq", "zlib", "hello", "which", "tree", "python-packaging"];

/// Those of them that the other sandbox builds as well; six with what they need. The rest would take an engine on a
/// slow storage driver a quarter of an hour.
const IN_BOTH: &[&str] = &["zlib", "hello", "which", "tree"];

/// Where the suite works, beside the cache.
fn folder() -> PathBuf {
    cache().parent().map(Path::to_owned).unwrap_or_default()
}

fn builder(output: &Path) -> Command {
    let mut command = Command::new(package_builder());
    command.arg("--tree").arg(root()).arg("--cache").arg(cache()).arg("--output").arg(output);
    command
}

fn build(sandbox: &str, packages: &[&str]) -> PathBuf {
    let output = folder().join(format!("out-{sandbox}"));
    if output.exists() {
        std::fs::remove_dir_all(&output).expect("nothing holds the last run's output");
    }
    let text = run(builder(&output).args(["build", "--jobs", "2", "--sandbox", sandbox]).args(packages));
    let errors = String::from_utf8_lossy(&text.stderr);
    assert!(text.status.success(), "{sandbox}: {}\n{errors}", text.status);
    assert!(errors.contains("--repofrompath"), "the run ends with an install line:\n{errors}");
    output
}

/// The identity of every published RPM by NEVRA, as recorded.
fn identities(output: &Path) -> BTreeMap<String, String> {
    let state = package_builder::runner::State::load(&output.join("state.sqlite")).expect("the run left a state");
    state.packages().values().flat_map(|built| built.rpms.clone()).collect()
}

#[test]
fn both_sandboxes_give_the_same_packages_and_stock_clients_use_them() {
    let linux = build("linux", PACKAGES);
    let built = identities(&linux);
    assert_eq!(std::fs::read_dir(linux.join("repo/SRPMS")).expect("SRPMs are published").count(), 14);
    nothing_to_do(&linux);
    stock_clients(&linux);
    if !has_docker() {
        return skip("the docker sandbox", "no Docker Engine answers");
    }
    let docker = identities(&build("docker", IN_BOTH));
    assert!(docker.len() >= 6);
    for (package, identity) in docker {
        assert_eq!(Some(&identity), built.get(&package), "{package} differs between the sandboxes");
    }
}

/// A second run of the same command builds nothing.
fn nothing_to_do(output: &Path) {
    let before = std::fs::read_link(output.join("repo")).expect("`repo` points at a generation");
    let plan = succeed(builder(output).arg("plan").args(PACKAGES));
    assert!(plan.starts_with("0 to build, "), "{plan}");
    let _ = succeed(builder(output).args(["build", "--sandbox", "linux"]).args(PACKAGES));
    assert_eq!(std::fs::read_link(output.join("repo")).expect("it still does"), before);
}

fn stock_clients(output: &Path) {
    for program in ["rpm", "dnf", "createrepo_c"] {
        if !has(program) {
            return skip("stock clients", &format!("`{program}` is not installed"));
        }
    }
    let repository = output.join("repo");
    let files: Vec<_> = walkdir::WalkDir::new(repository.join("RPMS"))
        .into_iter()
        .map(|entry| entry.expect("the repository can be listed").into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rpm"))
        .collect();
    let _ = succeed(Command::new("rpm").arg("-K").args(&files));

    let root = tempfile::tempdir().expect("a temporary folder");
    let _ = succeed(
        Command::new("dnf")
            .arg("-y")
            .arg(format!("--installroot={}", root.path().display()))
            .arg(format!("--repofrompath=cairn,{}", repository.display()))
            .args(["--repo=cairn", "--nogpgcheck", "--releasever=1", "--setopt=install_weak_deps=False"])
            .arg("--setopt=cachedir=/var/cache/dnf")
            .args(["install", "jq"]),
    );
    let answer = succeed(Command::new("chroot").arg(root.path()).args(["jq", "-n", "-c", "[1, 2] | add"]));
    assert_eq!(answer.trim(), "3");
}
