//! Options of `simulate`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

/// Options of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Only these packages and what they need [default: all of the tree]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Simulate the packages of this JSON file instead of a tree's
    #[arg(long, value_name = "FILE", conflicts_with = "names")]
    pub graph: Option<PathBuf>,
    /// How many builds run at once, one simulation for each number; what would help is told for the last
    #[arg(short = 'j', short_alias = 't', long, alias = "threads", value_name = "N,…", value_delimiter = ',')]
    #[arg(default_value = "1,2,4,8,16,32")]
    pub jobs: Vec<NonZeroUsize>,
    /// Also with a job server for N cores, where this share of a build's work is parallel if nothing else is known
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub parallel: Option<f64>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 1".to_owned()),
    }
}
