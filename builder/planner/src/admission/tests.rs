//! Each rule by an example, and what holds whatever comes.

use proptest::prelude::*;

use super::*;

fn job(name: &str) -> JobId {
    JobId(name.to_owned())
}

fn memory(bytes: u64) -> Claim {
    Claim { memory: bytes, ..Claim::default() }
}

/// Room for so much memory and nothing else that is limited.
fn room(memory: u64) -> Room {
    Room { memory: Some(memory), ..Room::default() }
}

fn offered(jobs: &[(&str, Claim)]) -> Admission {
    let mut admission = Admission::default();
    for (place, (name, claim)) in jobs.iter().enumerate() {
        admission.offer(job(name), *claim, -(place as f64));
    }
    admission
}

#[test]
fn the_longest_path_goes_first_and_then_the_first_by_name() {
    let mut admission = Admission::default();
    for (name, remaining) in [("b", 1.0), ("long", 9.0), ("a", 1.0)] {
        admission.offer(job(name), Claim::default(), remaining);
    }
    let mut next = || admission.next(&Room::default());
    let started = [next(), next(), next(), next()];
    let start = |name| Decision::Start(job(name));
    assert_eq!(started, [start("long"), start("a"), start("b"), Decision::Nothing]);
}

#[test]
fn what_does_not_fit_waits_with_its_reason_and_what_fits_passes_it() {
    let mut admission = offered(&[("one", memory(6)), ("two", memory(5)), ("three", memory(4))]);
    assert_eq!(admission.next(&room(10)), Decision::Start(job("one")));
    assert_eq!(admission.next(&room(10)), Decision::Start(job("three")));
    assert_eq!(admission.next(&room(10)), Decision::Wait(job("two"), Held::Memory { wanted: 5, left: 0 }));
    admission.ended(&job("three"));
    assert_eq!(admission.next(&room(10)), Decision::Wait(job("two"), Held::Memory { wanted: 5, left: 4 }));
    admission.ended(&job("one"));
    assert_eq!(admission.next(&room(10)), Decision::Start(job("two")));
}

#[test]
fn a_job_too_big_for_the_machine_runs_alone() {
    let mut admission = offered(&[("huge", memory(100)), ("small", memory(1))]);
    assert_eq!(admission.next(&room(10)), Decision::Start(job("huge")));
    assert_eq!(admission.next(&room(10)), Decision::Wait(job("small"), Held::Memory { wanted: 1, left: 0 }));
}

#[test]
fn a_lone_job_waits_for_all_others_and_all_others_for_it() {
    let alone = Claim { alone: true, ..Claim::default() };
    let mut admission = offered(&[("a", Claim::default()), ("lone", alone), ("b", Claim::default())]);
    assert_eq!(admission.next(&Room::default()), Decision::Start(job("a")));
    assert_eq!(admission.next(&Room::default()), Decision::Start(job("b")));
    assert_eq!(admission.next(&Room::default()), Decision::Wait(job("lone"), Held::Lone(2)));
    admission.ended(&job("a"));
    admission.ended(&job("b"));
    assert_eq!(admission.next(&Room::default()), Decision::Start(job("lone")));
    admission.offer(job("c"), Claim::default(), 0.0);
    assert_eq!(admission.next(&Room::default()), Decision::Wait(job("c"), Held::BehindLone(job("lone"))));
}

#[test]
fn cpus_disk_and_pressure_hold_jobs_back() {
    let busy = Claim { cpus: 1.9, disk: 4, ..Claim::default() };
    let rooms = [
        (Room { cpus: Some(2.0), ..Room::default() }, 2, Held::Cpus),
        (Room { disk: Some(7), ..Room::default() }, 1, Held::Disk { wanted: 4, left: 3 }),
        (Room { pressure: Some(30.0), ..Room::default() }, 1, Held::Pressure(30.0)),
    ];
    for (room, fitting, held) in rooms {
        let mut admission = offered(&[("a", busy), ("b", busy), ("c", busy)]);
        (0..fitting).for_each(|_| assert!(matches!(admission.next(&room), Decision::Start(_)), "{room:?}"));
        assert!(matches!(admission.next(&room), Decision::Wait(_, why) if why == held), "{room:?}");
    }
}

#[test]
fn what_was_never_measured_counts_as_the_default_or_a_fair_share() {
    let unknown = Estimate { seconds: 60.0, ..Estimate::default() };
    assert_eq!(Claim::of(&unknown, Some(64 << 30), 4).memory, UNKNOWN_MEMORY);
    assert_eq!(Claim::of(&unknown, Some(1 << 30), 4).memory, 256 << 20);
    assert_eq!(Claim::of(&unknown, None, 4).cpus, 1.0);
    let known = Estimate { cpu_seconds: Some(90.0), memory: Some(3 << 30), ..unknown };
    let claim = Claim::of(&known, Some(8 << 30), 4);
    assert_eq!((claim.memory, claim.cpus), (3 << 30, 1.5));
    assert_eq!(claim.most_memory(8 << 30, 4), 9 << 29);
    assert_eq!(Claim { alone: true, ..claim }.most_memory(8 << 30, 4), 8 << 30);
    assert_eq!(Claim::of(&unknown, Some(8 << 30), 4).most_memory(8 << 30, 4), 2 << 30);
}

/// Memory, length and whether it is alone, of a job.
fn jobs() -> impl Strategy<Value = Vec<(u64, u32, bool)>> {
    prop::collection::vec((1_u64..150, 1_u32..10, prop::bool::weighted(0.1)), 1..60)
}

proptest! {
    /// New jobs become ready all the time, each job runs for its number of turns, and in every turn all that may start
    /// does, up to the slots.
    #[test]
    fn the_room_is_kept_nothing_starves_and_all_comes_to_its_end(jobs in jobs(), slots in 1_usize..6, together in 1_usize..5) {
        let room = room(100);
        let mut admission = Admission::default();
        let mut coming = jobs.iter().enumerate();
        let mut running: Vec<(usize, u32)> = Vec::new();
        let mut waiting: BTreeMap<usize, u32> = BTreeMap::new();
        for _turn in 0..10_000 {
            for (place, (memory, length, alone)) in coming.by_ref().take(together) {
                let claim = Claim { memory: *memory, alone: *alone, ..Claim::default() };
                admission.offer(job(&place.to_string()), claim, f64::from(*length));
                waiting.insert(place, 0);
            }
            while running.len() < slots {
                let Decision::Start(id) = admission.next(&room) else { break };
                let started: usize = id.0.parse().expect("a number");
                waiting.remove(&started);
                let order = |place: usize| (std::cmp::Reverse(jobs[place].1), place.to_string());
                for (other, passed) in &mut waiting {
                    *passed += u32::from(order(*other) < order(started));
                    prop_assert!(*passed <= MOST_PASSES, "{} was passed too often", other);
                }
                running.push((started, jobs[started].1));
                let taken: u64 = running.iter().map(|(place, _)| jobs[*place].0).sum();
                prop_assert!(taken <= 100 || running.len() == 1, "{} of 100 are taken", taken);
                prop_assert!(running.len() == 1 || !running.iter().any(|(place, _)| jobs[*place].2), "not alone");
            }
            prop_assert!(!running.is_empty() || waiting.is_empty(), "nothing runs and something is ready");
            for (place, left) in &mut running {
                *left -= 1;
                if *left == 0 {
                    admission.ended(&job(&place.to_string()));
                }
            }
            running.retain(|(_, left)| *left > 0);
            if running.is_empty() && waiting.is_empty() && coming.len() == 0 {
                return Ok(());
            }
        }
        prop_assert!(false, "it never ends");
    }
}
