//! Metadata that an XDP program of somebody else puts before packets (`data_meta`), and that a clone costs the original.

/// The last kernel in which `bpf_clone_redirect` gives the original a new head, without metadata.
const LAST: (u32, u32) = (6, 18);

/// What to say of an XDP program at the interface; a kernel whose version is not known is taken for an old one.
pub(super) fn note(program: Option<&str>, kernel: Option<(u32, u32)>) -> Option<String> {
    let program = program.filter(|_| kernel.is_none_or(|kernel| kernel <= LAST))?;
    Some(format!(
        "the XDP program {program} of somebody else is at this interface: metadata that it puts before packets \
         (data_meta) is lost where they are mirrored, up to Linux {}.{}; if a program behind the mirror reads it, mirror \
         on a later kernel",
        LAST.0, LAST.1
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_kernels_keep_metadata() {
        let program = Some("filter (program 7)");
        for (kernel, lost) in [
            (Some((6, 1)), true),
            (Some((6, 18)), true),
            (Some((6, 19)), false),
            (Some((7, 0)), false),
            (None, true),
        ] {
            assert_eq!(note(program, kernel).is_some(), lost, "{kernel:?}");
        }
        assert_eq!(note(None, Some((6, 1))), None);
    }
}
