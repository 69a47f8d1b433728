//! One writer at a time for an output directory.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};

use crate::error::{CommandError, IoContext};

use super::Layout;

/// Holds an output directory's lock; the kernel frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct OutputLock {
    _file: File,
}

impl OutputLock {
    /// Takes the lock or says who has it.
    ///
    /// # Errors
    /// Another command is writing here, or the file cannot be made.
    pub fn take(layout: &Layout, command: &str) -> Result<Self, CommandError> {
        std::fs::create_dir_all(layout.root()).doing("create", layout.root())?;
        let path = layout.lock();
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).doing("open", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who it is only makes the message better; not knowing is no error of its own.
                let _ = file.read_to_string(&mut holder);
                return Err(CommandError::infrastructure(format!(
                    "another package-builder is writing to `{}`: {}",
                    layout.root().display(),
                    holder.trim()
                ))
                .hint("wait until it has finished, or give this one its own folder with `--output DIR`"));
            }
            Err(TryLockError::Error(error)) => return Err(error).doing("lock", &path),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "process {}, `{command}`", std::process::id())
        };
        write(&mut file).doing("write", &path)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_has_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let layout = Layout::new(folder.path());
        let first = OutputLock::take(&layout, "build jq").expect("nobody has it");
        let error = OutputLock::take(&layout, "build all").expect_err("the first still has it");
        assert!(error.message.contains("`build jq`"), "{error}");
        drop(first);
        OutputLock::take(&layout, "build all").expect("it is free again");
    }
}
