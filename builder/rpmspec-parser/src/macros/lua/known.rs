//! Scripts of rpm's own macros that nearly every spec runs, answered without Lua and with the same text.
//!
//! A script is known by its fingerprint: one that a distribution changed runs in Lua, and so does a known one where
//! an argument is not what it mostly is, or where a script could have changed what it uses.

use std::path::Path;

use super::{Global, LuaState};
use crate::macros::engine::Engine;
use crate::macros::options::Found;

/// What a script came to.
pub(super) struct Outcome {
    /// What it printed.
    pub(super) printed: String,
    /// Whether it ran to its end, or why not.
    pub(super) result: Result<(), String>,
}

/// A script that is known.
#[derive(Clone, Copy)]
enum Known {
    /// `%autopatch`: applies all patches, those in a range, or those that are named. Newer ones warn where there are none
    /// in the range, unless `-q` is given; the lines of what they do are further down by as many.
    AutoPatch { lines_down: u32 },
    /// `%__apply_patch`: applies one.
    ApplyPatch,
}

/// Length and fingerprint of each, as macro files give them.
const KNOWN: [(usize, u64, Known); 3] = [
    // rpm 4.17.1 to 4.19
    (651, 0x7eb0_af3d_b4cc_2fd9, Known::AutoPatch { lines_down: 0 }),
    // rpm 4.20 to 6.1
    (813, 0xf4e8_8dc7_9c83_183a, Known::AutoPatch { lines_down: 3 }),
    // rpm 4.16 to 6.1
    (396, 0x215e_e42a_eae0_cafb, Known::ApplyPatch),
];

/// A longer name is cut in what Lua says.
const LONGEST_NAME: usize = 30;

fn known(script: &str) -> Option<Known> {
    let mut fitting = KNOWN.iter().filter(|(length, _, _)| *length == script.len()).peekable();
    fitting.peek()?;
    let print = fingerprint(script);
    fitting.find(|(_, known, _)| *known == print).map(|(_, _, known)| *known)
}

/// FNV-1a with 64 bits. Who makes another text of the same length and fingerprint only misleads himself.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A number as nearly every one is written; for others, Lua has rules of its own.
fn plain_number(text: &str) -> Option<i64> {
    let plain = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

impl LuaState {
    /// The patches' numbers and paths, in their order.
    fn patches(&self) -> Option<Vec<(i64, String)>> {
        let globals = self.globals.borrow();
        match (globals.get("patch_nums"), globals.get("patches")) {
            (Some(Global::Numbers(numbers)), Some(Global::Texts(paths))) if numbers.len() == paths.len() => {
                Some(numbers.iter().copied().zip(paths.iter().cloned()).collect())
            }
            _ => None,
        }
    }
}

/// The line of a script at which an expansion failed.
struct FailedAt(u32);

impl Engine<'_> {
    /// Does what a script does, if it is known. `None`: nothing has happened yet, and Lua has to run it. `name` is
    /// the macro's.
    pub(super) fn without_lua(
        &self,
        name: &str,
        script: &str,
        options: &[Found],
        arguments: &[String],
    ) -> Option<Outcome> {
        // Once Lua has run, what these scripts use may be something else.
        if self.lua.state.get().is_some() || name.len() > LONGEST_NAME {
            return None;
        }
        let mut printed = String::new();
        let done = match known(script)? {
            Known::AutoPatch { lines_down } => {
                let paths = self.asked_patches(options, arguments)?;
                if lines_down > 0 && paths.is_empty() && !options.iter().any(|(option, _)| *option == 'q') {
                    return None;
                }
                self.autopatch(&paths, lines_down, &mut printed)
            }
            Known::ApplyPatch => self.apply_patch(&mut printed),
        };
        let result = done
            .map_err(|FailedAt(line)| format!("lua script failed: [string \"{name}\"]:{line}: error expanding macro"));
        Some(Outcome { printed, result })
    }

    /// The paths of the patches to apply, if the call is an ordinary one.
    fn asked_patches(&self, options: &[Found], arguments: &[String]) -> Option<Vec<String>> {
        let patches = self.lua.patches()?;
        let bound = |letter: char| match options.iter().rev().find(|(found, _)| *found == letter) {
            None => Some(None),
            Some((_, argument)) => plain_number(argument.as_deref()?).map(Some),
        };
        let (least, most) = (bound('m')?, bound('M')?);
        let path_of =
            |number: i64| patches.iter().rev().find(|(known, _)| *known == number).map(|(_, path)| path.clone());
        if !arguments.is_empty() {
            return arguments.iter().map(|argument| plain_number(argument).and_then(path_of)).collect();
        }
        let numbers = patches.iter().map(|(number, _)| *number);
        let above = numbers.filter(|number| least.is_none_or(|least| *number >= least));
        above.filter(|number| most.is_none_or(|most| *number <= most)).map(path_of).collect()
    }

    fn autopatch(&self, paths: &[String], lines_down: u32, printed: &mut String) -> Result<(), FailedAt> {
        let options = self.expand_at(11 + lines_down, "%{!-v:-q} %{-p:-p%{-p*}} ")?;
        for (index, path) in paths.iter().enumerate() {
            let call = format!("%__apply_patch -m %{{basename:{path}}}  {options}{path} {}\n", index + 1);
            printed.push_str(&self.expand_at(19 + lines_down, &call)?);
        }
        Ok(())
    }

    fn apply_patch(&self, printed: &mut String) -> Result<(), FailedAt> {
        let file = self.expand_at(2, "%{1}")?;
        let number = self.expand_at(3, "%{2}")?;
        if file.is_empty() || !self.world.exists(Path::new(&file)) {
            printed.push_str(&format!("echo 'Cannot read {file}'; exit 1;\n"));
            return Ok(());
        }
        let options = self.expand_at(5, "%{-q} %{-p:-p%{-p*}} %{-m:-m%{-m*}}")?;
        let apply = self.expand_at(6, "%__scm_apply_%{__scm}")?;
        let call = format!("%{{uncompress:{file}}} | {apply} {options}  {file} {number}\n");
        printed.push_str(&self.expand_at(7, &call)?);
        Ok(())
    }

    /// Expands a text as a script's line does.
    fn expand_at(&self, line: u32, text: &str) -> Result<String, FailedAt> {
        let text = text.split('\0').next().unwrap_or_default();
        self.expand_fresh(text).ok_or(FailedAt(line))
    }
}
