//! The kernel objects: loading them onto pinned BPF maps.

use anyhow::{Error, Result, bail};
use aya::{Ebpf, EbpfLoader, programs::Program};

use crate::kernel::{
    maps, meta,
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
    let mut ebpf = loader.load(object).map_err(|error| {
        let lack = requirements::what_age_explains();
        refused(error.into(), "the kernel refused the maps".to_owned(), lack)
    })?;
    meta::begin(attachment, settings)?;
    for (name, program) in ebpf.programs_mut() {
        let loaded = match program {
            Program::SchedClassifier(program) => program.load(),
            Program::Xdp(program) => program.load(),
            _ => bail!("{name} is neither a tc program nor one of XDP"),
        };
        loaded.map_err(|error| {
            let lack = requirements::what_kernel_lacks(&error);
            refused(error.into(), format!("the kernel refused the program {name}"), lack)
        })?;
    }
    Ok(ebpf)
}

/// An error with what is behind it first, where that is known.
fn refused(error: Error, what: String, lack: Option<String>) -> Error {
    let error = error.context(what);
    match lack {
        Some(lack) => error.context(lack),
        None => error,
    }
}
