//! How long evaluating a whole distribution takes, against `rpmspec -P` started once for each spec.
//!
//! `cargo bench -p tests --bench evaluate`; `PACKAGE_BUILDER_CORPUS` names the folder with the specs. Ours: reading the
//! macro files, then every spec on all cores, with the recorded answers of shells. Theirs: a sample of the specs, in
//! the same macro world, scaled; the programs that shells ask answer at once, with nothing. Both sides run
//! alternately. It holds when ours takes at most a hundredth.
//!
//! Two more numbers are about the command, which reads specs from the disk: with a cold cache and real shells (at most a
//! twentieth of `rpmspec`, for which the same programs answer), and with a warm cache (at most 50 ms). Specs that ask for
//! the time are not in that tree: they are evaluated anew each time, with a sandbox for what they ask of a shell.

#[path = "../../builder/rpmspec-parser/examples/score/corpus.rs"]
mod corpus;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use corpus::Corpus;
use package_builder::host::{Context, HostWorld, Remembered, SandboxedShell, Shell, TOPDIR, evaluate_tree};
use rayon::prelude::*;
use rpmspec_parser::PreparedContext;
use sandbox::Sandbox;
use tests::{median, time};
use tokio::runtime::Runtime;

const ROUNDS: usize = 5;
/// Rounds of ours for each of theirs: ours are short, so that what else runs would show.
const OURS: usize = 5;
/// One of so many specs is theirs.
const SAMPLE: usize = 10;
const RATIO: f64 = 100.0;
const COLD_RATIO: f64 = 20.0;
const WARM: Duration = Duration::from_millis(50);
/// What shells in specs ask.
const PROGRAMS: [&str; 8] = ["python3", "perl", "ruby", "gem", "php", "php-config", "node", "pkg-config"];

fn main() {
    sandbox::linux::init_if_called();
    let Some(folder) = std::env::var_os("PACKAGE_BUILDER_CORPUS").map(PathBuf::from) else {
        tests::skip("evaluate", "PACKAGE_BUILDER_CORPUS does not name a corpus");
        return;
    };
    let corpus = Corpus::read(&folder, "shell-answers-photon.json").expect("the corpus is read");
    let specs = corpus.specs();
    let theirs = tests::has("rpmspec").then(|| Rpmspec::new(&folder));
    if theirs.is_none() {
        tests::skip("evaluate", "there is no rpmspec to compare with");
    }
    let sample: Vec<_> = specs.iter().step_by(SAMPLE).collect();
    let (mut ours, mut rpmspec) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.extend((0..OURS).map(|_| time(|| evaluate(&corpus, &specs))));
        if let Some(theirs) = &theirs {
            let took = time(|| sample.iter().for_each(|spec| theirs.evaluate(spec)));
            rpmspec.push(took.mul_f64(specs.len() as f64 / sample.len() as f64));
        }
    }
    let least = ours.iter().min().copied().unwrap_or_default();
    let ours = median(ours);
    let cores = rayon::current_num_threads();
    tests::say(&format!("{} specs on {cores} cores: median {ours:.1?}, quickest {least:.1?}", specs.len()));
    let (cold, warm) = command(&corpus, &folder);
    tests::say(&format!(
        "read from the disk: {cold:.1?} with a cold cache and real shells, {warm:.1?} with a warm one"
    ));
    let Some(rpmspec) = (!rpmspec.is_empty()).then(|| median(rpmspec)) else { return };
    tests::say(&format!("rpmspec -P, a process for each: {rpmspec:.2?}, by {} of them", sample.len()));
    let to = |took: Duration| rpmspec.as_secs_f64() / took.as_secs_f64();
    let holds = to(ours) >= RATIO && to(cold) >= COLD_RATIO && warm <= WARM;
    tests::say(&format!(
        "evaluate: ours_ms={:.1} rpmspec_ms={} ratio={:.1} cold_ms={:.1} cold_ratio={:.1} warm_ms={:.1} {}",
        ours.as_secs_f64() * 1000.0,
        rpmspec.as_millis(),
        to(ours),
        cold.as_secs_f64() * 1000.0,
        to(cold),
        warm.as_secs_f64() * 1000.0,
        if holds { "holds" } else { "falls short" }
    ));
    std::process::exit(i32::from(!holds));
}

/// The medians of what the command takes for the corpus as a tree on the disk: with nothing remembered and the shells of
/// this machine, and with all remembered, sandboxed shells among it.
fn command(corpus: &Corpus, folder: &Path) -> (Duration, Duration) {
    let root = unpack(folder);
    let tree = only_folder(&root.path().join("specs"));
    for spec in corpus.specs().iter().map(|spec| tree.join(spec)) {
        let text = std::fs::read(&spec).expect("the spec is read");
        if String::from_utf8_lossy(&text).contains("%(date ") {
            std::fs::remove_file(&spec).expect("the spec is removed");
        }
    }
    let run = |shell: Shell| {
        let mut source = corpus.context("x86_64", &[]);
        source.defines.push(("_sourcedir".to_owned(), format!("{TOPDIR}/SOURCES")));
        let started = Instant::now();
        let world = HostWorld::new(0, &source, shell);
        let context = Context::new(source, Vec::new());
        let remembered = Remembered::open(&root.path().join("cache"), &context);
        let (specs, broken) =
            evaluate_tree(&tree, &tree.join("SPECS"), &context, &world, &remembered).expect("the tree is listed");
        let took = started.elapsed();
        assert!(specs.len() > broken.len() * 50, "{} specs are evaluated, {} are broken", specs.len(), broken.len());
        took
    };
    let layer = small_layer(root.path());
    let sandboxed = || {
        let layer = layer.clone();
        let prepare = move |_: &Runtime, _: &dyn Sandbox| Ok(layer.clone());
        Shell::Sandboxed(Box::new(SandboxedShell::over(&root.path().join("cache"), "layer", prepare)))
    };
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        std::fs::remove_dir_all(root.path().join("cache")).ok();
        cold.push(run(Shell::Host));
    }
    run(sandboxed());
    warm.extend((0..ROUNDS * OURS).map(|_| run(sandboxed())));
    (median(cold), median(warm))
}

/// A root whose bash is busybox's shell, and whose interpreters all say one version.
fn small_layer(place: &Path) -> PathBuf {
    let layer = place.join("layer");
    for folder in ["bin", "usr", "dev", "proc", "sys", "tmp", "etc"] {
        std::fs::create_dir_all(layer.join(folder)).expect("a folder is made");
    }
    std::fs::copy("/bin/busybox", layer.join("bin/busybox")).expect("busybox-static is installed");
    std::os::unix::fs::symlink("../bin", layer.join("usr/bin")).expect("a link is made");
    write_program(&layer.join("bin/bash"), "#!/bin/busybox sh\nexec /bin/busybox sh \"$@\"\n");
    PROGRAMS.iter().for_each(|name| write_program(&layer.join("bin").join(name), "#!/bin/busybox sh\necho 3.11\n"));
    layer
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a program is written");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("a program is made executable");
}

/// The corpus as files: `specs` and `context`.
fn unpack(folder: &Path) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (archive, name) in [("photon-dev-specs.tar.zst", "specs"), ("context-photon.tar.zst", "context")] {
        let content = corpus::read(&folder.join(archive)).expect("the archive is read");
        let unpacked = root.path().join(name);
        tar::Archive::new(content.as_slice()).unpack(&unpacked).expect("the archive is unpacked");
    }
    root
}

fn evaluate(corpus: &Corpus, specs: &[String]) {
    let context = PreparedContext::new(&corpus.context("x86_64", &[]));
    let evaluated = specs.par_iter().filter(|spec| corpus.evaluate(spec, &context).package.is_some()).count();
    assert!(evaluated * 100 > specs.len() * 99, "only {evaluated} specs are evaluated");
}

/// What `rpmspec` needs: the corpus as files.
struct Rpmspec {
    root: tempfile::TempDir,
    options: Vec<String>,
}

impl Rpmspec {
    fn new(folder: &Path) -> Self {
        let root = unpack(folder);
        let programs = root.path().join("bin");
        std::fs::create_dir(&programs).expect("a folder is made");
        for program in PROGRAMS {
            write_program(&programs.join(program), "#!/bin/sh\n");
        }
        let context = only_folder(&root.path().join("context"));
        let described = std::fs::read(context.join("context.json")).expect("the context is described");
        let described: serde_json::Value = serde_json::from_slice(&described).expect("the description is JSON");
        let files = |key: &str| {
            let names = described[key].as_array().into_iter().flatten().filter_map(|name| name.as_str());
            let paths = names.map(|name| context.join(name.replace("%{_target}", "x86_64-linux")));
            paths.map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
        };
        let mut options = vec![
            format!("--macros={}", files("macro_files")),
            format!("--rcfile={}", files("rcfiles")),
            "--target=x86_64-linux".to_owned(),
        ];
        for define in described["defines"].as_array().into_iter().flatten() {
            let (name, value) = (define["name"].as_str().unwrap_or(""), define["value"].as_str().unwrap_or(""));
            options.extend(["--define".to_owned(), format!("{name} {value}")]);
        }
        Self { root, options }
    }

    fn evaluate(&self, spec: &str) {
        let spec = only_folder(&self.root.path().join("specs")).join(spec);
        let folder = spec.parent().unwrap_or(Path::new("/")).display().to_string();
        let path = format!("{}:{}", self.root.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("rpmspec");
        command.args(&self.options).args(["--define", &format!("_sourcedir {folder}"), "-P"]).arg(&spec);
        command.env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null());
        // Two specs are for another architecture: that is an answer too.
        assert!(command.status().is_ok(), "rpmspec cannot be run");
    }
}

/// The one folder in a folder.
fn only_folder(folder: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(folder).expect("the archive was unpacked");
    entries.next().expect("an archive has a folder").expect("the folder is listed").path()
}
