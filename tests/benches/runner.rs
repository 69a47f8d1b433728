//! What the runner costs, and what its job server is worth.
//!
//! `cargo bench -p tests --bench runner`. First 10,000 jobs that do nothing go through the dispatcher and the fake
//! sandbox, beside the same sessions without a dispatcher: it holds when they take under 2 s. Then two real builds, each
//! with a serial part and one that scales to many CPUs, run at once with the job server, and one after the other with
//! all CPUs each, in turn: it holds when together they take no longer (medians, 5 % for noise), and never more compilers
//! run than there are CPUs and two.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use package_builder::error::CommandError;
use package_builder::runner::{Begun, Dispatcher, Executor, Next, Work};
use planner::{Claim, Held, JobId, Outcome, Queue, Room};
use sandbox::fake::{FakeSandbox, Reply};
use sandbox::{ExecSpec, Limits, Sandbox, SandboxError, SessionSpec, User};
use tests::tree::{Tree, cache};
use tests::{is_root, median, run, say, time};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinError;

const JOBS: usize = 10_000;
const LIMIT: Duration = Duration::from_secs(2);
const SLOTS: usize = 16;
const ROUNDS: usize = 3;
const ALLOWANCE: f64 = 1.05;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let bare = time(|| runtime.block_on(sessions()));
    let dispatched = time(|| runtime.block_on(dispatch()));
    say(&format!("{JOBS} sessions of the fake sandbox: {} ms", bare.as_millis()));
    say(&format!("{JOBS} jobs through the dispatcher: {} ms", dispatched.as_millis()));
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let (mut together, mut apart, mut most) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let (at_once, running) = builds("2");
        together.push(at_once);
        most = most.max(running);
        apart.push(builds("1").0);
    }
    let (together, apart) = (median(together), median(apart));
    say(&format!("two builds at once: {:.1} s, at most {most} compilers", together.as_secs_f64()));
    say(&format!("one after the other: {:.1} s", apart.as_secs_f64()));
    let ratio = together.as_secs_f64() / apart.as_secs_f64();
    let holds = dispatched < LIMIT && ratio <= ALLOWANCE && most <= cpus + 2;
    say(&format!(
        "runner: noop_ms={} bare_ms={} limit_ms={} at_once_over_apart={ratio:.2} compilers={most} cpus={cpus} {}",
        dispatched.as_millis(),
        bare.as_millis(),
        LIMIT.as_millis(),
        if holds { "holds" } else { "falls short" }
    ));
    std::process::exit(i32::from(!holds));
}

/// Jobs that start a session, run a command in it and end it.
struct NoOps {
    queue: Queue,
    sandbox: Arc<FakeSandbox>,
    done: usize,
}

impl Work for NoOps {
    type Message = ();
    type End = Result<(), SandboxError>;

    fn queue(&mut self) -> &mut Queue {
        &mut self.queue
    }

    fn claim(&mut self, _: &JobId) -> Claim {
        Claim { memory: 1, cpus: 1.0, ..Claim::default() }
    }

    fn room(&mut self) -> Room {
        Room { memory: Some(SLOTS as u64), ..Room::default() }
    }

    fn hold(&mut self, _: &JobId, _: &Held) {}

    fn start(&mut self, id: &JobId, _: &UnboundedSender<()>) -> Result<Begun<Self::End>, CommandError> {
        let (sandbox, name) = (Arc::clone(&self.sandbox), id.0.clone());
        let executor: Executor<Self::End> = Box::pin(async move { session(&sandbox, name).await });
        Ok(Begun::Running(executor))
    }

    fn hear(&mut self, (): ()) -> Result<(), CommandError> {
        Ok(())
    }

    fn finish(&mut self, id: &JobId, _: f64, end: Result<Self::End, JoinError>) -> Result<Next, CommandError> {
        self.done += usize::from(matches!(end, Ok(Ok(()))));
        self.queue.finish(id, Outcome::Done);
        Ok(Next::Queue)
    }

    fn is_stopping(&self) -> bool {
        false
    }

    fn interrupt(&mut self, _: Option<usize>) {}
}

fn fake() -> FakeSandbox {
    FakeSandbox::new(|_| Ok(Reply::exited(0, "done\n")))
}

async fn session(sandbox: &FakeSandbox, name: String) -> Result<(), SandboxError> {
    let (layer, scratch, limits) = ("/layer".into(), "/scratch".into(), Limits::default());
    let (above, binds, volumes) = (Vec::new(), Vec::new(), Vec::new());
    let spec = SessionSpec { name, layer, above, scratch, binds, volumes, limits };
    let session = sandbox.start(spec).await?;
    let command = ExecSpec {
        argv: vec!["true".to_owned()],
        environment: Vec::new(),
        directory: "/".into(),
        user: User::Builder,
        timeout: None,
        idle_timeout: None,
    };
    session.exec(command, &mut Vec::new()).await?;
    session.end().await
}

async fn sessions() {
    let sandbox = fake();
    for number in 0..JOBS {
        session(&sandbox, number.to_string()).await.expect("it pretends");
    }
}

/// Each job needs up to three earlier ones, as in a tree of packages.
async fn dispatch() {
    let name = |number: usize| format!("job-{number:05}");
    let needs = (0..JOBS).map(|number| {
        let needed = [number / 2, number / 3, number.saturating_sub(97)];
        (name(number), needed.into_iter().filter(|need| *need < number).map(name).collect::<BTreeSet<_>>())
    });
    let queue = Queue::from_needs(needs.collect(), &BTreeMap::new());
    let mut work = NoOps { queue, sandbox: Arc::new(fake()), done: 0 };
    Dispatcher::new(&mut work, SLOTS).run().await.expect("nothing goes wrong");
    assert_eq!(work.done, JOBS);
}

/// How long two builds take, so many at once, and how many of their compilers ran at most.
fn builds(jobs: &str) -> (Duration, usize) {
    let tree = Tree::new();
    let mark = format!("BENCH_{}_{jobs}", std::process::id());
    for name in ["one", "two"] {
        let compile = format!("cc -O2 -D{mark} -c part.c -o");
        let function = "int f$n(int x) { int s = x; for (int i = 0; i < x; i++) s = s * 31 + i / (x + $n); return s; }";
        let build = format!(
            "for n in $(seq 150); do echo \"{function}\"; done >part.c\n\
             for n in 1 2 3 4; do {compile} serial$n.o; done\n\
             cat >Makefile <<'END'\n\
             parts = $(addsuffix .o,1 2 3 4 5 6 7 8 9 10 11 12)\nall: $(parts)\n$(parts):\n\t{compile} $@\nEND\n\
             %make_build"
        );
        tree.spec(name, &["BuildRequires: gcc", "BuildRequires: make"], &build);
    }
    let (is_over, most) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut answer = None;
    let took = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                most.fetch_max(compilers(&mark), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let sandbox = if is_root() { "linux" } else { "auto" };
        let mut command = tree.command_with(&cache(), &["build", "--all", "--jobs", jobs, "--sandbox", sandbox]);
        let took = time(|| answer = Some(run(&mut command)));
        is_over.store(true, Ordering::Relaxed);
        took
    });
    let output = answer.expect("it has run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (took, most.load(Ordering::Relaxed))
}

/// How many compilers with this mark run now.
fn compilers(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let is_ours = |process: &Path| {
        std::fs::read(process.join("cmdline")).is_ok_and(|line| {
            let mut words = line.split(|byte| *byte == 0);
            words.next().is_some_and(|name| name.ends_with(b"/cc1")) && words.any(|word| word == mark.as_bytes())
        })
    };
    processes.filter(|process| is_ours(&process.path())).count()
}
