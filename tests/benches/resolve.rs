//! How long resolving the build roots of a whole distribution takes, against libsolv on the same packages.
//!
//! `cargo bench -p tests --bench resolve`; `PACKAGE_BUILDER_CORPUS` names the folder with the specs. Compared is
//! solving alone: every install set, from an index on our side and a pool on theirs, Python left out. Both sides run
//! alternately. It holds when ours is the quicker one, when all of resolving (the index, the install sets, the reasons
//! and edges of the graph) takes under 0.3 s, and resolving again after one package offers something else under 10 ms.

use std::time::Duration;

use planner::{Index, PackageId, Resolution, TreePackage, Universe, install_sets, resolve_index};
use tests::distribution::{folder, read};
use tests::oracle::{Libsolv, Wanted, primary};
use tests::{median, time};

const ROUNDS: usize = 11;
const LIMIT: Duration = Duration::from_millis(300);
/// One of so many packages changes.
const SAMPLE: usize = 20;
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
    let (mut ours, mut whole, mut index, mut theirs, mut load) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // What is left is cleared away outside the time, on both sides.
        let (mut indexed, mut graph, mut sets) = (None, None, None);
        let for_index = time(|| indexed = Some(Index::new(&universe)));
        let indexed = indexed.expect("it was made");
        ours.push(time(|| sets = Some(install_sets(&indexed))));
        whole.push(for_index + time(|| graph = Some(resolve_index(&indexed))));
        index.push(for_index);
        drop((graph, sets));
        let answers = libsolv.ask_file(file.path(), &asked);
        load.push(Duration::from_secs_f64(answers.load));
        theirs.push(Duration::from_secs_f64(answers.solve));
    }
    let again = again(&universe);
    let (ours, whole, index) = (median(ours), median(whole), median(index));
    let (theirs, load) = (median(theirs), median(load));
    let (count, cores) = (asked.len(), rayon::current_num_threads());
    tests::say(&format!("{count} build roots on {cores} cores: {ours:.1?}; libsolv: {theirs:.1?}"));
    tests::say(&format!("with index, reasons and edges: {whole:.1?}, of it the index {index:.1?}"));
    tests::say(&format!("libsolv with reading and indexing: {:.1?}", theirs + load));
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    let holds = whole < LIMIT && ratio > 1.0 && again < AGAIN;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    tests::say(&format!(
        "resolve: ours_ms={:.1} libsolv_ms={:.1} whole_ms={:.1} reresolve_ms={:.1} ratio={ratio:.2} {}",
        ms(ours),
        ms(theirs),
        ms(whole),
        ms(again),
        if holds { "holds" } else { "falls short" }
    ));
    std::process::exit(i32::from(!holds));
}

/// The median time of resolving again after one package offers nothing but its name, or all it did before.
fn again(universe: &Universe) -> Duration {
    let mut resolution = Resolution::new(universe);
    let (mut times, mut solved, mut most) = (Vec::new(), 0, 0);
    for place in (0..universe.seeds.len()).step_by(SAMPLE) {
        let full = &universe.seeds[place].metadata;
        let mut less = full.clone();
        less.provides.retain(|provided| provided.name == full.nevra.name);
        less.files.clear();
        if less == *full {
            continue;
        }
        for metadata in [&less, full] {
            let metadata = metadata.clone();
            times.push(time(|| {
                let names = resolution.replace(PackageId::Seed(place), metadata).expect("the NEVRA is the same");
                solved += names.len();
                most = most.max(names.len());
            }));
        }
    }
    let (count, worst) = (times.len(), times.iter().max().copied().unwrap_or_default());
    let again = median(times);
    let each = solved / count;
    tests::say(&format!("{count} changes: {again:.1?}, at most {worst:.1?}; {each} build roots each, at most {most}"));
    again
}
