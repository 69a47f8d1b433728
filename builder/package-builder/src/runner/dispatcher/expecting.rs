//! What is expected of builds while they run: the time that is left, and which of them took more than they should.

use std::time::{Duration, Instant};

use planner::{Estimate, JobId};
use report::{EventKind, Regression};

use super::builds::Builds;
use super::ending::Taken;
use crate::history::forecast;

/// How often the time that is left is told at most: it is of use to people only, and looks at every job.
const FORECAST_EVERY: Duration = Duration::from_secs(1);

impl Builds<'_> {
    /// Tells the time that is left, unless it was told a moment ago or nobody knows.
    pub(super) fn tell_forecast(&mut self) {
        if self.forecast.is_some_and(|told| told.elapsed() < FORECAST_EVERY) {
            return;
        }
        self.forecast = Some(Instant::now());
        let running = self.running.iter().map(|(id, running)| (id.clone(), running.since.elapsed().as_secs_f64()));
        let jobs = self.planning.specs.keys().map(String::as_str);
        let (estimates, slots) = (&self.planning.estimates, self.options.jobs);
        if let Some(forecast) = forecast(&self.queue, jobs, estimates, &running.collect(), slots) {
            let (seconds, critical_path) = (forecast.seconds, forecast.critical_path);
            self.events.emit(EventKind::Forecast { seconds, critical_path });
        }
    }

    /// What a successful build took clearly more of than its earlier ones.
    pub(super) fn regressions(&self, id: &JobId, taken: &Taken) -> Vec<Regression> {
        let Some(attempt) = &taken.attempt else { return Vec::new() };
        let took = Estimate {
            seconds: taken.seconds,
            cpu_seconds: attempt.cpu_seconds,
            memory: attempt.peak_memory,
            disk: attempt.disk,
        };
        self.planning.estimates.regressions(&id.0, &took)
    }
}
