//! What every build of ours has in common: the rpmbuild tree, the macros and the environment. They are the
//! same at evaluation and in the build root, and a change to any of them raises [`KEY_VERSION`].

use crate::config::Settings;
use crate::host::TOPDIR;

/// Part of every key; raised when anything below changes what builds give.
pub const KEY_VERSION: u32 = 1;

/// Where a job's extra RPMs are shown inside its build root.
pub const RPM_FOLDER: &str = "/mnt/rpms";

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
        ("_smp_mflags", "-j${PACKAGE_BUILDER_CPUS:-1}"),
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
