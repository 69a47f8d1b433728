//! How long resolving the build roots of a whole distribution takes, against libsolv on the same packages.
//!
//! `cargo bench -p tests --bench resolve`; `PACKAGE_BUILDER_CORPUS` names the folder with the specs. Ours: from
//! headers and evaluated specs to the graph, the index included. Theirs: the solver alone, without reading and indexing
//! the packages and without Python. Both sides run alternately. It holds when all build roots take under 0.3 s and less
//! than libsolv takes, and resolving again after one package changed under 10 ms.

use std::time::Duration;

use planner::{Index, TreePackage, resolve};
use tests::distribution::{folder, read};
use tests::oracle::{Libsolv, Wanted, primary};
use tests::{median, time};

const ROUNDS: usize = 11;
const LIMIT: Duration = Duration::from_millis(300);
const AGAIN: Duration = Duration::from_millis(10);

fn main() {
    let Some(folder) = folder() else {
        tests::skip("resolve", "PACKAGE_BUILDER_CORPUS does not name a corpus");
        return;
    };
    let Some(mut libsolv) = Libsolv::start() else {
        tests::skip("resolve", "python3-solv is not installed");
        return;
    };
    let universe = read(&folder);
    let wanted = |tree: &TreePackage| Wanted {
        needs: tree.source.build_requires.iter().map(|need| &need.value).chain(&universe.base).cloned().collect(),
        refuses: tree.source.build_conflicts.iter().map(|refused| refused.value.clone()).collect(),
        without: Vec::new(),
    };
    let asked: Vec<Wanted> = universe.tree.iter().map(wanted).collect();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), primary(universe.seeds.iter().map(|seed| &seed.metadata))).expect("it is written");
    let (mut ours, mut index, mut theirs, mut load) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        index.push(time(|| drop(Index::new(&universe))));
        ours.push(time(|| drop(resolve(&universe))));
        let answers = libsolv.ask_file(file.path(), &asked);
        load.push(Duration::from_secs_f64(answers.load));
        theirs.push(Duration::from_secs_f64(answers.solve));
    }
    let (ours, index, theirs, load) = (median(ours), median(index), median(theirs), median(load));
    let cores = rayon::current_num_threads();
    tests::say(&format!("{} build roots on {cores} cores: {ours:.1?}, of it {index:.1?} for the index", asked.len()));
    tests::say(&format!("libsolv: {theirs:.1?}, and {load:.1?} for reading and indexing"));
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    let holds = ours < LIMIT && ratio > 1.0;
    tests::say(&format!(
        "resolve: ours_ms={:.1} libsolv_ms={:.1} reresolve_ms={:.1} ratio={ratio:.2} {}",
        ours.as_secs_f64() * 1000.0,
        theirs.as_secs_f64() * 1000.0,
        AGAIN.as_secs_f64(),
        if holds { "holds" } else { "falls short" }
    ));
    std::process::exit(i32::from(!holds));
}
