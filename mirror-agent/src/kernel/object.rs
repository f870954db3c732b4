//! The kernel objects: loading them onto pinned BPF maps.

use anyhow::{Context as _, Result, anyhow, bail};
use aya::{Ebpf, EbpfLoader, programs::Program};

use crate::kernel::{
    maps,
    pins::{Attachment, Role},
    requirements,
    settings::Settings,
};

static SOURCE: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/source"));
static TARGET: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/target"));
static GUARD: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/guard"));

/// Loads `attachment`'s object. Maps that are pinned are used, others are made and pinned.
///
/// # Errors
///
/// Where the kernel refuses a map or a program.
pub fn load(attachment: &Attachment, settings: &Settings) -> Result<Ebpf> {
    let object = match attachment.role {
        Role::Source => SOURCE,
        Role::Target => TARGET,
        Role::Guard => GUARD,
    };
    let mut loader = EbpfLoader::new();
    settings.apply(&mut loader);
    for name in maps::pinned(attachment.role) {
        loader.map_pin_path(name, attachment.map(name));
    }
    let mut ebpf = loader.load(object).context("the kernel refused the maps")?;
    for (name, program) in ebpf.programs_mut() {
        let loaded = match program {
            Program::SchedClassifier(program) => program.load(),
            Program::Xdp(program) => program.load(),
            _ => bail!("{name} is neither a tc program nor one of XDP"),
        };
        if let Err(error) = loaded {
            let lack = requirements::what_kernel_lacks(&error);
            let refused = anyhow!(error).context(format!("the kernel refused the program {name}"));
            return Err(match lack {
                Some(lack) => refused.context(lack),
                None => refused,
            });
        }
    }
    Ok(ebpf)
}
