//! A scripted sandbox for tests of callers: it answers commands as it is told to, writes down what was asked
//! of it, and runs nothing.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::{ExecSpec, ExecStatus, OutputSink, Sandbox, SandboxError, Session, SessionSpec, Usage};

/// What was asked of a [`FakeSandbox`] or one of its sessions.
#[derive(Clone, Debug)]
pub enum Call {
    /// A session was started.
    Start(SessionSpec),
    /// A command was run.
    Exec(ExecSpec),
    /// Files of the host were copied into a directory.
    CopyIn(Vec<PathBuf>, PathBuf),
    /// A directory was copied out into one of the host.
    CopyOut(PathBuf, PathBuf),
    /// A session became a layer.
    IntoLayer(PathBuf),
    /// A session was ended.
    End,
    /// A session was dropped without being ended.
    Dropped,
}

/// How a command answers.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What it writes.
    pub output: Vec<u8>,
    /// How it ends.
    pub status: ExecStatus,
}

impl Reply {
    /// Output and exit code.
    pub fn exited(code: i32, output: impl Into<Vec<u8>>) -> Self {
        Self { output: output.into(), status: ExecStatus::Exited(code) }
    }
}

/// Answers a command, or tells how the sandbox broke.
type Script = dyn FnMut(&ExecSpec) -> Result<Reply, SandboxError> + Send;

/// A sandbox that only pretends. Clones are the same sandbox.
#[derive(Clone)]
pub struct FakeSandbox {
    /// Answers commands.
    script: Arc<Mutex<Box<Script>>>,
    /// What is found when copying out, by its path inside.
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// What every session says it has used.
    usage: Usage,
    /// What was asked, in order.
    calls: Arc<Mutex<Vec<Call>>>,
}

impl std::fmt::Debug for FakeSandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FakeSandbox").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

impl FakeSandbox {
    /// A sandbox whose commands are answered by a closure.
    pub fn new(script: impl FnMut(&ExecSpec) -> Result<Reply, SandboxError> + Send + 'static) -> Self {
        Self {
            script: Arc::new(Mutex::new(Box::new(script))),
            files: BTreeMap::new(),
            usage: Usage::default(),
            calls: Arc::default(),
        }
    }

    /// A sandbox that gives these answers, one a command; a command too many is an error.
    #[must_use]
    pub fn replying(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies: VecDeque<Reply> = replies.into_iter().collect();
        Self::new(move |spec| {
            let reason = "the script has no answer to this command";
            replies.pop_front().ok_or_else(|| SandboxError::failed(format!("running {:?}", spec.argv), reason))
        })
    }

    /// Puts a file, by its absolute path, into all sessions to come, to be found by `copy_out`.
    #[must_use]
    pub fn with_file(mut self, guest: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(guest.into(), content.into());
        self
    }

    /// Has all sessions to come say that they used this.
    #[must_use]
    pub fn using(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// What was asked until now.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes a call down.
    fn note(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

#[async_trait]
impl Sandbox for FakeSandbox {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn check(&self) -> Result<(), SandboxError> {
        Ok(())
    }

    async fn start(&self, spec: SessionSpec) -> Result<Box<dyn Session>, SandboxError> {
        self.note(Call::Start(spec));
        Ok(Box::new(FakeSession { sandbox: self.clone(), ended: false }))
    }

    async fn has_layer(&self, layer: &Path) -> Result<bool, SandboxError> {
        Ok(layer.is_dir())
    }

    async fn remove_layer(&self, layer: &Path) -> Result<(), SandboxError> {
        fs::remove_dir_all(layer).map_err(|error| SandboxError::failed(format!("removing {}", layer.display()), error))
    }
}

/// A session that only pretends.
struct FakeSession {
    /// Whose.
    sandbox: FakeSandbox,
    /// Whether it was ended.
    ended: bool,
}

#[async_trait]
impl Session for FakeSession {
    async fn exec(&self, spec: ExecSpec, sink: &mut dyn OutputSink) -> Result<ExecStatus, SandboxError> {
        self.sandbox.note(Call::Exec(spec.clone()));
        let reply = self.sandbox.script.lock().unwrap_or_else(PoisonError::into_inner)(&spec)?;
        sink.write(&reply.output);
        Ok(reply.status)
    }

    async fn copy_out(&self, guest: &Path, host: &Path) -> Result<(), SandboxError> {
        self.sandbox.note(Call::CopyOut(guest.to_owned(), host.to_owned()));
        for (path, content) in &self.sandbox.files {
            let Ok(below) = path.strip_prefix(guest) else { continue };
            let target = host.join(below);
            let parent = target.parent().unwrap_or(host);
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&target, content))
                .map_err(|error| SandboxError::failed(format!("writing {}", target.display()), error))?;
        }
        Ok(())
    }

    async fn copy_in(&self, host_files: &[PathBuf], guest: &Path) -> Result<(), SandboxError> {
        self.sandbox.note(Call::CopyIn(host_files.to_owned(), guest.to_owned()));
        Ok(())
    }

    fn usage(&self) -> Usage {
        self.sandbox.usage
    }

    async fn into_layer(mut self: Box<Self>, layer: &Path) -> Result<(), SandboxError> {
        self.ended = true;
        self.sandbox.note(Call::IntoLayer(layer.to_owned()));
        fs::create_dir(layer).map_err(|error| SandboxError::failed(format!("making {}", layer.display()), error))
    }

    async fn end(mut self: Box<Self>) -> Result<(), SandboxError> {
        self.ended = true;
        self.sandbox.note(Call::End);
        Ok(())
    }
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        if !self.ended {
            self.sandbox.note(Call::Dropped);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]

    use crate::{Limits, User};

    use super::*;

    #[tokio::test]
    async fn it_answers_by_its_script_and_writes_down_what_was_asked() {
        let host = tempfile::tempdir().unwrap();
        let sandbox = FakeSandbox::replying([Reply::exited(3, "said")]).with_file("/out/deep/file", "content");
        let spec = SessionSpec {
            name: "fake".into(),
            layer: "/layer".into(),
            above: Vec::new(),
            scratch: "/scratch".into(),
            binds: Vec::new(),
            volumes: Vec::new(),
            limits: Limits::default(),
        };
        let session = sandbox.start(spec.clone()).await.unwrap();
        let command = ExecSpec {
            argv: vec!["say".into()],
            environment: Vec::new(),
            directory: "/".into(),
            user: User::Builder,
            timeout: None,
            idle_timeout: None,
        };
        let mut output = Vec::new();
        assert_eq!(session.exec(command.clone(), &mut output).await.unwrap(), ExecStatus::Exited(3));
        assert_eq!(output, b"said");
        assert!(session.exec(command, &mut output).await.is_err());
        session.copy_out(Path::new("/out"), host.path()).await.unwrap();
        assert_eq!(fs::read(host.path().join("deep/file")).unwrap(), b"content");
        session.end().await.unwrap();
        drop(sandbox.start(spec).await.unwrap());
        let calls = sandbox.calls();
        use Call::{CopyOut, Dropped, End, Exec, Start};
        assert!(matches!(&*calls, [Start(_), Exec(_), Exec(_), CopyOut(..), End, Start(_), Dropped]), "{calls:?}");
    }
}
