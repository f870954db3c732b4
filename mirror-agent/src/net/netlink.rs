//! Interfaces, routes and addresses of this host, by netlink.

use std::net::IpAddr;

use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::TryStreamExt as _;
use rtnetlink::{
    Handle, RouteMessageBuilder,
    packet_route::{
        address::AddressAttribute,
        link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage},
        route::{RouteAddress, RouteAttribute, RouteMetric, RouteType},
    },
};

/// An interface that programs can be attached to.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it is up.
    pub up: bool,
}

impl Interface {
    fn of(link: &LinkMessage, name: String) -> Self {
        Self { index: link.header.index, name, up: link.header.flags.contains(LinkFlags::Up) }
    }

    /// Says so if it is down, since programs can be attached all the same.
    pub fn warn_if_down(&self) {
        if !self.up {
            log::warn!("{} is down: nothing arrives until it is up", self.name);
        }
    }
}

/// What leaves by an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// Frames with an Ethernet header.
    Ethernet,
    /// The same, and by another interface of this network namespace: those of a VLAN, a macvlan, a bridge or a bond.
    Stacked,
    /// IP packets with nothing before them.
    Ip,
    /// Something else.
    Other,
}

/// How this host reaches an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// By an interface, to an address on its link.
    Via {
        /// The interface's index.
        index: u32,
        /// The address.
        next_hop: IpAddr,
        /// The MTU that the route has of its own; `None` where it is the interface's.
        mtu: Option<u32>,
    },
    /// It is this host's own.
    Local,
    /// Not at all.
    None,
}

/// A connection to the kernel's routing tables.
#[derive(Clone, Debug)]
pub struct Network {
    pub(crate) handle: Handle,
}

impl Network {
    /// Connects. Has to be called in a tokio runtime.
    pub fn connect() -> Result<Self> {
        let (connection, handle, _) =
            rtnetlink::new_connection().context("cannot open a netlink socket")?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// The interface `name`. Refuses one that copies cannot be made or served at.
    pub async fn interface(&self, name: &str) -> Result<Interface> {
        let Some(message) = self.link(name).await? else {
            let names = self.interface_names().await?.join(", ");
            bail!("there is no interface {name}; this host has {names}");
        };
        let flags = message.header.flags;
        if flags.contains(LinkFlags::Loopback) {
            bail!("{name} is a loopback interface: name the one that packets of others arrive at");
        }
        if message.header.link_layer_type != LinkLayerType::Ether {
            bail!(
                "{name} has no Ethernet frames, as tunnels have none: name the interface that the \
                 tunnel's packets arrive at, if they are not encrypted, or end it on another host"
            );
        }
        if let Some(index) = controller(&message) {
            let above = self.link_by_index(index).await?;
            if is_of_kind(&above, |kind| matches!(kind, InfoKind::Bond | InfoKind::Team)) {
                let above = name_of(&above).unwrap_or_else(|| format!("interface {index}"));
                bail!("{name} is a port of {above}, and sees a part of its packets: name {above}");
            }
        }
        Ok(Interface::of(&message, name.to_owned()))
    }

    /// The link `name`, `None` when there is none.
    pub async fn link(&self, name: &str) -> Result<Option<LinkMessage>> {
        // The kernel refuses longer names with an error that says nothing.
        if name.is_empty() || name.len() > 15 {
            return Ok(None);
        }
        match self.handle.link().get().match_name(name.to_owned()).execute().try_next().await {
            Ok(message) => Ok(message),
            Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -libc_enodev() => {
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("cannot look for interface {name}")),
        }
    }

    /// The name of the interface with this index.
    pub async fn interface_name(&self, index: u32) -> Result<String> {
        let link = self.link_by_index(index).await?;
        name_of(&link).with_context(|| format!("interface {index} has no name"))
    }

    /// The link with this index.
    pub async fn link_by_index(&self, index: u32) -> Result<LinkMessage> {
        let found = self.handle.link().get().match_index(index).execute().try_next().await;
        found.ok().flatten().with_context(|| format!("interface {index} went away"))
    }

    /// All interfaces but loopback, and what leaves by them.
    pub async fn interfaces(&self) -> Result<Vec<(Interface, Leaving)>> {
        let links = self.links().await?;
        let others = links.iter().filter(|it| !it.header.flags.contains(LinkFlags::Loopback));
        Ok(others.filter_map(|it| Some((Interface::of(it, name_of(it)?), leaving(it)))).collect())
    }

    /// Names of all interfaces.
    pub async fn interface_names(&self) -> Result<Vec<String>> {
        Ok(self.links().await?.iter().filter_map(name_of).collect())
    }

    /// All links.
    pub async fn links(&self) -> Result<Vec<LinkMessage>> {
        self.handle.link().get().execute().try_collect().await.context("cannot list links")
    }

    /// The route to `address`.
    pub async fn route(&self, address: IpAddr) -> Result<Route> {
        let message = match address {
            IpAddr::V4(v4) => {
                RouteMessageBuilder::<std::net::Ipv4Addr>::new().destination_prefix(v4, 32).build()
            }
            IpAddr::V6(v6) => {
                RouteMessageBuilder::<std::net::Ipv6Addr>::new().destination_prefix(v6, 128).build()
            }
        };
        let found = match self.handle.route().get(message).execute().try_next().await {
            Ok(Some(found)) => found,
            Ok(None) | Err(rtnetlink::Error::NetlinkError(_)) => return Ok(Route::None),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot look up the route to {address}"));
            }
        };
        Ok(match found.header.kind {
            RouteType::Local => Route::Local,
            RouteType::Unicast => {
                let (mut index, mut next_hop, mut mtu) = (None, address, None);
                for attribute in &found.attributes {
                    match attribute {
                        RouteAttribute::Oif(oif) => index = Some(*oif),
                        RouteAttribute::Gateway(RouteAddress::Inet(v4)) => next_hop = (*v4).into(),
                        RouteAttribute::Gateway(RouteAddress::Inet6(v6)) => next_hop = (*v6).into(),
                        RouteAttribute::Metrics(metrics) => {
                            mtu = metrics.iter().find_map(|metric| match metric {
                                RouteMetric::Mtu(mtu) => Some(*mtu),
                                _ => None,
                            });
                        }
                        _ => {}
                    }
                }
                index.map_or(Route::None, |index| Route::Via { index, next_hop, mtu })
            }
            _ => Route::None,
        })
    }

    /// All addresses of this host.
    pub async fn addresses(&self) -> Result<Vec<IpAddr>> {
        let messages: Vec<_> = self
            .handle
            .address()
            .get()
            .execute()
            .try_collect()
            .await
            .map_err(|error| anyhow!("cannot list addresses: {error}"))?;
        Ok(messages
            .iter()
            .flat_map(|message| &message.attributes)
            .filter_map(|attribute| match attribute {
                AddressAttribute::Address(ip) | AddressAttribute::Local(ip) => Some(*ip),
                _ => None,
            })
            .collect())
    }
}

fn leaving(link: &LinkMessage) -> Leaving {
    use LinkLayerType as Type;
    match link.header.link_layer_type {
        Type::Ether if is_stacked(link) => Leaving::Stacked,
        Type::Ether => Leaving::Ethernet,
        // Those that have no `header_ops`. GRE has, where it has more than one other end.
        Type::None | Type::Rawip | Type::Ppp | Type::Tunnel | Type::Tunnel6 | Type::Sit => {
            Leaving::Ip
        }
        _ => Leaving::Other,
    }
}

/// Whether what is sent by an interface leaves by another one of this network namespace.
fn is_stacked(link: &LinkMessage) -> bool {
    if link.attributes.iter().any(|it| matches!(it, LinkAttribute::LinkNetNsId(_))) {
        return false;
    }
    is_of_kind(link, |kind| {
        matches!(
            kind,
            InfoKind::Vlan
                | InfoKind::MacVlan
                | InfoKind::IpVlan
                | InfoKind::Bridge
                | InfoKind::Bond
                | InfoKind::Team
        )
    })
}

fn is_of_kind(link: &LinkMessage, wanted: impl Fn(&InfoKind) -> bool) -> bool {
    let is_it = |info: &LinkInfo| matches!(info, LinkInfo::Kind(kind) if wanted(kind));
    link.attributes
        .iter()
        .any(|it| matches!(it, LinkAttribute::LinkInfo(infos) if infos.iter().any(is_it)))
}

/// The interface that a link is a port of (`IFLA_MASTER`).
fn controller(link: &LinkMessage) -> Option<u32> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Controller(index) => Some(*index),
        _ => None,
    })
}

fn name_of(link: &LinkMessage) -> Option<String> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })
}

/// The largest packet that the interface takes.
pub fn mtu_of(link: &LinkMessage) -> Option<u32> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Mtu(mtu) => Some(*mtu),
        _ => None,
    })
}

fn libc_enodev() -> i32 {
    nix::errno::Errno::ENODEV as i32
}
