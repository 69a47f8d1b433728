//! A root file system of busybox alone, for benches of sandboxes.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::{ExecSpec, User};

/// Makes the root file system, in a folder.
///
/// # Errors
/// There is no busybox, or the folder cannot be written to.
pub fn busybox_layer(place: &Path) -> io::Result<PathBuf> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| io::Error::other("there is no busybox (apt-get install busybox-static)"))?;
    let layer = place.join("layer");
    for name in ["bin", "etc", "tmp"] {
        fs::create_dir_all(layer.join(name))?;
    }
    fs::copy(busybox, layer.join("bin/busybox"))?;
    for name in ["sh", "true", "mkdir"] {
        symlink("busybox", layer.join("bin").join(name))?;
    }
    Ok(layer)
}

/// A command of the session's root; empty words are left out.
#[must_use]
pub fn command(argv: &[&str]) -> ExecSpec {
    ExecSpec {
        argv: argv.iter().filter(|word| !word.is_empty()).map(|word| (*word).to_owned()).collect(),
        environment: vec![("PATH".into(), "/bin:/usr/bin".into())],
        directory: PathBuf::from("/"),
        user: User::Root,
        timeout: Some(Duration::from_secs(60)),
        idle_timeout: None,
    }
}

/// A time in milliseconds.
#[must_use]
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The middle one of some numbers.
#[must_use]
pub fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    if times.len() % 2 == 1 { times[middle] } else { f64::midpoint(times[middle - 1], times[middle]) }
}
