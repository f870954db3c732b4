//! Takes ports off a target without a leak.
//!
//! The order matters: first no copy may open a connection any more, then memcached's sockets of
//! mirrored connections end while their resets are still swallowed, and only then may the programs
//! stop looking.

use std::{collections::HashSet, io, time::Duration};

use anyhow::{Context as _, Result};
use aya::{
    Pod,
    maps::{HashMap, MapData, MapError},
};
use mirror_common::abi::{Breaker, Finished, FlowKey, State, served};

use crate::{
    config::ports::PortRange,
    kernel::{
        identity, maps,
        pins::{Attachment, Role},
    },
    net::sock_diag::end::{self, Connection, Ends, Known},
    target::one_mirror,
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
    let (shared, at) = one_mirror::served_by_others(attachment, ports)?;
    let (shared, ports): (Vec<u16>, Vec<u16>) =
        ports.iter().partition(|port| shared.contains(port));
    set(attachment, &shared, served::NO)?;
    if !shared.is_empty() {
        log::info!(
            "mirrored connections to port {} stay: {} serves it, too",
            PortRange::join(&shared),
            at.join(", ")
        );
    }
    if ports.is_empty() {
        return Ok(0);
    }
    let ports = ports.as_slice();
    set(attachment, ports, served::DRAINING)?;
    tokio::time::sleep(GRACE).await;
    let (flows, own) = mirrored_and_kept(attachment, ports)?;
    let mirrored: HashSet<Ends> = flows.iter().map(end::ends_of).collect();
    let kept = match of_others(attachment) {
        Ok(others) => Some(&others | &own),
        // What is known for certain ends all the same.
        Err(error) => {
            log::warn!("connections that an earlier mirror left are not looked for: {error:#}");
            None
        }
    };
    let is_told = kept.is_some();
    let mut ended = end::end_mirrored(&Known { mirrored, kept })?;
    if ended > 0 {
        // What they sent by ending may be on its way, through a container's network, too: it is still a flow's.
        tokio::time::sleep(GRACE).await;
    }
    // For a port that is served again later. Those that had finished, or finish now, are missing.
    remove_all(&mut maps::flows(attachment)?, &flows).context("cannot write FLOWS")?;
    if is_told {
        ended += end_leftovers(attachment, ports).await?;
    }
    set(attachment, ports, served::NO)?;
    Ok(ended)
}

/// Ends what another attachment left of mirrored connections to `ports`, before the target at `attachment` serves them:
/// of an agent that was killed, another version, or an interface that is gone. Returns how many there were.
///
/// # Errors
///
/// Where tables cannot be read or written, or the kernel refuses.
pub async fn clear(attachment: &Attachment, ports: &[u16]) -> Result<usize> {
    // What leaves is looked at from now on, and no copy is opened yet.
    set(attachment, ports, served::DRAINING)?;
    end_leftovers(attachment, ports).await
}

/// Sockets with the synthetic client, in this network namespace, that no table knows. What they send by ending is dropped
/// as of connections that ended.
async fn end_leftovers(attachment: &Attachment, ports: &[u16]) -> Result<usize> {
    let mut left: Vec<Connection> = end::synthetic(ports)?;
    if left.is_empty() {
        return Ok(0);
    }
    // Read after the sockets: a connection that another attachment opens meanwhile is known by now.
    let (own, others) = (all(attachment)?, of_others(attachment)?);
    left.retain(|one| !own.contains(&one.ends) && !others.contains(&one.ends));
    let keys: Vec<FlowKey> = left.iter().map(Connection::key).collect();
    let mut finished = maps::finished(attachment)?;
    for key in &keys {
        let nothing_given = Finished { end: 0, isn: 0, given: 0, unauthenticated: 0 };
        finished.insert(key, nothing_given, 0).context("cannot write FINISHED")?;
    }
    let ended = end::end(left);
    tokio::time::sleep(GRACE).await;
    // Production's connection may go on: its copies are no stragglers.
    remove_all(&mut finished, &keys).context("cannot write FINISHED")?;
    ended
}

/// Connections that other targets of this network namespace know.
fn of_others(attachment: &Attachment) -> Result<HashSet<Ends>> {
    let mut found = HashSet::new();
    for other in identity::others(attachment)? {
        let name = &other.interface;
        found.extend(all(&other).with_context(|| format!("which connections {name} has"))?);
    }
    Ok(found)
}

/// Connections that this target knows, mirrored or not.
fn all(attachment: &Attachment) -> Result<HashSet<Ends>> {
    let mut found = HashSet::new();
    for key in maps::flows(attachment)?.keys() {
        match key {
            Ok(key) => {
                found.insert(end::ends_of(&key));
            }
            Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(error).context("cannot read FLOWS"),
        }
    }
    Ok(found)
}

fn set(attachment: &Attachment, ports: &[u16], value: u32) -> Result<()> {
    let mut table = maps::served_ports(attachment)?;
    for port in ports {
        table.set(u32::from(*port), value, 0).context("cannot write PORTS")?;
    }
    Ok(())
}

/// Mirrored TCP flows of these ports, and those that ended but may have left a socket behind; and the ends of all other
/// connections that are known.
fn mirrored_and_kept(
    attachment: &Attachment,
    ports: &[u16],
) -> Result<(Vec<FlowKey>, HashSet<Ends>)> {
    let is_one = |key: &FlowKey| ports.contains(&u16::from_be(key.local_port));
    let (mut found, mut kept) = (Vec::new(), HashSet::new());
    for entry in maps::flows(attachment)?.iter() {
        match entry {
            Ok((key, flow)) if is_one(&key) && flow.copy.state != State::DIRECT => {
                found.push(key);
            }
            Ok((key, _)) => {
                kept.insert(end::ends_of(&key));
            }
            Err(MapError::KeyNotFound) => {}
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
    Ok((found, kept))
}

/// Takes these out of a table, as far as they are there.
fn remove_all<V: Pod>(table: &mut HashMap<MapData, FlowKey, V>, keys: &[FlowKey]) -> Result<()> {
    for key in keys {
        match table.remove(key) {
            Ok(()) => {}
            Err(MapError::SyscallError(error)) if is_missing(&error.io_error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
