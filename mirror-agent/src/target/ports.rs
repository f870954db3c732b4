//! Takes ports off a target without a leak.
//!
//! The order matters: first no copy may open a connection any more, then memcached's sockets of
//! mirrored connections end while their resets are still swallowed, and only then may the programs
//! stop looking.

use std::{io, time::Duration};

use anyhow::{Context as _, Result};
use aya::maps::MapError;
use mirror_common::abi::{Breaker, FlowKey, State, served};

use crate::{
    kernel::{
        maps,
        pins::{Attachment, Role},
    },
    net::sock_diag,
};

/// For programs that run at this moment, and for UDP requests that memcached has not answered yet.
const GRACE: Duration = Duration::from_millis(200);

/// Ports that the target at `attachment` serves, in order.
pub fn served(attachment: &Attachment) -> Result<Vec<u16>> {
    let services = maps::services(attachment)?.into_iter();
    let served = (0..=u16::MAX).zip(services).filter(|(_, service)| *service != served::NO);
    Ok(served.map(|(port, _)| port).collect())
}

/// Serves `ports`, beside those that are served already.
///
/// # Errors
///
/// Where the kernel's table cannot be written.
pub fn serve(attachment: &Attachment, ports: &[u16]) -> Result<()> {
    set(attachment, ports, served::YES)
}

/// The programs are wherever answers leave: connections may be opened again.
///
/// # Errors
///
/// Where the kernel's table cannot be written.
pub fn forget_leak(attachment: &Attachment) -> Result<()> {
    maps::breaker(attachment)?.set(0, Breaker::default(), 0).context("cannot write BREAKER")
}

/// Whether an answer reached a client of production, so that no connection is opened any more.
///
/// # Errors
///
/// Where the kernel's table cannot be read.
pub fn has_leaked(attachment: &Attachment) -> Result<bool> {
    let breaker = maps::breaker(attachment)?.get(&0, 0).context("cannot read BREAKER")?;
    Ok(breaker.leaked != 0)
}

/// Serves `ports` no more. Returns how many mirrored connections were ended.
pub async fn drain(attachment: &Attachment, ports: &[u16]) -> Result<usize> {
    debug_assert_eq!(attachment.role, Role::Target, "a source has no ports to retire");
    if ports.is_empty() {
        return Ok(0);
    }
    set(attachment, ports, served::DRAINING)?;
    tokio::time::sleep(GRACE).await;
    let flows = mirrored(attachment, ports)?;
    let ended = sock_diag::destroy(&flows)?;
    forget(attachment, &flows)?;
    set(attachment, ports, served::NO)?;
    Ok(ended)
}

fn set(attachment: &Attachment, ports: &[u16], value: u32) -> Result<()> {
    let mut table = maps::served_ports(attachment)?;
    for port in ports {
        table.set(u32::from(*port), value, 0).context("cannot write PORTS")?;
    }
    Ok(())
}

/// Mirrored TCP flows of these ports, and those that ended but may have left a socket behind.
fn mirrored(attachment: &Attachment, ports: &[u16]) -> Result<Vec<FlowKey>> {
    let is_one = |key: &FlowKey| ports.contains(&u16::from_be(key.local_port));
    let mut found = Vec::new();
    for entry in maps::flows(attachment)?.iter() {
        match entry {
            Ok((key, flow)) if is_one(&key) && flow.copy.state != State::DIRECT => {
                found.push(key);
            }
            Ok(_) | Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(error).context("cannot read FLOWS"),
        }
    }
    let finished = maps::finished(attachment)?;
    for key in finished.keys() {
        match key {
            Ok(key) if is_one(&key) => found.push(key),
            Ok(_) | Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(error).context("cannot read FINISHED"),
        }
    }
    Ok(found)
}

/// Takes these flows out of the table, for a port that is served again later.
fn forget(attachment: &Attachment, keys: &[FlowKey]) -> Result<()> {
    let mut flows = maps::flows(attachment)?;
    for key in keys {
        match flows.remove(key) {
            Ok(()) => {}
            // Those that had finished, or finish now.
            Err(MapError::SyscallError(error)) if is_missing(&error.io_error) => {}
            Err(error) => return Err(error).context("cannot write FLOWS"),
        }
    }
    Ok(())
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
