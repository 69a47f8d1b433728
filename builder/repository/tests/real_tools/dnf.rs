//! The real dnf and rpm take what was published.

use std::path::Path;
use std::process::Command;

use repository::{Change, Generations, SeedFile, read_rpm};

use crate::fixtures::{fixtures, has, run};

fn dnf(output: &Path, cache: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("dnf");
    command.args(["--quiet", "--assumeyes", "--nogpgcheck", "--disablerepo=*"]);
    command.arg(format!("--repofrompath=ours,file://{}", output.join("repo").display())).arg("--enablerepo=ours");
    command.arg(format!("--setopt=cachedir={}", cache.display())).arg("--releasever=1");
    command.args(["--setopt=reposdir=/dev/null", "--setopt=varsdir=/dev/null", "--setopt=pluginpath=/dev/null"]);
    String::from_utf8(run(command.args(arguments)).stdout).unwrap()
}

#[test]
fn lists_and_installs() {
    if !has("rpmbuild") || !has("dnf") || !has("rpm") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (output, cache) = (directory.path().join("out"), directory.path().join("cache"));
    let generations = Generations::open(&output).unwrap();
    let (lent, add): (Vec<_>, Vec<_>) =
        fixtures().iter().cloned().partition(|path| path.to_string_lossy().contains("gamma-1.0-1.noarch"));
    let lent = lent.into_iter().map(|path| SeedFile { sha256: read_rpm(&path).unwrap().sha256, path }).collect();
    let generation = generations.publish(&Change { add, seeds: Some(lent), ..Change::default() }).unwrap();
    assert_eq!(generation.packages().iter().filter(|file| file.is_seed).count(), 1);

    let mut expected: Vec<_> = generation.packages().iter().map(|file| file.metadata.nevra.clone()).collect();
    expected.sort_by_key(ToString::to_string);
    let format = "%{name}-%{epoch}:%{version}-%{release}.%{arch} %{location}";
    let listed = dnf(&output, &cache, &["repoquery", "--available", "--qf", format]);
    let mut expected: Vec<_> = generation
        .packages()
        .iter()
        .map(|file| {
            let nevra = &file.metadata.nevra;
            let (name, evr) = (&nevra.name, &nevra.evr);
            let epoch = evr.epoch.unwrap_or(0);
            format!("{name}-{epoch}:{}-{}.{} {}", evr.version, evr.release, nevra.arch, file.location())
        })
        .collect();
    expected.sort();
    let mut listed: Vec<_> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, expected);

    let provider = dnf(&output, &cache, &["repoquery", "--qf", "%{name}", "--whatprovides", "/usr/bin/alpha-tool"]);
    assert_eq!(provider.trim(), "alpha-tools");

    let root = directory.path().join("root");
    let root_argument = format!("--installroot={}", root.display());
    dnf(&output, &cache, &[&root_argument, "install", "beta", "gamma", "alpha"]);
    assert_eq!(std::fs::read_to_string(root.join("usr/share/beta/content")).unwrap(), "beta\n");
    assert!(root.join("usr/share/alpha/odd & <name> é.txt").exists());

    for file in generation.packages() {
        run(Command::new("rpm").args(["-K", "--nosignature"]).arg(&file.path));
    }
}
