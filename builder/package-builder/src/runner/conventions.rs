//! What every build of ours has in common: the rpmbuild tree, the macros and the environment. They are the
//! same at evaluation and in the build root, and a change to any of them raises [`KEY_VERSION`].

use crate::config::Settings;
use crate::host::TOPDIR;

/// Part of every key; raised when anything below changes what builds give.
pub const KEY_VERSION: u32 = 2;

/// Where a job's extra RPMs are shown inside its build root.
pub const RPM_FOLDER: &str = "/mnt/rpms";

/// What tells a tool how many processes it may run: a fair share of the CPUs.
const SMP_MFLAGS: &str = "-j${PACKAGE_BUILDER_CPUS:-1}";

/// rpm's own `%make_build`, in which `make` gets its processes from the run's job server instead, where there is one: an
/// explicit `-j` would make it leave that. Only here is it sure that the tool is GNU make and that the spec wants it to
/// run in parallel: other tools know nothing of job servers, and a plain `make` is meant to be serial. A spec that
/// defines `%_smp_mflags` by itself is obeyed.
const MAKE_BUILD: &str = "%{__make} %{?_make_output_sync} \
    %[\"%{?_smp_mflags}\" == \"-j${PACKAGE_BUILDER_CPUS:-1}\" \
    ? \"${PACKAGE_BUILDER_MAKE_JOBS:--j${PACKAGE_BUILDER_CPUS:-1}}\" : \"%{?_smp_mflags}\"] %{?_make_verbose}";

/// The variable of a build's environment with what [`MAKE_BUILD`] tells `make`.
pub const MAKE_JOBS: &str = "PACKAGE_BUILDER_MAKE_JOBS";

/// The host name recorded in every RPM, so that it does not depend on where it was built.
const BUILD_HOST: &str = "package-builder";

/// The macros defined for evaluation and for rpmbuild alike, in order.
///
/// The number of CPUs is no part of what a spec evaluates to: `-j` takes it from the environment when a
/// scriptlet runs. The rest makes builds reproducible (rpm's manual, "Reproducible builds").
#[must_use]
pub fn defines(settings: &Settings) -> Vec<(String, String)> {
    let own = [
        ("_topdir", TOPDIR),
        ("_sourcedir", "%{_topdir}/SOURCES"),
        ("_specdir", "%{_topdir}/SPECS"),
        ("_dbpath", "/var/lib/rpm"),
        ("_buildhost", BUILD_HOST),
        ("source_date_epoch_from_changelog", "1"),
        ("use_source_date_epoch_as_buildtime", "1"),
        ("clamp_mtime_to_source_date_epoch", "1"),
        ("_smp_build_ncpus", "${PACKAGE_BUILDER_CPUS:-1}"),
        ("_smp_mflags", SMP_MFLAGS),
        ("make_build", MAKE_BUILD),
    ];
    let mut defines: Vec<_> = own.iter().map(|(name, body)| ((*name).to_owned(), (*body).to_owned())).collect();
    if !settings.file.distribution.dist.is_empty() {
        defines.push(("dist".to_owned(), settings.file.distribution.dist.clone()));
    }
    defines.extend(settings.file.macros.iter().map(|(name, body)| (name.clone(), body.clone())));
    defines.extend(settings.defines.iter().cloned());
    defines
}

/// The whole environment of a build.
#[must_use]
pub fn environment(cpus: usize) -> Vec<(String, String)> {
    [
        ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"),
        ("HOME", TOPDIR),
        ("USER", "builder"),
        ("LOGNAME", "builder"),
        ("SHELL", "/bin/bash"),
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
        ("TERM", "dumb"),
        ("PACKAGE_BUILDER_CPUS", &cpus.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn make_build_knows_our_own_flags() {
        assert!(MAKE_BUILD.contains(&format!("== \"{SMP_MFLAGS}\"")), "{MAKE_BUILD}");
        assert!(MAKE_BUILD.contains(&format!("${{{MAKE_JOBS}:-{SMP_MFLAGS}}}")), "{MAKE_BUILD}");
    }
}
