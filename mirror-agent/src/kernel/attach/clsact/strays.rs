//! Filters of ours whose pin somebody deleted: they are found at the interface, by the name of their program and by the
//! priority that only ours are known to have.

use anyhow::Result;
use aya::programs::TcAttachType;
use rtnetlink::packet_route::tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption};

use super::filter::{BEHIND_SOURCE, FIRST, Filter, filters, list, priority};
use crate::{
    kernel::{
        attach::hook::programs,
        pins::{Attachment, Role},
    },
    net::netlink::Network,
};

/// Takes away the filters of an attachment's role that no pin knows. Says so.
///
/// # Errors
///
/// Where filters cannot be listed, or one stays.
pub async fn remove(network: &Network, attachment: &Attachment) -> Result<()> {
    let mut places = Vec::new();
    if let Some(link) = network.link(&attachment.interface).await? {
        places.push((link.header.index, attachment.interface.clone(), TcAttachType::Ingress));
    }
    // A target's replies can leave by any.
    for (it, _) in network.interfaces().await? {
        if attachment.role == Role::Target || it.name == attachment.interface {
            places.push((it.index, it.name, TcAttachType::Egress));
        }
    }
    // Another attachment of the role has its programs at this interface, too.
    let mut known: Vec<Filter> = Vec::new();
    for any in attachment.store()?.attachments()? {
        known.extend(filters(&any)?.into_iter().map(|(_, filter)| filter));
    }
    for (index, interface, side) in places {
        for message in list(network, index, side).await? {
            let Some(found) = of_ours(&message, attachment.role, side) else { continue };
            if known.iter().any(|filter| filter.is_at(&found)) {
                continue;
            }
            drop(found.link(&interface)?);
            log::warn!(
                "{interface}: took the filter of {} away, whose pin somebody had deleted",
                found.hook
            );
        }
    }
    Ok(())
}

/// Where the filter is, if a program of `role` is in it, and nothing else that can be told from ours.
fn of_ours(message: &TcMessage, role: Role, side: TcAttachType) -> Option<Filter> {
    let options = message.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Options(options) => Some(options),
        _ => None,
    })?;
    let name = options.iter().find_map(|option| match option {
        TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => Some(name),
        _ => None,
    })?;
    let priority = priority(message);
    let TcHandle { major, minor } = message.header.handle;
    let ours =
        programs(role).contains(&name.as_str()) && [FIRST, BEHIND_SOURCE].contains(&priority);
    ours.then(|| Filter {
        hook: name.clone(),
        ifindex: u32::try_from(message.header.index).unwrap_or(0),
        side,
        priority,
        handle: u32::from(major) << 16 | u32::from(minor),
        made: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, priority: u32) -> TcMessage {
        let mut message = TcMessage::default();
        message.header.index = 3;
        message.header.info = priority << 16 | 0x0300;
        message.header.handle = TcHandle { major: 0, minor: 2 };
        let name = TcOption::Bpf(TcFilterBpfOption::ProgName(name.to_owned()));
        message.attributes.push(TcAttribute::Options(vec![name]));
        message
    }

    #[test]
    fn only_filters_of_the_role_at_our_priorities_are_ours() {
        let found = |name, priority, role| {
            of_ours(&message(name, priority), role, TcAttachType::Ingress)
                .map(|filter| (filter.ifindex, filter.priority, filter.handle))
        };
        assert_eq!(found("source_ingress", 7, Role::Source), Some((3, 7, 2)));
        assert_eq!(found("target_ingress", 8, Role::Target), Some((3, 8, 2)));
        assert_eq!(found("source_ingress", 7, Role::Target), None, "another role's");
        assert_eq!(found("source_ingress", 1, Role::Source), None, "somebody else's priority");
        assert_eq!(found("source_ingress_2", 7, Role::Source), None, "somebody else's program");
        let without_program = TcMessage::default();
        assert!(of_ours(&without_program, Role::Source, TcAttachType::Ingress).is_none());
    }
}
