//! Gives up the powers a command must not have: capabilities, groups, set-user-id programs, system calls.

use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::identity::{BUILDER_ID, Identity};
use super::order::{During, Failure};
use super::{filter, sys};

/// What root inside keeps: what installing packages needs, and nothing that reaches beyond the session's
/// own files and processes. Not `MKNOD`: a package with `%dev` files does not install.
const ROOT_POWERS: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SYS_CHROOT);

/// Makes this process root with [`ROOT_POWERS`], or the build user with none. There is no way back.
pub(super) fn give_up(as_root: bool, identity: &Identity) -> Result<(), Failure> {
    let keep = if as_root { ROOT_POWERS } else { CapabilitySet::empty() };
    clear_ambient_capability_set().during(|| "dropping ambient capabilities".into())?;
    for capability in CapabilitySet::all().difference(keep).iter() {
        match remove_capability_from_bounding_set(capability) {
            // A kernel that does not know it cannot grant it.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error).during(|| format!("dropping {capability:?}")),
        }
    }
    let id = if as_root { 0 } else { BUILDER_ID };
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    if !identity.is_single() {
        set_thread_groups(&[gid]).during(|| "setting groups".into())?;
    }
    set_thread_res_gid(gid, gid, gid).during(|| format!("becoming group {id}"))?;
    set_thread_res_uid(uid, uid, uid).during(|| format!("becoming user {id}"))?;
    let sets = CapabilitySets { effective: keep, permitted: keep, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).during(|| "dropping capabilities".into())?;
    set_no_new_privs(true).during(|| "refusing new privileges".into())?;
    sys::filter_calls(&filter::program()).during(|| "refusing system calls".into())
}
