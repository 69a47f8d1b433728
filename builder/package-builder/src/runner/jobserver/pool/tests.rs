//! The rules by examples, and by pipes that random builds use and abuse.

use proptest::prelude::*;

use super::*;

fn job(name: &str) -> JobId {
    JobId(name.to_owned())
}

/// Pipes as numbers, with all that the pool decides done to them.
struct Pipes {
    pool: Pool,
    lying: BTreeMap<JobId, usize>,
}

impl Pipes {
    fn new(cpus: usize, builds: &[(&str, f64)]) -> Self {
        let mut pool = Pool::new(cpus);
        builds.iter().for_each(|(name, remaining)| pool.join(&job(name), *remaining));
        Self { pool, lying: builds.iter().map(|(name, _)| (job(name), 0)).collect() }
    }

    fn turn(&mut self) {
        for (id, change) in self.pool.decide(&self.lying.clone()) {
            let lying = self.lying.entry(id.clone()).or_default();
            *lying -= change.forged.min(*lying);
            let taken = change.take.min(*lying);
            *lying = *lying - taken + change.give;
            self.pool.took(&id, taken);
            self.pool.gave(&id, change.give);
        }
    }

    /// A build takes tokens out of its pipe; returns how many it got.
    fn use_up(&mut self, name: &str, count: usize) -> usize {
        let lying = self.lying.entry(job(name)).or_default();
        let got = count.min(*lying);
        *lying -= got;
        got
    }

    fn put(&mut self, name: &str, count: usize) {
        *self.lying.entry(job(name)).or_default() += count;
    }

    /// Turns in which a build uses every token that it can get; returns how many it has at last.
    fn use_all(&mut self, name: &str, turns: usize) -> usize {
        (0..turns).map(|_| (self.turn(), self.use_up(name, 100)).1).sum()
    }
}

#[test]
fn one_build_gets_all_cpus_and_two_share_them() {
    let mut alone = Pipes::new(8, &[("a", 60.0)]);
    assert_eq!(alone.use_all("a", 20), 7);
    let mut two = Pipes::new(8, &[("a", 60.0), ("b", 60.0)]);
    let mut got = [0, 0];
    for _ in 0..20 {
        two.turn();
        got = [got[0] + two.use_up("a", 100), got[1] + two.use_up("b", 100)];
    }
    assert_eq!(got, [3, 3]);
    assert_eq!(Pipes::new(2, &[("a", 1.0), ("b", 1.0), ("c", 1.0)]).use_all("a", 20), 0, "each has one by itself");
}

#[test]
fn the_longer_path_gets_more() {
    let mut pipes = Pipes::new(10, &[("long", 300.0), ("short", 100.0)]);
    let mut got = [0, 0];
    for _ in 0..20 {
        pipes.turn();
        got = [got[0] + pipes.use_up("long", 100), got[1] + pipes.use_up("short", 100)];
    }
    assert_eq!(got, [6, 2]);
}

#[test]
fn a_build_that_knows_of_no_tokens_keeps_none_from_others() {
    let mut pipes = Pipes::new(4, &[("cmake", 900.0), ("make", 1.0)]);
    assert_eq!(pipes.use_all("make", 20), 2);
    assert_eq!(pipes.lying[&job("cmake")], 0);
}

#[test]
fn what_lies_unused_goes_to_who_is_hungry() {
    let mut pipes = Pipes::new(5, &[("a", 60.0), ("b", 60.0)]);
    let mut had = [0, 0];
    for _ in 0..20 {
        pipes.turn();
        had = [had[0] + pipes.use_up("a", 9), had[1] + pipes.use_up("b", 9)];
    }
    assert_eq!(had.iter().sum::<usize>(), 3);
    // `a` is done with all it had, and keeps one to go on with.
    pipes.put("a", had[0]);
    assert_eq!(had[1] + pipes.use_all("b", 20), 2);
}

#[test]
fn a_build_that_does_not_take_part_is_tried_again_and_again() {
    let mut pipes = Pipes::new(4, &[("later", 60.0), ("now", 60.0)]);
    assert_eq!(pipes.use_all("now", 20), 2);
    let turns = usize::try_from(TRY_AGAIN).expect("a few") + 20;
    let mut got = 0;
    for _ in 0..turns {
        // A process of `now` ends and the next begins.
        pipes.put("now", 1);
        pipes.turn();
        got += pipes.use_up("later", 1);
        pipes.use_up("now", 9);
    }
    assert_eq!(got, 1, "it has its share as soon as it takes part");
}

#[test]
fn forged_tokens_are_thrown_away_and_the_end_frees_all_that_was_given() {
    let mut pipes = Pipes::new(4, &[("liar", 60.0)]);
    let mut got = pipes.use_all("liar", 10);
    pipes.put("liar", 1000);
    pipes.turn();
    assert_eq!((got, pipes.lying[&job("liar")]), (3, 3), "no more than it had been given lies there");
    got = pipes.use_all("liar", 10);
    assert_eq!(got, 3);
    pipes.pool.leave(&job("liar"));
    pipes.lying.clear();
    pipes.pool.join(&job("next"), 1.0);
    assert_eq!(pipes.use_all("next", 10), 3);
}

#[test]
fn a_late_build_gets_its_share_as_soon_as_processes_end() {
    let mut pipes = Pipes::new(6, &[("first", 60.0)]);
    let mut first = pipes.use_all("first", 10);
    assert_eq!(first, 5);
    pipes.pool.join(&job("late"), 60.0);
    let mut late = 0;
    for _ in 0..20 {
        pipes.put("first", 1);
        first -= 1;
        pipes.turn();
        pipes.turn();
        late += pipes.use_up("late", 9);
        first += pipes.use_up("first", 9);
    }
    assert_eq!((first, late), (2, 2));
}

proptest! {
    /// Whatever builds take, put back and forge, no more than what there is was ever given, and where all of it lies
    /// about some build that wants more gets it.
    #[test]
    fn no_more_is_given_than_there_is(
        cpus in 1_usize..12,
        builds in 1_usize..6,
        steps in prop::collection::vec((0_usize..6, 0_usize..4, 0_usize..4), 1..200),
    ) {
        let names: Vec<String> = (0..builds).map(|number| number.to_string()).collect();
        let joined: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 10.0)).collect();
        let mut pipes = Pipes::new(cpus, &joined);
        for (build, take, put) in steps {
            pipes.turn();
            let name = &names[build % builds];
            pipes.use_up(name, take);
            pipes.put(name, put);
            let given: usize = pipes.pool.builds.values().map(|share| share.given).sum();
            prop_assert!(given <= cpus.saturating_sub(builds), "{} tokens for {} builds of {}", given, builds, cpus);
        }
        let others: usize = pipes.pool.builds.iter().filter(|(id, _)| id.0 != "0").map(|(_, share)| share.given).sum();
        names.iter().skip(1).for_each(|name| pipes.put(name, 100));
        pipes.lying.insert(job("0"), 0);
        pipes.pool.took(&job("0"), 100);
        let got = pipes.use_all("0", 300);
        let keeping = (builds - 1).min(others + builds);
        prop_assert!(got + keeping >= cpus.saturating_sub(builds), "{} of {} with {} builds", got, cpus, builds);
    }
}
