//! What can be typed. Doc comments are the help texts.

mod compare;
mod keys;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use mirror_common::abi::{MAX_COPIES, MAX_REDUNDANCY, mac_key};

use crate::{
    config::{clients::Cidr, mapping::MapSpec, rate::Rate, sample::Sample, time},
    kernel::attach::{hook::Mechanism, xdp::Mode},
    net::address::endpoint,
};

pub use compare::Compare;
pub use keys::Keys;

/// Mirrors live memcached traffic to a new host, in the kernel.
///
/// On the old host, `attach` copies every packet that clients send to memcached. On the new host,
/// `drop` lets memcached serve the copies and discards its replies. Both load programs into the
/// kernel and return; the programs run until `detach`.
#[derive(Debug, Parser)]
#[command(name = "mirror-agent", version)]
pub struct Cli {
    /// BPF file system that programs and maps are pinned in
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "MIRROR_AGENT_BPFFS",
        default_value = "/sys/fs/bpf"
    )]
    pub bpffs: PathBuf,

    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// On the old host: copy what clients send to a port to a new host
    Attach(Attach),
    /// On the new host: serve copies, and drop every reply to them
    Drop(Drop),
    /// On the old host: change what is copied while it is, from one packet to the next
    #[command(subcommand)]
    Map(Map),
    /// On any host: drop what a new host might still send to clients, should it leak
    Guard(Guard),
    /// Show counters
    Stats(Stats),
    /// Show what is attached where
    Status(Status),
    /// Take programs off and leave nothing behind
    Detach(Detach),
    /// List what a memcached holds: each key with its size, time to live, last use and flags
    Keys(Keys),
    /// Compare what an old and a new memcached hold, while clients change both
    Compare(Compare),
}

/// `attach`.
#[derive(Debug, Args)]
pub struct Attach {
    /// Interface that clients' packets arrive at
    pub interface: String,

    /// What to copy where, as `[LOCALADDR:]PORT=ADDR:PORT`; repeat it for more ports or more targets
    ///
    /// IPv6 addresses are written in brackets. Repeating a port sends its copies to several targets.
    #[arg(long = "map", value_name = "MAP", required = true)]
    pub maps: Vec<MapSpec>,

    /// How often each TCP copy is sent, against loss on the way; the new host takes the first to arrive
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_REDUNDANCY)))]
    pub redundancy: u32,

    /// Which of that is copied, and until when
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Options that `attach` and `drop` share
    #[command(flatten)]
    pub common: Common,
}

/// What `attach` copies of that which maps take.
#[derive(Debug, Args)]
pub struct SelectionArgs {
    /// Copy only what clients of these addresses send, like `10.0.0.0/8` or `fd00::/8`; repeat it for more
    ///
    /// The longest prefix that covers a client decides, of --client and --exclude-client together. Without
    /// --client, all clients are copied but those that are excluded.
    #[arg(long = "client", value_name = "CIDR")]
    pub clients: Vec<Cidr>,

    /// Do not copy what clients of these addresses send; repeat it for more
    #[arg(long = "exclude-client", value_name = "CIDR")]
    pub excluded_clients: Vec<Cidr>,

    /// Copy a share of all connections, like `10%` or `0.5%`; each as a whole or not at all
    #[arg(long, value_name = "SHARE", default_value_t = Sample::ALL)]
    pub sample: Sample,

    /// Send each target no more than this in a second, on average, like `50kpps` or `100mbit`; both may be given
    ///
    /// What is more is shed by whole connections, which are copied again when there is room. Units: pps, kpps,
    /// mpps, kbit, mbit, gbit.
    #[arg(long, value_name = "RATE")]
    pub rate_limit: Vec<Rate>,

    /// Load test: copy each connection this often to each target, as if there were so many clients
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_COPIES)))]
    pub copies: u32,

    /// Addresses that further copies are from, like `198.18.0.0/15`; without it, they have other ports of the
    /// client's address. One for each IP version
    #[arg(long, value_name = "CIDR")]
    pub copies_from: Vec<Cidr>,

    /// Stop after this time, like `24h`; nothing has to run for that
    #[arg(long = "for", value_name = "TIME", value_parser = time::duration, conflicts_with = "until")]
    pub length: Option<Duration>,

    /// Stop at this moment, like `2030-01-31T18:00:00Z`, or `2030-01-31 18:00` on this host's clock
    #[arg(long, value_name = "MOMENT", value_parser = time::moment)]
    pub until: Option<Timestamp>,

    /// Count what would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `drop`.
#[derive(Debug, Args)]
pub struct Drop {
    /// Interface that copies arrive at
    pub interface: String,

    /// Port of a memcached that serves copies; repeat it for more
    #[arg(long = "port", value_name = "PORT", required = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,

    /// Take copies only from this MAC address, of an old host or of the router before this host; repeat
    /// it for more
    #[arg(long = "from", value_name = "MAC", value_parser = mac)]
    pub from: Vec<u64>,

    /// Connections that can be mirrored at once; 256 bytes of kernel memory each when used
    #[arg(long, value_name = "COUNT", default_value_t = 1 << 18, value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub flows: u32,

    /// Do not let memcached have `flush_all`: it keeps items that the old one dropped
    #[arg(long)]
    pub no_flush: bool,

    /// Let memcached have what changes a server and not its items, too: `shutdown`, `verbosity`,
    /// `cache_memlimit`, `slabs`, `lru`, `lru_crawler`, `watch`, `stats reset` and the like
    #[arg(long)]
    pub all_commands: bool,

    /// Leave memcached's receive buffer as it is: large values wait on new connections
    #[arg(long)]
    pub no_receive_buffer: bool,

    /// Options that `attach` and `drop` share
    #[command(flatten)]
    pub common: Common,
}

/// `guard`.
#[derive(Debug, Args)]
pub struct Guard {
    /// Interface that the new host's packets would arrive at
    pub interface: String,

    /// A new memcached, like `10.0.0.5:11211`: all that it sends, and ICMP errors about what it was sent, is
    /// dropped; repeat it for more
    #[arg(long = "from", value_name = "ADDR:PORT", required = true, value_parser = sender)]
    pub from: Vec<SocketAddr>,

    /// Where the program runs: in the driver (native) or in the stack (generic); auto tries the driver first
    ///
    /// Some drivers set up their queues anew for a native program, and lose packets for that moment.
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub mode: XdpMode,
}

/// What `--mode` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum XdpMode {
    /// Native where the driver has XDP.
    Auto,
    /// In the driver.
    Native,
    /// In the stack.
    Generic,
}

impl XdpMode {
    /// The one that has to be; `None` for the best that can be.
    pub const fn wanted(self) -> Option<Mode> {
        match self {
            Self::Auto => None,
            Self::Native => Some(Mode::Native),
            Self::Generic => Some(Mode::Generic),
        }
    }
}

/// What `attach` and `drop` share.
#[derive(Debug, Args)]
pub struct Common {
    /// Number that tells copies from other packets; the same on both hosts
    #[arg(long, value_name = "NUMBER", value_parser = number, default_value_t = mirror_common::packet::seal::Magic::DEFAULT.0)]
    pub magic: u32,

    /// Stay, show counters, and detach on Ctrl-C or SIGTERM
    #[arg(long)]
    pub foreground: bool,

    /// By what programs are attached: tcx (Linux 6.6) or filters of clsact; auto takes tcx where it is
    #[arg(long, value_name = "KIND", default_value = "auto")]
    pub hook: HookKind,

    /// Say what becomes of each packet of the mirror, up to 100 a second for each hook and processor
    #[arg(long, requires = "foreground")]
    pub debug_packets: bool,
}

/// What `--hook` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HookKind {
    /// The best that the kernel has.
    Auto,
    /// tcx links.
    Tcx,
    /// clsact filters.
    Clsact,
}

impl HookKind {
    /// What it means on this kernel.
    pub fn resolve(self) -> anyhow::Result<Mechanism> {
        match self {
            Self::Auto => Mechanism::of_kernel(),
            Self::Tcx => Ok(Mechanism::Tcx),
            Self::Clsact => Ok(Mechanism::Clsact),
        }
    }
}

/// `map`.
#[derive(Debug, Subcommand)]
pub enum Map {
    /// Add maps, or prefixes of clients, to those that are there
    Add(MapEdit),
    /// Take maps, or prefixes of clients, away from those that are there
    Remove(MapEdit),
    /// Put others in the place of what is there; what is not given stays
    Set(MapSet),
    /// List maps, and what is copied of that which they take
    List(MapList),
}

/// `map add` and `map remove`: what is given, all at once.
#[derive(Debug, Args)]
#[command(group = entries())]
pub struct MapEdit {
    /// Interface that `attach` was given
    pub interface: String,

    /// A map, as `attach` takes it; repeat it for more
    #[arg(long = "map", value_name = "MAP")]
    pub maps: Vec<MapSpec>,

    /// A prefix of clients that are copied; repeat it for more
    #[arg(long = "client", value_name = "CIDR")]
    pub clients: Vec<Cidr>,

    /// A prefix of clients that are not; repeat it for more
    #[arg(long = "exclude-client", value_name = "CIDR")]
    pub excluded_clients: Vec<Cidr>,
}

/// Of these, at least one. Not `#[group]`, which the interface would be one of.
fn entries() -> ArgGroup {
    ArgGroup::new("entries")
        .args(["maps", "clients", "excluded_clients"])
        .required(true)
        .multiple(true)
}

/// `map set`: what is given, all at once.
#[derive(Debug, Args)]
pub struct MapSet {
    /// Interface that `attach` was given
    pub interface: String,

    /// These maps and no others; repeat it for more
    #[arg(long = "map", value_name = "MAP")]
    pub maps: Vec<MapSpec>,

    /// These clients, and with --exclude-client, and no other prefixes
    #[arg(long = "client", value_name = "CIDR")]
    pub clients: Vec<Cidr>,

    /// Not these clients, and with --client, and no other prefixes
    #[arg(long = "exclude-client", value_name = "CIDR")]
    pub excluded_clients: Vec<Cidr>,

    /// No prefixes: all clients
    #[arg(long, conflicts_with_all = ["clients", "excluded_clients"])]
    pub all_clients: bool,

    /// A share of all connections, like `10%`; who is in the sample stays in a larger one
    #[arg(long, value_name = "SHARE")]
    pub sample: Option<Sample>,

    /// Send each target no more than this in a second, on average, like `50kpps` or `100mbit`
    #[arg(long, value_name = "RATE")]
    pub rate_limit: Vec<Rate>,

    /// Send each target whatever there is
    #[arg(long, conflicts_with = "rate_limit")]
    pub no_rate_limit: bool,

    /// Copy each connection this often to each target
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_COPIES)))]
    pub copies: Option<u32>,

    /// Addresses that further copies are from
    #[arg(long, value_name = "CIDR")]
    pub copies_from: Vec<Cidr>,

    /// Stop after this time, from now
    #[arg(long = "for", value_name = "TIME", value_parser = time::duration, conflicts_with = "until")]
    pub length: Option<Duration>,

    /// Stop at this moment
    #[arg(long, value_name = "MOMENT", value_parser = time::moment)]
    pub until: Option<Timestamp>,

    /// Do not stop
    #[arg(long, conflicts_with_all = ["length", "until"])]
    pub no_end: bool,

    /// Count what would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Send
    #[arg(long, conflicts_with = "dry_run")]
    pub no_dry_run: bool,
}

/// `map list`.
#[derive(Debug, Args)]
pub struct MapList {
    /// Only this interface
    pub interface: Option<String>,

    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `stats`.
#[derive(Debug, Args)]
pub struct Stats {
    /// Only this interface
    pub interface: Option<String>,

    /// Go on, with rates
    #[arg(long, short)]
    pub follow: bool,

    /// Time between two tables of --follow
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time::duration)]
    pub interval: Duration,

    /// One JSON document for each table
    #[arg(long)]
    pub json: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `detach`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Detach {
    /// Interface to take everything off
    pub interface: Option<String>,

    /// Take everything off every interface
    #[arg(long)]
    pub all: bool,
}

/// A decimal number, or a hexadecimal one with 0x.
fn number(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "expected a number below 2^32, like 4711 or 0x1267".to_owned())
}

/// An address and a port that something can be sent from.
fn sender(text: &str) -> Result<SocketAddr, String> {
    let sender = endpoint(text)?;
    if sender.port() == 0 || sender.ip().is_unspecified() || sender.ip().is_multicast() {
        return Err(format!("nobody sends from {sender}"));
    }
    Ok(sender)
}

/// A MAC address like `02:00:5e:10:00:01`, as a map key.
fn mac(text: &str) -> Result<u64, String> {
    let wrong = || format!("expected a MAC address like 02:00:5e:10:00:01, not '{text}'");
    let bytes: Vec<u8> = text
        .split(':')
        .map(|part| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2))
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    Ok(mac_key(bytes.try_into().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn senders() {
        assert!(sender("10.0.0.5:11211").is_ok() && sender("[fd00::5]:11211").is_ok());
        for text in ["10.0.0.5", "fd00::5:11211", "cache:11211", "10.0.0.5:0", "0.0.0.0:11211"] {
            assert!(sender(text).is_err(), "{text}");
        }
    }

    #[test]
    fn mac_addresses() {
        assert_eq!(mac("02:00:5e:10:00:fF"), Ok(0x0200_5e10_00ff));
        for text in ["", "02:00:5e:10:00", "02:00:5e:10:00:01:02", "2:0:5e:10:0:1", "x", "é:1"] {
            assert!(mac(text).is_err(), "{text}");
        }
    }
}
