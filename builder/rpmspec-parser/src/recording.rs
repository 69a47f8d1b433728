//! Remembers what an evaluation asked its world, so that one can tell later whether the answers are still the same.
//!
//! Evaluation is a function of the text, the macro context and the answers of the [`World`]: where none of the three
//! has changed, neither has the result. That is all that a cache of evaluated specs needs to know.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::World;

/// One thing that evaluation can ask a [`World`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Question {
    /// [`World::read_file`]
    File(PathBuf),
    /// [`World::exists`]
    Exists(PathBuf),
    /// [`World::glob`]
    Glob(String),
    /// [`World::shell`]
    Shell(String),
    /// [`World::environment`]
    Environment(String),
    /// [`World::now`]
    Now,
    /// [`World::processor_count`]
    ProcessorCount,
    /// [`World::lua_version`]
    LuaVersion,
}

impl Question {
    /// Asks a world and gives its answer as bytes, which are equal for equal answers only. That something is refused
    /// or cannot be read is an answer too.
    #[must_use]
    pub fn ask(&self, world: &dyn World) -> Vec<u8> {
        match self {
            Self::File(path) => fallible(&world.read_file(path)),
            Self::Exists(path) => vec![u8::from(world.exists(path))],
            Self::Glob(pattern) => paths(&world.glob(pattern)),
            Self::Shell(command) => fallible(&world.shell(command)),
            Self::Environment(name) => optional(world.environment(name).as_deref()),
            Self::Now => world.now().to_le_bytes().to_vec(),
            Self::ProcessorCount => world.processor_count().to_le_bytes().to_vec(),
            Self::LuaVersion => world.lua_version().as_bytes().to_vec(),
        }
    }
}

/// A world that answers as another one does and remembers each question with its first answer.
pub struct Recording<'world> {
    world: &'world dyn World,
    asked: Mutex<BTreeMap<Question, Vec<u8>>>,
    echoed: Mutex<Vec<String>>,
}

impl<'world> Recording<'world> {
    /// Starts with nothing asked.
    #[must_use]
    pub fn new(world: &'world dyn World) -> Self {
        Self { world, asked: Mutex::default(), echoed: Mutex::default() }
    }

    /// What was asked, each question once, with its answer in the form of [`Question::ask`].
    #[must_use]
    pub fn asked(self) -> BTreeMap<Question, Vec<u8>> {
        self.asked.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lines that the spec wanted shown, in order: whoever answers from a cache shows them again.
    #[must_use]
    pub fn echoed(&self) -> Vec<String> {
        self.echoed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, question: Question, answer: impl FnOnce() -> Vec<u8>) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).entry(question).or_insert_with(answer);
    }
}

impl World for Recording<'_> {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let answer = self.world.read_file(path);
        self.remember(Question::File(path.to_owned()), || fallible(&answer));
        answer
    }

    fn exists(&self, path: &Path) -> bool {
        let answer = self.world.exists(path);
        self.remember(Question::Exists(path.to_owned()), || vec![u8::from(answer)]);
        answer
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let answer = self.world.glob(pattern);
        self.remember(Question::Glob(pattern.to_owned()), || paths(&answer));
        answer
    }

    fn shell(&self, command: &str) -> io::Result<Vec<u8>> {
        let answer = self.world.shell(command);
        self.remember(Question::Shell(command.to_owned()), || fallible(&answer));
        answer
    }

    fn environment(&self, name: &str) -> Option<String> {
        let answer = self.world.environment(name);
        self.remember(Question::Environment(name.to_owned()), || optional(answer.as_deref()));
        answer
    }

    fn now(&self) -> i64 {
        let answer = self.world.now();
        self.remember(Question::Now, || answer.to_le_bytes().to_vec());
        answer
    }

    fn processor_count(&self) -> usize {
        let answer = self.world.processor_count();
        self.remember(Question::ProcessorCount, || answer.to_le_bytes().to_vec());
        answer
    }

    fn lua_version(&self) -> &str {
        let answer = self.world.lua_version();
        self.remember(Question::LuaVersion, || answer.as_bytes().to_vec());
        answer
    }

    fn plain_commands(&self) -> bool {
        self.world.plain_commands()
    }

    fn echo(&self, text: &str) {
        self.echoed.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
        self.world.echo(text);
    }
}

fn fallible(answer: &io::Result<Vec<u8>>) -> Vec<u8> {
    match answer {
        Ok(bytes) => [&[0], bytes.as_slice()].concat(),
        Err(error) => format!("\u{1}{:?} {error}", error.kind()).into_bytes(),
    }
}

fn optional(answer: Option<&str>) -> Vec<u8> {
    answer.map_or_else(Vec::new, |value| [&[0], value.as_bytes()].concat())
}

fn paths(answer: &[PathBuf]) -> Vec<u8> {
    answer.iter().flat_map(|path| path.as_os_str().as_encoded_bytes().iter().copied().chain([0])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::NoWorld;
    use crate::{MacroContext, Options, evaluate};

    /// Has one file, `a.inc`, with one version in it, and a shell that repeats what it is told.
    struct Small(&'static str);

    impl World for Small {
        fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
            match path.ends_with("a.inc") {
                true => Ok(format!("Version: {}\n", self.0).into_bytes()),
                false => NoWorld.read_file(path),
            }
        }

        fn exists(&self, path: &Path) -> bool {
            path.ends_with("a.inc")
        }

        fn glob(&self, _pattern: &str) -> Vec<PathBuf> {
            vec!["a".into(), "b".into()]
        }

        fn shell(&self, command: &str) -> io::Result<Vec<u8>> {
            Ok(command.as_bytes().to_vec())
        }

        fn environment(&self, name: &str) -> Option<String> {
            (name == "HOME").then(String::new)
        }

        fn now(&self) -> i64 {
            7
        }
    }

    #[test]
    fn every_question_is_remembered_with_the_answer_that_asking_again_gives() {
        let (world, other) = (Small("1"), Small("2"));
        let spec = "Name: a\n%include a.inc\nRelease: %(echo 1)\nSummary: %{getenv:HOME}%{getenv:NONE}\nLicense: MIT\n\
            Group: %{lua:print(os.time())}%{exists:/a.inc}\n%description\n%{echo:seen}%{load:/none}\n";
        let recording = Recording::new(&world);
        let result = evaluate(spec, &MacroContext::default(), &recording, &Options { path: "a.spec".into() });
        assert_eq!(recording.echoed().len(), 1, "{result:?}");
        let asked = recording.asked();
        let is_asked = |wanted: fn(&Question) -> bool| asked.keys().any(wanted);
        assert!(is_asked(|question| matches!(question, Question::File(path) if path.ends_with("a.inc"))), "{asked:?}");
        assert!(is_asked(|question| matches!(question, Question::File(path) if path.ends_with("none"))), "{asked:?}");
        assert!(is_asked(|question| matches!(question, Question::Shell(command) if command == "echo 1")), "{asked:?}");
        assert!(is_asked(|question| *question == Question::Now), "{asked:?}");
        assert!(is_asked(|question| matches!(question, Question::Exists(_))), "{asked:?}");
        assert!(asked.iter().all(|(question, answer)| question.ask(&world) == *answer));
        let differs: Vec<_> = asked.iter().filter(|(question, answer)| question.ask(&other) != **answer).collect();
        assert!(matches!(differs.as_slice(), [(Question::File(path), _)] if path.ends_with("a.inc")), "{differs:?}");
        let variables: Vec<_> = [("HOME", 1), ("NONE", 0)]
            .map(|(name, length)| {
                asked.get(&Question::Environment(name.to_owned())).is_some_and(|answer| answer.len() == length)
            })
            .to_vec();
        assert_eq!(variables, [true, true], "an empty variable is not an unset one: {asked:?}");
    }
}
