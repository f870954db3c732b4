//! What the user and the kernel must be able to do. The user's rights are checked before anything is changed; what the
//! kernel can do shows when it is tried, whatever its version is: distributions bring features to older kernels.

use std::io;

use anyhow::{Context as _, Result, bail};
use aya::programs::{ProgramError, SchedClassifier, TcAttachType};
use caps::{CapSet, Capability};
use nix::{errno::Errno, sys::utsname::uname};

/// The oldest kernel that the programs were tried on.
const TRIED: (u32, u32) = (6, 1);

/// Refuses when the process lacks a capability.
pub fn check() -> Result<()> {
    let have =
        caps::read(None, CapSet::Effective).context("cannot read this process's capabilities")?;
    if have.contains(&Capability::CAP_SYS_ADMIN) && have.contains(&Capability::CAP_NET_ADMIN) {
        return Ok(());
    }
    let missing: Vec<String> =
        [Capability::CAP_BPF, Capability::CAP_NET_ADMIN, Capability::CAP_PERFMON]
            .into_iter()
            .filter(|wanted| !have.contains(wanted))
            .map(|wanted| wanted.to_string())
            .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("missing {}: run as root, or grant these capabilities", missing.join(", "))
}

/// Refuses a real-time kernel: a program at tc can be interrupted there by another one of the same CPU (since Linux 6.18
/// without `CONFIG_PREEMPT_RT_NEEDS_BH_LOCK`), and ours keep what they know of a packet in memory of their CPU.
///
/// # Errors
///
/// Where this is one.
pub fn check_not_real_time() -> Result<()> {
    let version = uname().context("cannot ask for the kernel's version")?;
    if is_real_time(&version.version().to_string_lossy()) {
        bail!(
            "this kernel is built for real time (PREEMPT_RT), where the mirror's programs could disturb each other; boot one \
             that is not"
        );
    }
    Ok(())
}

/// By what `uname -v` says.
fn is_real_time(version: &str) -> bool {
    version.split_whitespace().any(|word| word == "PREEMPT_RT")
}

/// Whether the kernel has tcx. Each network namespace has `lo`, and asking changes nothing.
pub fn has_tcx() -> bool {
    match SchedClassifier::query_tcx("lo", TcAttachType::Ingress) {
        Ok(_) => true,
        Err(error) => {
            log::debug!("asked for tcx, the kernel says: {error}");
            !is_unknown(&error)
        }
    }
}

/// Whether that is what a kernel says to `BPF_PROG_QUERY` of an attach type that it does not know. After any other
/// error tcx is tried, and what fails then says why.
fn is_unknown(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error) if is_invalid(&error.io_error))
}

fn is_invalid(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EINVAL as i32)
}

/// Why the kernel refused a program, where it is the kernel's age, as far as can be told.
pub fn what_kernel_lacks(error: &ProgramError) -> Option<String> {
    let log = match error {
        ProgramError::LoadError { verifier_log, .. } => verifier_log.to_string(),
        _ => String::new(),
    };
    judge(&log, running())
}

/// What to say of the kernel's age where it refused something without a log.
pub fn what_age_explains() -> Option<String> {
    judge("", running())
}

/// The same, by the verifier's log and the kernel's version.
fn judge(log: &str, version: Option<(u32, u32)>) -> Option<String> {
    let (major, minor) = TRIED;
    if let Some(name) = unknown_function(log) {
        return Some(format!(
            "this kernel lacks {name} (it takes Linux {major}.{minor}, or a backport)"
        ));
    }
    let (older, younger) = version.filter(|found| *found < TRIED)?;
    Some(format!(
        "this kernel, Linux {older}.{younger}, may be too old: mirror-agent was tried on Linux \
         {major}.{minor} and later"
    ))
}

/// The function that a verifier does not know, by its log (kernel: `check_helper_call`, `add_kfunc_call`).
fn unknown_function(log: &str) -> Option<String> {
    const BEFORE_HELPER: [&str; 3] =
        ["unknown func ", "invalid func ", "program of this type cannot use helper "];
    log.lines().find_map(|line| {
        if let Some(rest) = BEFORE_HELPER.iter().find_map(|text| line.split_once(text)) {
            let name: String = rest.1.chars().take_while(|c| !c.is_whitespace()).collect();
            return Some(match name.split_once('#') {
                // The kernel has no name for what it does not know.
                Some(("unknown" | "", number)) => format!("BPF helper {number}"),
                Some((name, _)) => name.to_owned(),
                None => name,
            });
        }
        line.contains("calling kernel function")
            .then(|| "calls of kernel functions from programs".to_owned())
    })
}

/// The version of the kernel that runs; `None` where its name does not begin with one.
pub fn running() -> Option<(u32, u32)> {
    version(&uname().ok()?.release().to_string_lossy())
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("6.18.44"), Some((6, 18)));
        assert_eq!(version("weird"), None);
    }

    #[test]
    fn a_real_time_kernel_is_known() {
        assert!(is_real_time("#1 SMP PREEMPT_RT Debian 6.12.90-1 (2026-05-27)"));
        assert!(!is_real_time("#1 SMP PREEMPT_DYNAMIC Debian 6.12.90-1 (2026-05-27)"));
    }

    /// What the verifiers of Linux 5.15, 5.10 and 6.12 say.
    #[test]
    fn what_is_missing_is_named_whatever_the_version() {
        for (log, named) in [
            ("12: (85) call bpf_loop#181\nunknown func bpf_loop#181\n", "lacks bpf_loop "),
            ("12: (85) call unknown#181\ninvalid func unknown#181\n", "lacks BPF helper 181 "),
            ("program of this type cannot use helper bpf_loop#181", "lacks bpf_loop "),
            ("calling kernel function bpf_dynptr_from_skb is not allowed", "kernel functions"),
        ] {
            for version in [Some((5, 14)), Some((6, 12)), None] {
                let said = judge(log, version).expect("a judgement");
                assert!(said.contains(named) && said.contains("6.1"), "{log}: {said}");
            }
        }
    }

    #[test]
    fn the_version_is_a_hint_and_no_more() {
        let log = "R1 invalid mem access 'inv'";
        assert!(judge(log, Some((5, 15))).expect("a hint").contains("Linux 5.15"));
        assert_eq!(judge(log, Some((6, 1))), None);
        assert_eq!(judge(log, None), None);
    }

    #[test]
    fn only_what_is_unknown_to_the_kernel_rules_tcx_out() {
        let answer = |error: Errno| io::Error::from_raw_os_error(error as i32);
        assert!(is_invalid(&answer(Errno::EINVAL)));
        for other in [Errno::EPERM, Errno::ENODEV, Errno::EOPNOTSUPP] {
            assert!(!is_invalid(&answer(other)), "{other}");
        }
    }
}
