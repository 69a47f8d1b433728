//! One job server for all builds of a run: a broker that moves GNU make's tokens between them, so that together they
//! keep all CPUs busy and no more.
//!
//! Every build has a pipe of its own (a fifo, shown in its root): no build can talk to another through it, or take away
//! what another was given. The pipe counts tokens and the broker decides ([`pool`]); it looks at all pipes many times a
//! second, since a pipe that is empty tells nobody.

mod pool;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use planner::JobId;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::net::unix::pipe::{self, Receiver, Sender};

use pool::{Change, Pool};

/// Where a build root shows the folder of its pipe.
pub(super) const FOLDER: &str = "/mnt/jobs";

/// The pipe's name in that folder.
const PIPE: &str = "tokens";

/// How often the broker looks at the pipes.
const TURN: Duration = Duration::from_millis(20);

/// How often it looks again before that because a token has come; a build that floods its pipe keeps nobody busy.
const MOST_EARLY: u32 = 100;

/// What makes a command's descriptor 3 its pipe: the name of the pipe and the command follow. Descriptors are what
/// every version of GNU make since 4.2 understands; names of fifos only those since 4.4.
pub(super) const WRAPPER: [&str; 4] = ["/bin/sh", "-c", "exec 3<>\"$0\" && exec \"$@\"", "/mnt/jobs/tokens"];

/// What GNU make is told of it.
pub(super) const MAKE_FLAGS: &str = "--jobserver-auth=3,3";

/// The broker of one run.
pub(super) struct JobServer {
    state: Arc<Mutex<State>>,
    ticking: tokio::task::JoinHandle<()>,
}

struct State {
    pool: Pool,
    pipes: BTreeMap<JobId, Pipe>,
}

/// Both ends of the pipe of one build.
struct Pipe {
    input: Sender,
    output: Arc<Receiver>,
}

/// Waits until a token lies in a pipe; gives nothing if there is no such pipe.
async fn readable(pipe: Option<Arc<Receiver>>) -> Option<()> {
    pipe?.readable().await.ok()
}

impl JobServer {
    /// Starts the broker, on a machine of so many CPUs.
    pub(super) fn start(cpus: usize) -> Self {
        let state = Arc::new(Mutex::new(State { pool: Pool::new(cpus), pipes: BTreeMap::new() }));
        let shared = Arc::clone(&state);
        let ticking = tokio::spawn(async move {
            let mut turns = tokio::time::interval(TURN);
            turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            let mut early = 0;
            loop {
                let awaited = lock(&shared).turn().filter(|_| early < MOST_EARLY);
                tokio::select! {
                    _ = turns.tick() => early = 0,
                    // A `make` that has more to do takes its token again in a moment.
                    Some(()) = readable(awaited) => early += 1,
                }
            }
        });
        Self { state, ticking }
    }

    /// A build begins: makes its pipe in `folder`, which is made as well. The build takes part until what is returned is
    /// dropped.
    ///
    /// # Errors
    /// The pipe cannot be made.
    pub(super) fn join(&self, id: &JobId, folder: &Path, remaining: f64) -> io::Result<Membership> {
        fs::create_dir_all(folder)?;
        let path = folder.join(PIPE);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        // Whatever the umask is: inside, another user writes to it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
        // Each end counts as both, so that the pipe never ends.
        let mut both = pipe::OpenOptions::new();
        both.read_write(true);
        let pipe = Pipe { input: both.open_sender(&path)?, output: Arc::new(both.open_receiver(&path)?) };
        let mut state = lock(&self.state);
        state.pool.join(id, remaining);
        state.pipes.insert(id.clone(), pipe);
        state.turn();
        Ok(Membership { id: id.clone(), state: Arc::clone(&self.state), folder: folder.to_owned() })
    }
}

impl Drop for JobServer {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

/// A build that takes part.
pub(super) struct Membership {
    id: JobId,
    state: Arc<Mutex<State>>,
    /// The folder of its pipe, on the host.
    pub(super) folder: PathBuf,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.pipes.remove(&self.id);
        state.pool.leave(&self.id);
    }
}

impl State {
    /// Looks at all pipes and does what the pool decides. Returns the pipe that something is to be taken from as soon
    /// as it lies there.
    fn turn(&mut self) -> Option<Arc<Receiver>> {
        let lying = self.pipes.iter().map(|(id, pipe)| {
            let bytes = rustix::io::ioctl_fionread(&*pipe.output).unwrap_or(0);
            (id.clone(), usize::try_from(bytes).unwrap_or(usize::MAX))
        });
        let mut awaited = None;
        for (id, Change { forged, take, give }) in self.pool.decide(&lying.collect()) {
            let Some(pipe) = self.pipes.get(&id) else { continue };
            read(&pipe.output, forged);
            let taken = read(&pipe.output, take);
            if taken < take {
                awaited = Some(Arc::clone(&pipe.output));
            }
            // A pipe that is full of forged tokens takes none; there is another turn.
            let given = pipe.input.try_write(&b"+".repeat(give)).unwrap_or(0);
            self.pool.took(&id, taken);
            self.pool.gave(&id, given);
        }
        awaited
    }
}

/// Reads up to so many tokens, and returns how many there were.
fn read(pipe: &Receiver, count: usize) -> usize {
    let mut tokens = vec![0; count.min(1 << 16)];
    if tokens.is_empty() { 0 } else { pipe.try_read(&mut tokens).unwrap_or(0) }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A makefile of so many targets, each of which notes how many run.
    fn make(folder: &Path, pipe: &Path, targets: usize) -> Command {
        let names: Vec<String> = (0..targets).map(|number| format!("t{number}")).collect();
        let recipe = "@echo start >>log; sleep 0.2; echo end >>log";
        let text = format!("all: {0}\n{0}:\n\t{recipe}\n", names.join(" "));
        fs::write(folder.join("Makefile"), text).expect("the folder is writable");
        let mut command = Command::new(WRAPPER[0]);
        command.args([WRAPPER[1], WRAPPER[2]]).arg(pipe).args(["make", "-s", MAKE_FLAGS]).current_dir(folder);
        command
    }

    /// The most targets that a log of `make` says ran at once.
    fn most_at_once(folder: &Path) -> usize {
        let log = fs::read_to_string(folder.join("log")).expect("make wrote it");
        let running = log.lines().scan(0_usize, |running, line| {
            *running = if line == "start" { *running + 1 } else { running.saturating_sub(1) };
            Some(*running)
        });
        running.max().unwrap_or(0)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn real_make_gets_what_there_is_and_gives_it_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = JobServer::start(3);
        for name in ["first", "second"] {
            let work = folder.path().join(name);
            let member = server.join(&JobId(name.to_owned()), &work.join("jobs"), 60.0).expect("a pipe can be made");
            let mut command = make(&work, &work.join("jobs").join(PIPE), 12);
            let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("make");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && said.is_empty(), "{said}");
            assert_eq!(most_at_once(&work), 3, "{name}");
            drop(member);
        }
    }
}
