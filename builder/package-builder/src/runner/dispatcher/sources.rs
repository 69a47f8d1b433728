//! What a job needs from outside before it can be built: its sources, and RPMs of seeds.

use std::path::PathBuf;
use std::sync::Arc;

use crate::runner::events::Events;
use crate::runner::ground::bring;
use crate::runner::inputs::{fetch_requests, fetch_settings};
use crate::runner::job::JobError;
use crate::runner::planning::Planning;
use crate::seeds::{Seed, SeedRpm};
use crate::sources::{FetchSettings, SourceRequest};

/// The sources of a job: fetched before the run, or to be fetched by the executor.
pub(super) enum JobSources {
    Here(Vec<(String, PathBuf)>),
    ToFetch(Vec<SourceRequest>, FetchSettings),
}

impl JobSources {
    pub(super) fn to_fetch(planning: &Planning, package: &str) -> Self {
        let requests = planning.inputs.get(package).map(|inputs| inputs.requests.clone()).unwrap_or_default();
        Self::ToFetch(requests, fetch_settings(planning))
    }

    pub(super) async fn bring(self, package: &str, events: &Arc<Events>) -> Result<Vec<(String, PathBuf)>, JobError> {
        let (requests, settings) = match self {
            Self::Here(sources) => return Ok(sources),
            Self::ToFetch(requests, settings) => (requests, settings),
        };
        let (package, events) = (package.to_owned(), Arc::clone(events));
        let fetching = tokio::task::spawn_blocking(move || {
            fetch_requests(&[&package], &requests, &settings, &events).remove(&package)
        });
        let fetched = fetching.await.map_err(|error| JobError::Broken(error.to_string()))?;
        fetched.unwrap_or(Ok(Vec::new())).map_err(JobError::Sources)
    }
}

/// Makes sure that the RPMs of seeds are there, which may take a download.
pub(super) async fn bring_seeds(rpms: &[SeedRpm], sets: Arc<[Seed]>, events: &Arc<Events>) -> Result<(), JobError> {
    let (rpms, events) = (rpms.to_vec(), Arc::clone(events));
    let bringing = tokio::task::spawn_blocking(move || bring(&sets, &rpms.iter().collect::<Vec<_>>(), &events));
    bringing.await.map_err(|error| JobError::Broken(error.to_string()))?.map_err(JobError::Seed)
}
