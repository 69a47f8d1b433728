//! The checks of the conformance suite, each a function of a sandbox and a place to work in.

mod commands;
mod endings;
mod files;
mod isolation;
mod layers;
pub(crate) mod others;
mod place;
mod usage;

use std::pin::Pin;

pub(crate) use endings::{HOLD, hold};
pub(crate) use place::Place;
use sandbox::Sandbox;

/// What a check gives: nothing, or what was wrong.
pub(crate) type CheckResult = Result<(), String>;
/// A check's future.
pub(crate) type CheckFuture<'a> = Pin<Box<dyn Future<Output = CheckResult> + Send + 'a>>;
/// A check.
pub(crate) type Check = for<'a> fn(&'a dyn Sandbox, &'a Place) -> CheckFuture<'a>;

/// Lists checks with their names.
macro_rules! checks {
    ($($module:ident :: $name:ident),* $(,)?) => {
        /// Every check.
        pub(crate) const CHECKS: &[(&str, Check)] =
            &[$((stringify!($name), |sandbox, place| Box::pin($module::$name(sandbox, place)))),*];
    };
}

checks![
    commands::exit_codes_and_output,
    commands::environment_is_exactly_as_given,
    commands::users_and_their_powers,
    commands::timeout_kills_grandchildren_and_daemons,
    commands::silence_is_idle,
    commands::background_process_ends_with_its_command,
    commands::memory_hog_is_out_of_memory,
    commands::fork_bomb_stops_at_the_limit,
    usage::what_is_used_is_counted,
    usage::what_is_killed_is_counted,
    files::files_persist_and_the_layer_does_not_change,
    files::copies_in_and_out,
    files::no_link_leads_out_of_the_session,
    files::binds_are_read_only,
    files::volumes_are_like_any_directory,
    files::owners_and_modes_are_kept,
    layers::what_a_session_wrote_is_a_layer,
    layers::layers_are_stacked_and_never_written_to,
    layers::a_layer_is_made_once_and_can_be_removed,
    isolation::no_network,
    isolation::nothing_of_the_host_is_seen,
    isolation::cannot_mount_or_make_devices,
    isolation::two_sessions_at_once,
    isolation::nothing_is_left,
    endings::a_command_given_up_is_ended,
    endings::a_killed_program_leaves_nothing,
    endings::a_container_that_dies_is_started_again,
    endings::a_full_disk_is_a_clean_error,
];

/// Compares two values.
#[expect(clippy::needless_pass_by_value, reason = "reads better at a hundred places")]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> CheckResult {
    if found == wanted { Ok(()) } else { Err(format!("{what}: found {found:?}, wanted {wanted:?}")) }
}

/// Asks for something to be true.
pub(crate) fn holds(what: &str, condition: bool) -> CheckResult {
    if condition { Ok(()) } else { Err(what.to_owned()) }
}
