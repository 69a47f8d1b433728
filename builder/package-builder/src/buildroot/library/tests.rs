//! What the library chooses, keeps and removes, with a sandbox that only makes directories.

use sandbox::fake::{FakeSandbox, Reply};
use sandbox::{Limits, SessionSpec};

use super::*;

fn packages(names: &[&str]) -> Packages {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn library(cache: &Path) -> Library {
    let sandbox: Arc<dyn Sandbox> = Arc::new(FakeSandbox::new(|_| Ok(Reply::exited(0, ""))));
    Library::open(cache, "base", &sandbox).await.expect("the folder is writable")
}

/// Adds a layer with which these packages are there.
async fn add(library: &Library, names: &[&str]) -> Stack {
    let wanted = packages(names);
    let stack = library.stack(&wanted).await.expect("the folder is readable");
    let new = library.begin(wanted).expect("the folder is writable");
    let spec = SessionSpec {
        name: "layer".to_owned(),
        layer: PathBuf::from("/base"),
        above: stack.above.clone(),
        scratch: new.scratch(),
        binds: Vec::new(),
        volumes: Vec::new(),
        limits: Limits::default(),
    };
    let session = library.sandbox.start(spec).await.expect("it only pretends");
    library.finish(new, session, stack).await.expect("the folder is writable")
}

async fn found(library: &Library, names: &[&str]) -> Packages {
    library.stack(&packages(names)).await.expect("the folder is readable").packages
}

#[tokio::test]
async fn the_largest_layers_within_what_is_needed_are_taken_by_every_later_run() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let library = library(cache.path()).await;
    assert_eq!(found(&library, &["a", "b"]).await, packages(&[]));
    let one = add(&library, &["a"]).await;
    let two = add(&library, &["a", "b"]).await;
    add(&library, &["c"]).await;
    assert_eq!((one.above.len(), two.above.len()), (1, 2));
    assert_eq!(two.above[0], one.above[0], "it stands on the smaller one");
    let again = self::library(cache.path()).await;
    for library in [library, again] {
        assert_eq!(found(&library, &["a", "b", "d"]).await, packages(&["a", "b"]));
        assert_eq!(found(&library, &["a", "c"]).await.len(), 1);
        assert_eq!(found(&library, &["b"]).await, packages(&[]));
    }
}

#[tokio::test]
async fn a_layer_that_was_lost_is_no_layer_and_neither_is_one_that_nobody_knows() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let library = library(cache.path()).await;
    let one = add(&library, &["a"]).await;
    let two = add(&library, &["a", "b"]).await;
    fs::remove_dir(&two.above[1]).expect("it is empty");
    assert_eq!(found(&library, &["a", "b"]).await, packages(&["a"]));
    let folder = library.folder.clone();
    // Killed before it was entered, and while it was made.
    fs::create_dir_all(folder.join("unknown")).expect("the folder is writable");
    fs::create_dir_all(folder.join(".new-x/scratch/upper")).expect("the folder is writable");
    let held = library.begin(packages(&["c"])).expect("the folder is writable");
    let again = self::library(cache.path()).await;
    assert!(!folder.join("unknown").exists() && !folder.join(".new-x").exists() && held.scratch().is_dir());
    assert_eq!(found(&again, &["a", "b"]).await, one.packages);
}

#[tokio::test]
async fn only_what_is_wanted_again_is_kept() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let library = library(cache.path()).await;
    let keeps = |names: &[&str], others: usize| library.keeps(&packages(names), others).expect("it is writable");
    assert!(keeps(&["a"], 1), "by another build");
    assert!(!keeps(&["b"], 0) && keeps(&["b"], 0), "for the second time");
}

#[tokio::test]
async fn what_was_not_used_for_longest_goes_first_and_nothing_that_is_in_use() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let sandbox = FakeSandbox::new(|_| Ok(Reply::exited(0, "")));
    let sandbox: Arc<dyn Sandbox> = Arc::new(sandbox.using(sandbox::Usage { disk: Some(10), ..Default::default() }));
    let library = Library::open(cache.path(), "base", &sandbox).await.expect("the folder is writable");
    let stacks = [add(&library, &["a"]).await, add(&library, &["a", "b"]).await, add(&library, &["c"]).await];
    assert_eq!(library.collect(0).await.expect("nothing is removed"), 0, "all are in use");
    let [one, two, other] = stacks;
    drop((one, two, other));
    let _used = library.stack(&packages(&["a"])).await.expect("the folder is readable");
    assert_eq!(library.collect(20).await.expect("it is writable"), 1);
    assert_eq!(found(&library, &["a", "b"]).await, packages(&["a"]), "what stands on another goes before it");
    assert_eq!(library.collect(0).await.expect("it is writable"), 1);
    assert_eq!(found(&library, &["a", "c"]).await, packages(&["a"]));
}
