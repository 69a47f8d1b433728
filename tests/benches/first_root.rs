//! From nothing to the first build root: seeds converted, base layer installed, one small package built in it, with
//! the Debian packages already downloaded. Against the floor: rpm alone, installing the same RPMs into an empty root.
//!
//! `cargo bench -p tests --bench first_root`. It holds when it takes under 60 s.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::tree::{Tree, cache};
use tests::{has, is_root, succeed};

const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    let tree = Tree::new();
    tree.spec("small", &[], "");
    let build = |cache: &Path| {
        let _ = succeed(&mut tree.command_with(cache, &["build", "--force", "small", "--sandbox", "linux"]));
    };
    build(&cache());
    // A cache that has apt's downloads and nothing else.
    let empty = tempfile::tempdir_in(cache()).expect("the cache is writable");
    let _ = succeed(Command::new("cp").arg("-a").arg(cache().join("apt")).arg(empty.path()));
    let began = Instant::now();
    build(empty.path());
    let ours = began.elapsed();
    tests::say(&format!("from downloaded packages to the first built package: {:.1} s", ours.as_secs_f64()));
    let ratio = if has("rpm") && is_root() {
        let root = tempfile::tempdir_in(cache()).expect("the cache is writable");
        let began = Instant::now();
        let _ = succeed(
            Command::new("rpm")
                .args(["--define", "_dbpath /var/lib/rpm", "--nodeps", "--noscripts", "--root"])
                .arg(root.path())
                .arg("-i")
                .args(seeds(empty.path())),
        );
        let floor = began.elapsed();
        tests::say(&format!("rpm alone, installing every seed: {:.1} s", floor.as_secs_f64()));
        format!("{:.1}", ours.as_secs_f64() / floor.as_secs_f64())
    } else {
        "none".to_owned()
    };
    let verdict = if ours < LIMIT { "holds" } else { "falls short" };
    tests::say(&format!("first_root: ours_s={:.1} limit_s=60 ratio={ratio} {verdict}", ours.as_secs_f64()));
    std::process::exit(i32::from(ours >= LIMIT));
}

fn seeds(cache: &Path) -> Vec<std::path::PathBuf> {
    let files = walkdir::WalkDir::new(cache.join("seeds")).into_iter().filter_map(Result::ok);
    let rpms = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "rpm"));
    rpms.map(walkdir::DirEntry::into_path).collect()
}
