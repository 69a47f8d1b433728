//! This program as the first process of a container: it is shown inside, with the loader and the libraries
//! it runs with, since the container's own may be older, others, or none.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::linux::sys;

/// The directory in which a container sees them: on the engine's own `/dev`, so that nothing of it gets into
/// the session's files.
const FOLDER: &str = "/dev/.package-builder";
/// The name the program is called by to become an agent.
pub(crate) const MARKER: &str = "/dev/.package-builder/agent";

/// How a container runs this program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Files of the host, by where the container sees them.
    pub(super) files: BTreeMap<String, PathBuf>,
    /// The command.
    pub(super) command: Vec<String>,
}

/// What a container needs to run this program. If its file was replaced since it was started, a copy is made
/// in `scratch`.
pub(super) fn this(scratch: &Path) -> io::Result<Program> {
    let mut program = own_file().or_else(|_| {
        let copy = scratch.join("agent");
        fs::copy("/proc/self/exe", &copy).map(|_| copy)
    })?;
    if program.is_relative() {
        program = program.canonicalize()?;
    }
    Ok(describe(program, sys::loaded_libraries()))
}

/// The path of this program, if the file there is still it.
fn own_file() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let (there, running) = (fs::metadata(&path)?, fs::metadata("/proc/self/exe")?);
    if (there.dev(), there.ino()) == (running.dev(), running.ino()) {
        Ok(path)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// See [`this`]: the program and its libraries, with whether each is the loader.
fn describe(program: PathBuf, libraries: Vec<(PathBuf, bool)>) -> Program {
    let mut files = BTreeMap::from([(MARKER.to_owned(), program)]);
    let mut command = vec![MARKER.to_owned()];
    for (library, is_loader) in libraries {
        let Some(name) = library.file_name() else { continue };
        let place = format!("{FOLDER}/{}", name.to_string_lossy());
        if is_loader {
            command = [&*place, "--library-path", FOLDER, MARKER].map(String::from).to_vec();
        }
        // The name is the one the program asks for; what it leads to may be called otherwise.
        files.insert(place, library.canonicalize().unwrap_or(library));
    }
    Program { files, command }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_runs_the_program_and_without_one_it_runs_by_itself() {
        let libraries = vec![(PathBuf::from("/no/libc.so.6"), false), (PathBuf::from("/no/ld.so.2"), true)];
        let program = describe("/bin/tool".into(), libraries);
        let loader = "/dev/.package-builder/ld.so.2";
        assert_eq!(program.command, [loader, "--library-path", FOLDER, MARKER]);
        assert_eq!(program.files.len(), 3);
        assert_eq!(program.files[loader], Path::new("/no/ld.so.2"));
        assert_eq!(describe("/bin/tool".into(), Vec::new()).command, [MARKER]);
    }

    #[test]
    fn this_program_is_found_with_its_libraries() {
        let program = this(Path::new("/nowhere")).expect("it can be described");
        assert!(program.files.values().all(|file| file.is_file()), "{program:?}");
        // A dynamic program has a loader, and needs at least one library.
        assert!(program.files.len() == 1 || program.files.len() > 2 && program.command.len() == 4, "{program:?}");
    }
}
