//! The system calls a command is refused, as a filter program the kernel runs at each call (seccomp(2)).
//!
//! A command has no capabilities that reach beyond its session, so most of what could harm is refused
//! already. What is left are calls that would give it new ones (a user namespace makes its maker root of
//! it), and calls whose objects no namespace separates: the kernel's key rings, io_uring, virtual machine
//! sockets.

use libc::{c_long, sock_filter};

/// Where a filter finds the call's number, its architecture, and the low half of its first argument
/// (`struct seccomp_data`).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = if cfg!(target_endian = "little") { 16 } else { 20 };

/// What the kernel calls the architecture this program is made for (linux/audit.h), and the offset of
/// numbers that are of another one all the same (x32).
#[cfg(target_arch = "x86_64")]
const NATIVE: (u32, Option<u32>) = (0xc000_003e, Some(0x4000_0000));
#[cfg(target_arch = "aarch64")]
const NATIVE: (u32, Option<u32>) = (0xc000_00b7, None);
#[cfg(target_arch = "riscv64")]
const NATIVE: (u32, Option<u32>) = (0xc000_00f3, None);

/// Calls that are refused whatever their arguments.
const REFUSED: [c_long; 11] = [
    libc::SYS_setns,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_open_by_handle_at,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// An instruction without a jump.
const fn statement(code: u32, value: u32) -> sock_filter {
    jump(code, value, 0, 0)
}

/// An instruction with two ways on, counted from the next instruction.
#[expect(clippy::cast_possible_truncation, reason = "every code fits")]
const fn jump(code: u32, value: u32, if_true: u8, if_false: u8) -> sock_filter {
    sock_filter { code: code as u16, jt: if_true, jf: if_false, k: value }
}

/// Takes a word of the call.
const fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

/// Ends the filter by letting the call through or failing it.
const fn allow() -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW)
}

/// See [`allow`].
#[expect(clippy::cast_sign_loss, reason = "error numbers are positive")]
const fn fail(error: i32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | error as u32)
}

/// Goes on with the next instruction if the word is equal, and otherwise after `skip` instructions.
const fn unless_equal_skip(value: u32, skip: u8) -> sock_filter {
    jump(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, skip)
}

/// Goes on with the next instruction if one of the bits is set, and otherwise after `skip` instructions.
const fn unless_bits_skip(bits: u32, skip: u8) -> sock_filter {
    jump(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, bits, 0, skip)
}

/// The filter.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "call numbers and flags are small")]
pub(super) fn program() -> Vec<sock_filter> {
    let (architecture, foreign) = NATIVE;
    let user_namespace = libc::CLONE_NEWUSER as u32;
    let mut program = vec![load(ARCHITECTURE), unless_equal_skip(architecture, 1)];
    // Calls of another architecture have other numbers: there are none of them here.
    program.extend([statement(libc::BPF_JMP | libc::BPF_JA, 1), fail(libc::ENOSYS), load(NUMBER)]);
    if let Some(offset) = foreign {
        program.extend([unless_bits_skip(offset, 1), fail(libc::ENOSYS)]);
    }
    // Its arguments lie in memory, where a filter cannot see them. Programs then use `clone`.
    program.extend([unless_equal_skip(libc::SYS_clone3 as u32, 1), fail(libc::ENOSYS)]);
    for number in REFUSED {
        program.extend([unless_equal_skip(number as u32, 1), fail(libc::EPERM)]);
    }
    for number in [libc::SYS_clone, libc::SYS_unshare] {
        program.extend([unless_equal_skip(number as u32, 4), load(FIRST_ARGUMENT)]);
        program.extend([unless_bits_skip(user_namespace, 1), fail(libc::EPERM), allow()]);
    }
    program.extend([unless_equal_skip(libc::SYS_socket as u32, 3), load(FIRST_ARGUMENT)]);
    program.extend([unless_equal_skip(libc::AF_VSOCK as u32, 1), fail(libc::EPERM), allow()]);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers to a call, by doing what the kernel would.
    fn answer(architecture: u32, number: u32, argument: u32) -> u32 {
        let program = program();
        let (mut at, mut word) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let code = u32::from(step.code);
            let skip = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
            if code == libc::BPF_RET | libc::BPF_K {
                return step.k;
            } else if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS {
                word = match step.k {
                    NUMBER => number,
                    ARCHITECTURE => architecture,
                    _ => argument,
                };
            } else if code == libc::BPF_JMP | libc::BPF_JA {
                at += usize::try_from(step.k).expect("a jump is short");
            } else if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K {
                at += skip(word == step.k);
            } else {
                at += skip(word & step.k != 0);
            }
        }
    }

    #[test]
    fn what_makes_user_namespaces_or_leaves_the_session_is_refused_and_the_rest_is_not() {
        let native = |number: c_long, argument: i32| {
            answer(NATIVE.0, u32::try_from(number).expect("numbers are positive"), argument as u32)
        };
        let refused = |error: i32| libc::SECCOMP_RET_ERRNO | u32::try_from(error).expect("numbers are positive");
        for call in [libc::SYS_clone, libc::SYS_unshare] {
            assert_eq!(native(call, libc::CLONE_NEWUSER | libc::SIGCHLD), refused(libc::EPERM));
            assert_eq!(native(call, libc::CLONE_VM | libc::SIGCHLD), libc::SECCOMP_RET_ALLOW);
        }
        assert_eq!(native(libc::SYS_clone3, 0), refused(libc::ENOSYS));
        for call in REFUSED {
            assert_eq!(native(call, 0), refused(libc::EPERM));
        }
        assert_eq!(native(libc::SYS_socket, libc::AF_VSOCK), refused(libc::EPERM));
        assert_eq!(native(libc::SYS_socket, libc::AF_INET), libc::SECCOMP_RET_ALLOW);
        for call in [libc::SYS_read, libc::SYS_execve, libc::SYS_ptrace] {
            assert_eq!(native(call, libc::CLONE_NEWUSER), libc::SECCOMP_RET_ALLOW);
        }
        assert_eq!(answer(0x4000_0003, 1, 0), refused(libc::ENOSYS));
        if let Some(offset) = NATIVE.1 {
            assert_eq!(answer(NATIVE.0, offset | 1, 0), refused(libc::ENOSYS));
        }
    }
}
