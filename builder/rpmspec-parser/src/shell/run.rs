//! Runs what was read: lists, pipelines, assignments, `if`.

use std::collections::BTreeMap;

use super::script::{Command, List, Pipeline, When, Word};
use super::{commands, variables};
use crate::World;

/// Characters that expansion and commands may go through, so that nothing takes long.
const BUDGET: usize = 1 << 20;

/// A shell at work. Its functions return `None` where the answer is not certain, else whether a command succeeded.
pub(super) struct Shell<'world> {
    pub(super) world: &'world dyn World,
    variables: BTreeMap<String, String>,
    budget: usize,
    /// How the last command within a word ended, if there was one.
    pub(super) substituted: Option<bool>,
}

impl<'world> Shell<'world> {
    pub(super) fn new(world: &'world dyn World) -> Self {
        Self { world, variables: BTreeMap::new(), budget: BUDGET, substituted: None }
    }

    /// Accounts for work.
    pub(super) fn spend(&mut self, amount: usize) -> Option<()> {
        self.budget = self.budget.checked_sub(amount)?;
        Some(())
    }

    /// A variable's value, and whether it is set at all.
    pub(super) fn variable(&mut self, name: &str) -> Option<(String, bool)> {
        let value = match self.variables.get(name) {
            Some(value) => (value.clone(), true),
            None => {
                let environment = self.world.environment(name);
                let is_set = environment.is_some();
                (variables::inherited(name, environment)?, is_set)
            }
        };
        self.spend(value.0.len() + 1)?;
        Some(value)
    }

    /// Runs commands in a shell of their own: what they set is forgotten.
    pub(super) fn subshell<T>(&mut self, run: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.spend(self.variables.values().map(String::len).sum())?;
        let variables = self.variables.clone();
        let result = run(self);
        self.variables = variables;
        result
    }

    pub(super) fn list(&mut self, list: &List, output: &mut Vec<u8>) -> Option<bool> {
        let mut success = true;
        for (when, pipeline) in list {
            let runs = match when {
                When::Always => true,
                When::Success => success,
                When::Failure => !success,
            };
            if runs {
                success = self.pipeline(pipeline, output)?;
            }
        }
        Some(success)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, output: &mut Vec<u8>) -> Option<bool> {
        let success = match pipeline.commands.as_slice() {
            [command] => self.command(command, None, output)?,
            [commands @ .., last] => {
                let mut passed: Option<Vec<u8>> = None;
                for command in commands {
                    let mut next = Vec::new();
                    self.subshell(|this| this.command(command, passed.as_deref(), &mut next))?;
                    passed = Some(next);
                }
                self.subshell(|this| this.command(last, passed.as_deref(), output))?
            }
            [] => return None,
        };
        Some(success != pipeline.negated)
    }

    fn command(&mut self, command: &Command, input: Option<&[u8]>, output: &mut Vec<u8>) -> Option<bool> {
        match command {
            Command::Simple { assignments, words } if words.is_empty() => self.assign(assignments),
            Command::Simple { words, .. } => {
                let mut fields = Vec::new();
                for word in words {
                    self.fields(word, &mut fields)?;
                }
                let (name, arguments) = fields.split_first()?;
                let before = output.len();
                let success = commands::run(self.world, name, arguments, input, output)?;
                self.spend(input.map_or(0, <[u8]>::len) + output.len() - before)?;
                Some(success)
            }
            Command::If { branches, otherwise } => {
                for (condition, then) in branches {
                    if self.list(condition, output)? {
                        return self.list(then, output);
                    }
                }
                otherwise.as_ref().map_or(Some(true), |otherwise| self.list(otherwise, output))
            }
        }
    }

    fn assign(&mut self, assignments: &[(String, Word)]) -> Option<bool> {
        self.substituted = None;
        for (name, word) in assignments {
            // A variable of the environment would change that of the commands that follow.
            if !variables::is_settable(name) || self.world.environment(name).is_some() {
                return None;
            }
            let value = self.text(word)?;
            self.variables.insert(name.clone(), value);
        }
        Some(self.substituted.unwrap_or(true))
    }
}
