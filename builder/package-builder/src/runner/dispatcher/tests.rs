//! The loop without builds: jobs whose executors do what a test says.

use std::collections::{BTreeMap, BTreeSet};

use planner::Outcome;

use super::*;

/// What a job of a test does; it has failed if it gives `false`.
type Body = fn(&str) -> Executor<bool>;

/// Jobs of a test, and what became of them.
struct Jobs {
    queue: Queue,
    body: Body,
    started: Vec<String>,
    ended: BTreeMap<String, &'static str>,
    running: usize,
    most_running: usize,
    stop_after: usize,
    /// How often each job is tried again.
    again: u32,
    /// How long it rests before.
    pause: Duration,
    tried: BTreeMap<String, u32>,
    /// What there is of what each job takes as much of as its name is long.
    memory: Option<u64>,
    held: Vec<String>,
}

impl Jobs {
    fn new(needs: &[(&str, &[&str])], body: Body) -> Self {
        let needs = needs.iter().map(|(name, needs)| {
            let needs: BTreeSet<String> = needs.iter().map(|need| (*need).to_owned()).collect();
            ((*name).to_owned(), needs)
        });
        let queue = Queue::from_needs(needs.collect(), &BTreeMap::new());
        Self {
            queue,
            body,
            started: Vec::new(),
            ended: BTreeMap::new(),
            running: 0,
            most_running: 0,
            stop_after: usize::MAX,
            again: 0,
            pause: Duration::ZERO,
            tried: BTreeMap::new(),
            memory: None,
            held: Vec::new(),
        }
    }
}

impl Work for Jobs {
    type Message = ();
    type End = bool;

    fn queue(&mut self) -> &mut Queue {
        &mut self.queue
    }

    fn claim(&mut self, id: &JobId) -> Claim {
        Claim { memory: id.0.len() as u64, ..Claim::default() }
    }

    fn room(&mut self) -> Room {
        Room { memory: self.memory, ..Room::default() }
    }

    fn hold(&mut self, id: &JobId, held: &Held) {
        self.held.push(format!("{id}: {held}"));
    }

    fn start(&mut self, id: &JobId, _: &mpsc::UnboundedSender<()>) -> Result<Begun<bool>, CommandError> {
        self.started.push(id.0.clone());
        self.running += 1;
        self.most_running = self.most_running.max(self.running);
        Ok(Begun::Running((self.body)(&id.0)))
    }

    fn hear(&mut self, (): ()) -> Result<(), CommandError> {
        Ok(())
    }

    fn finish(&mut self, id: &JobId, _: f64, end: Result<bool, JoinError>) -> Result<Next, CommandError> {
        self.running -= 1;
        let tried = self.tried.entry(id.0.clone()).or_default();
        *tried += 1;
        if *tried <= self.again {
            return Ok(Next::Again(self.pause));
        }
        let (outcome, word) = match end {
            Ok(true) => (Outcome::Done, "done"),
            Ok(false) => (Outcome::Failed, "failed"),
            Err(_) => (Outcome::Failed, "broken"),
        };
        self.ended.insert(id.0.clone(), word);
        for blocked in self.queue.finish(id, outcome).blocked {
            self.ended.insert(blocked.0, "blocked");
        }
        Ok(Next::Queue)
    }

    fn is_stopping(&self) -> bool {
        self.started.len() >= self.stop_after
    }

    fn interrupt(&mut self, _: Option<usize>) {
        self.stop_after = 0;
    }
}

fn at_once(_: &str) -> Executor<bool> {
    Box::pin(async { true })
}

#[tokio::test]
async fn every_job_runs_after_what_it_needs_and_no_more_at_once_than_there_are_slots() {
    let needs: &[(&str, &[&str])] = &[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"]), ("e", &[])];
    for slots in [1, 2, 8] {
        let mut jobs = Jobs::new(needs, at_once);
        Dispatcher::new(&mut jobs, slots).run().await.expect("nothing goes wrong");
        assert!(jobs.ended.values().all(|end| *end == "done") && jobs.ended.len() == 5, "{:?}", jobs.ended);
        assert!(jobs.most_running <= slots);
        let place = |name: &str| jobs.started.iter().position(|started| started == name);
        for (name, needs) in needs {
            assert!(needs.iter().all(|need| place(need) < place(name)), "{:?}", jobs.started);
        }
    }
}

#[tokio::test]
async fn an_executor_that_panics_fails_its_job_alone() {
    let body: Body = |name| {
        let panics = name == "bad";
        Box::pin(async move {
            assert!(!panics, "this job panics");
            true
        })
    };
    let mut jobs = Jobs::new(&[("bad", &[]), ("good", &[]), ("needs", &["bad"])], body);
    Dispatcher::new(&mut jobs, 2).run().await.expect("the run goes on");
    let ends: Vec<_> = jobs.ended.iter().map(|(name, end)| (&**name, *end)).collect();
    assert_eq!(ends, [("bad", "broken"), ("good", "done"), ("needs", "blocked")]);
}

#[tokio::test]
async fn a_run_that_stops_starts_nothing_more() {
    let mut jobs = Jobs::new(&[("a", &[]), ("b", &[]), ("c", &[])], at_once);
    jobs.stop_after = 2;
    Dispatcher::new(&mut jobs, 1).run().await.expect("nothing goes wrong");
    assert_eq!(jobs.ended.len(), 2);
}

#[tokio::test]
async fn a_job_that_is_tried_again_rests_first_and_others_have_its_slot() {
    let mut jobs = Jobs::new(&[("a", &[]), ("b", &[]), ("c", &["a"])], at_once);
    (jobs.again, jobs.pause) = (2, Duration::from_millis(2));
    Dispatcher::new(&mut jobs, 1).run().await.expect("nothing goes wrong");
    assert!(jobs.ended.values().all(|end| *end == "done") && jobs.tried.values().all(|tried| *tried == 3));
    assert_eq!(jobs.started[..2], ["a", "b"]);
    assert_eq!((jobs.started.len(), jobs.most_running), (9, 1));
}

#[tokio::test]
async fn a_run_that_stops_does_not_wait_for_what_rests() {
    let mut jobs = Jobs::new(&[("a", &[]), ("b", &[])], at_once);
    (jobs.again, jobs.pause, jobs.stop_after) = (1, Duration::from_secs(86_400), 2);
    Dispatcher::new(&mut jobs, 1).run().await.expect("nothing goes wrong");
    assert!(jobs.ended.is_empty(), "{:?}", jobs.ended);
}

#[tokio::test]
async fn what_does_not_fit_waits_for_the_end_of_what_runs() {
    let mut jobs = Jobs::new(&[("aaaa", &[]), ("bbb", &[]), ("c", &[])], at_once);
    jobs.memory = Some(5);
    Dispatcher::new(&mut jobs, 3).run().await.expect("nothing goes wrong");
    assert_eq!((jobs.ended.len(), jobs.most_running), (3, 2), "{:?}", jobs.ended);
    assert_eq!(jobs.started[..2], ["aaaa", "c"]);
    assert!(jobs.held.iter().all(|held| held.starts_with("bbb: it takes about")) && !jobs.held.is_empty());
}
