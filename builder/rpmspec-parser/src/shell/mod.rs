//! Answers the commonest shell commands of specs without a shell, with what bash would write.
//!
//! Most `%( … )` of a distribution only compare, cut and echo words they hold already. [`answer`] reads such a
//! command as bash does and says what it writes to its standard output. It never guesses: what it does not
//! understand from end to end (a program, a file, a redirection, a pattern of file names, an unusual option) it
//! leaves to [`World::shell`] by answering `None`.
//!
//! Understood are words with their quotes and `$NAME`, `${NAME#pattern}` and their like, `$(…)`, `$((…))`, assignments,
//! `;`, `&&`, `||`, `!`, `if`, the commands `:`, `true`, `false`, `echo`, `printf`, `test`, `[` and `nproc`, and pipes
//! into plain uses of `cut`, `tr`, `sed`, `head` and `tail`.

mod arithmetic;
mod commands;
mod expand;
mod filters;
mod parse;
mod run;
mod script;
mod variables;
mod words;

use crate::World;

/// Longer commands are left to a shell.
const LONGEST: usize = 16 << 10;

/// Variables by which the environment changes how bash, or a tool, reads its commands.
const DISTURBING: [&str; 7] =
    ["BASH_ENV", "SHELLOPTS", "BASHOPTS", "BASH_COMPAT", "POSIXLY_CORRECT", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT"];

/// Returns what `bash -c` would write to its standard output for a command, in the environment of a world and with
/// [`World::processor_count`] as the answer of `nproc`; `None` where that is not certain.
///
/// Nothing but these two is asked of the world.
#[must_use]
pub fn answer(command: &str, world: &dyn World) -> Option<Vec<u8>> {
    let plain = |byte: u8| matches!(byte, b'\t' | b'\n' | b' '..=b'~');
    if command.len() > LONGEST || !command.bytes().all(plain) {
        return None;
    }
    let script = parse::script(command)?;
    if DISTURBING.iter().any(|name| world.environment(name).is_some()) {
        return None;
    }
    let mut output = Vec::new();
    run::Shell::new(world).list(&script, &mut output)?;
    Some(output)
}
