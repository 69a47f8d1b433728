//! What a simulation tells, as text and as JSON.

use std::fmt;
use std::num::NonZeroUsize;

use planner::Workload;
use planner::simulate::{Bound, Help, Timeline};
use report::text::{duration, plural};
use serde::Serialize;

/// How many packages of the critical path are tried at half their length, the longest ones.
const TRIED: usize = 5;

/// Packages without a recorded duration.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Guesses {
    /// How many there are.
    pub(crate) packages: usize,
    /// What each is taken to be.
    pub(crate) seconds: f64,
}

/// What a run is expected to take.
#[derive(Debug, Serialize)]
pub(crate) struct Expected {
    jobs: usize,
    seconds: f64,
    bound: Bound,
    packages: usize,
    guesses: Guesses,
}

impl Expected {
    pub(crate) fn new(workload: &Workload, guesses: Guesses, jobs: NonZeroUsize) -> Self {
        let Timeline { seconds, bound, .. } = workload.run(jobs);
        Self { jobs: jobs.get(), seconds, bound, packages: workload.jobs().len(), guesses }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jobs, seconds, packages, guesses, .. } = self;
        write!(formatter, "about {} with {} at once", duration(*seconds), plural(*jobs, "job"))?;
        match guesses.packages {
            0 => writeln!(formatter),
            some => writeln!(
                formatter,
                "; {some} of {} never timed, {} each",
                plural(*packages, "package"),
                duration(guesses.seconds)
            ),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    packages: usize,
    /// What cannot be built and is left out.
    blocked: usize,
    work_seconds: f64,
    guesses: Guesses,
    critical_path: Vec<Step>,
    runs: Vec<Run>,
    /// What would help in the last of these.
    helps: Vec<Help>,
}

/// One package of the critical path.
#[derive(Debug, Serialize)]
struct Step {
    package: String,
    seconds: f64,
}

/// One simulation.
#[derive(Debug, Serialize)]
struct Run {
    jobs: usize,
    seconds: f64,
    bound: Bound,
    efficiency: f64,
    idle_seconds: f64,
    /// With a job server for so many cores, and the best number of jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_server: Option<JobServer>,
}

/// A simulation with a job server.
#[derive(Debug, Serialize)]
struct JobServer {
    jobs: usize,
    seconds: f64,
}

impl Answer {
    pub(super) fn new(
        workload: &Workload,
        served: Option<&Workload>,
        guesses: Guesses,
        blocked: usize,
        jobs: &[NonZeroUsize],
    ) -> Self {
        let step = |package: &str| Step { package: package.to_owned(), seconds: workload.jobs()[package].seconds };
        let serve = |workload: &Workload, cores: NonZeroUsize| {
            let timeline = workload.best_with_job_server(cores);
            JobServer { jobs: timeline.slots, seconds: timeline.seconds }
        };
        let run = |jobs: &NonZeroUsize| {
            let timeline = workload.run(*jobs);
            Run {
                jobs: jobs.get(),
                seconds: timeline.seconds,
                bound: timeline.bound,
                efficiency: timeline.efficiency(),
                idle_seconds: timeline.idle,
                job_server: served.map(|workload| serve(workload, *jobs)),
            }
        };
        Self {
            packages: workload.jobs().len(),
            blocked,
            work_seconds: workload.work_seconds(),
            guesses,
            critical_path: workload.critical_path().iter().map(|id| step(&id.0)).collect(),
            runs: jobs.iter().map(run).collect(),
            helps: jobs.last().map(|jobs| workload.what_helps(*jobs, TRIED)).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}, {} of work", plural(self.packages, "package"), duration(self.work_seconds))?;
        if self.blocked > 0 {
            writeln!(formatter, "left out: {} that cannot be built", plural(self.blocked, "package"))?;
        }
        if self.guesses.packages > 0 {
            let Guesses { packages, seconds } = self.guesses;
            writeln!(formatter, "{} never timed, taken for {} each", plural(packages, "package"), duration(seconds))?;
        }
        let server = self.runs.iter().any(|run| run.job_server.is_some());
        let more = if server { "  job server" } else { "" };
        writeln!(formatter, "\njobs  makespan  lower bound  efficiency  idle  bound by{more}")?;
        for run in &self.runs {
            let by = match run.bound {
                Bound::Work { .. } => "work",
                Bound::Path { .. } => "path",
            };
            let (makespan, bound) = (duration(run.seconds), duration(run.bound.seconds()));
            let (efficiency, idle) =
                (100.0 * run.efficiency, 100.0 * share(run.idle_seconds, run.seconds * run.jobs as f64));
            write!(formatter, "{:4}  {makespan:>8}  {bound:>11}  {efficiency:8.1} %  {idle:2.0} %  ", run.jobs)?;
            match &run.job_server {
                Some(JobServer { jobs, seconds }) => {
                    writeln!(formatter, "{by:8}  {} with {}", duration(*seconds), plural(*jobs, "job"))?;
                }
                None => writeln!(formatter, "{by}")?,
            }
        }
        let path = self.critical_path.iter().map(|step| step.seconds).sum();
        writeln!(formatter, "\ncritical path, {}:", duration(path))?;
        for step in &self.critical_path {
            writeln!(formatter, "{:>8}  {}", duration(step.seconds), step.package)?;
        }
        self.runs.last().map_or(Ok(()), |run| helps(formatter, run, &self.helps))
    }
}

/// What would help most in one run.
fn helps(formatter: &mut fmt::Formatter<'_>, run: &Run, helps: &[Help]) -> fmt::Result {
    let jobs = plural(run.jobs, "job");
    if matches!(run.bound, Bound::Work { .. }) {
        return writeln!(formatter, "\nwith {jobs} at once, more jobs at once help most");
    }
    let helps: Vec<&Help> = helps.iter().filter(|help| help.if_halved < run.seconds).collect();
    if helps.is_empty() {
        return writeln!(formatter, "\nwith {jobs} at once, no package helps alone: other paths are as long");
    }
    writeln!(formatter, "\nwith {jobs} at once, what helps most:")?;
    let width = helps.iter().map(|help| help.job.0.len()).max().unwrap_or(0);
    for help in helps {
        let (halved, split) = (duration(help.if_halved), duration(help.if_split));
        writeln!(formatter, "  {:width$}  at half its length {halved:>6}, as two packages {split:>6}", help.job.0)?;
    }
    Ok(())
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part.max(0.0) / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use planner::simulate::file;

    use super::*;

    fn jobs(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).expect("there is a job")
    }

    fn workload() -> Workload {
        let text = br#"{"packages": {"gcc": {"minutes": 40, "needs": []}, "jq": {"minutes": 2, "needs": ["gcc"]},
            "zlib": {"minutes": 5, "needs": []}}}"#;
        file::parse(text, 0.5).expect("it is a workload")
    }

    #[test]
    fn the_text_has_runs_the_critical_path_and_what_helps() {
        let guesses = Guesses { packages: 1, seconds: 300.0 };
        let text = Answer::new(&workload(), Some(&workload()), guesses, 2, &[jobs(1), jobs(2)]).to_string();
        let expected = "3 packages, 47m00s of work
left out: 2 packages that cannot be built
1 package never timed, taken for 5m00s each

jobs  makespan  lower bound  efficiency  idle  bound by  job server
   1    47m00s       47m00s     100.0 %   0 %  work      47m00s with 1 job
   2    42m00s       42m00s     100.0 %  44 %  path      32m45s with 2 jobs

critical path, 42m00s:
  40m00s  gcc
   2m00s  jq

with 2 jobs at once, what helps most:
  gcc  at half its length 22m00s, as two packages 25m00s
  jq   at half its length 41m00s, as two packages 41m00s
";
        assert_eq!(text, expected);
    }

    #[test]
    fn where_work_is_the_bound_more_jobs_help() {
        let text = Answer::new(&workload(), None, Guesses::default(), 0, &[jobs(1)]).to_string();
        assert!(text.contains("bound by\n") && text.ends_with("\nwith 1 job at once, more jobs at once help most\n"));
    }

    #[test]
    fn what_is_expected_says_what_of_it_is_guessed() {
        let expected = |guesses| Expected::new(&workload(), guesses, jobs(2)).to_string();
        assert_eq!(expected(Guesses::default()), "about 42m00s with 2 jobs at once\n");
        let guessed = expected(Guesses { packages: 2, seconds: 60.0 });
        assert_eq!(guessed, "about 42m00s with 2 jobs at once; 2 of 3 packages never timed, 1m00s each\n");
    }
}
