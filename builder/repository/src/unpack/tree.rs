//! A directory as a root: paths are resolved inside it, absolute symbolic links included, so that
//! nothing an RPM names can reach outside.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// The root that is unpacked into.
pub(super) struct Tree {
    root: PathBuf,
    /// Directories that were resolved before: relative path to the real one.
    known: BTreeMap<PathBuf, PathBuf>,
}

impl Tree {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, known: BTreeMap::new() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a relative path really lies: its directory resolved (and made, if it is missing), the last
    /// part as it is.
    pub(super) fn place(&mut self, path: &Path) -> io::Result<PathBuf> {
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => Ok(self.directory(parent)?.join(name)),
            _ => Ok(self.root.clone()),
        }
    }

    /// The real directory behind a relative path; missing ones are made, links are followed inside the root.
    pub(super) fn directory(&mut self, path: &Path) -> io::Result<PathBuf> {
        if path.as_os_str().is_empty() {
            return Ok(self.root.clone());
        }
        if let Some(known) = self.known.get(path) {
            return Ok(known.clone());
        }
        let mut real = match path.parent() {
            // The parents first: they are shared by many.
            Some(parent) => self.directory(parent)?,
            None => self.root.clone(),
        };
        let mut links = 0;
        let mut ahead: VecDeque<OsString> = path.file_name().map(OsString::from).into_iter().collect();
        while let Some(part) = ahead.pop_front() {
            if part == ".." {
                // Above the root is the root.
                if real != self.root {
                    real.pop();
                }
                continue;
            }
            let next = real.join(&part);
            match fs::symlink_metadata(&next) {
                Ok(status) if status.is_dir() => real = next,
                Ok(status) if status.is_symlink() => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(io::Error::other(format!("too many symbolic links at `{}`", path.display())));
                    }
                    let target = fs::read_link(&next)?;
                    self.follow(&mut real, &mut ahead, &target);
                }
                Ok(_) => {
                    let inside = next.strip_prefix(&self.root).unwrap_or(&next);
                    return Err(io::Error::other(format!("`{}` is no directory", inside.display())));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    DirBuilder::new().mode(0o755).create(&next)?;
                    // The process's umask may have taken bits away.
                    fs::set_permissions(&next, Permissions::from_mode(0o755))?;
                    real = next;
                }
                Err(error) => return Err(error),
            }
        }
        self.known.insert(path.to_owned(), real.clone());
        Ok(real)
    }

    /// Puts the parts of a link's target before what is still ahead.
    fn follow(&self, real: &mut PathBuf, ahead: &mut VecDeque<OsString>, target: &Path) {
        let mut parts = Vec::new();
        for component in target.components() {
            match component {
                Component::RootDir => real.clone_from(&self.root),
                Component::Normal(part) => parts.push(part.to_owned()),
                Component::ParentDir => parts.push(OsString::from("..")),
                Component::CurDir | Component::Prefix(_) => {}
            }
        }
        parts.into_iter().rev().for_each(|part| ahead.push_front(part));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_stay_inside() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir_all(root.join("usr")).unwrap();
        symlink("/usr/lib64", root.join("lib64")).unwrap();
        symlink("../../../../../tmp", root.join("usr/tmp")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        fs::write(root.join("file"), "").unwrap();

        let mut tree = Tree::new(root.clone());
        assert_eq!(tree.place(Path::new("lib64/libc.so")).unwrap(), root.join("usr/lib64/libc.so"));
        assert_eq!(tree.place(Path::new("usr/tmp/deep/x")).unwrap(), root.join("tmp/deep/x"));
        assert_eq!(tree.place(Path::new("")).unwrap(), root);
        assert!(root.join("usr/lib64").is_dir() && root.join("tmp/deep").is_dir());
        assert!(tree.place(Path::new("loop/x")).is_err());
        assert!(tree.place(Path::new("file/x")).is_err());
    }
}
