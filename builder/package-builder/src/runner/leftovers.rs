//! What a run that was killed left in the folder of private files. Only for who holds the output folder's lock: whatever
//! is there then is nobody's.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use report::EventKind;
use sandbox::linux::LinuxSandbox;

use super::events::Events;

/// How often it is tried: the kernel may still be ending what ran there.
const ATTEMPTS: u32 = 5;

/// Removes the private files of all earlier runs. What cannot be removed is said, and stops nothing.
pub async fn remove_leftovers(work: &Path, events: &Events) {
    for folder in folders(work) {
        let mut outcome = Ok(());
        for attempt in 0..ATTEMPTS {
            outcome = remove(&folder).await;
            if outcome.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
        }
        if let Err(error) = outcome {
            let text = format!("warning: cannot remove what a killed run left in `{}`: {error}", folder.display());
            events.emit(EventKind::Diagnostic { text });
        }
    }
}

async fn remove(folder: &Path) -> io::Result<()> {
    if std::fs::remove_dir_all(folder).is_ok() {
        return Ok(());
    }
    // An ordinary user's sandboxes leave files of other users behind, which only a sandbox can remove.
    for job in folders(folder) {
        let scratch = job.join("scratch");
        if scratch.is_dir() {
            LinuxSandbox::new().remove_leftover(&scratch).await.map_err(io::Error::other)?;
        }
    }
    std::fs::remove_dir_all(folder)
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}
