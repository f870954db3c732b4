//! What can be typed after `port` and after `server`.

use std::net::SocketAddr;

use clap::{Args, Subcommand};

use super::{map::ListArgs, value};
use crate::config::ports::PortRange;

/// `port`.
#[derive(Debug, Subcommand)]
pub enum Port {
    /// Serve copies for more ports
    Add(PortEdit),
    /// Serve copies for these ports no more: mirrored connections to them are closed
    Remove(PortEdit),
    /// List ports
    List(ListArgs),
}

/// `port add` and `port remove`: what is given, all at once.
#[derive(Debug, Args)]
pub struct PortEdit {
    /// Interface that drop was given
    pub interface: String,

    /// A port, a range, or a list of both; may be repeated
    #[arg(long = "port", value_name = "PORT", required = true, value_delimiter = ',')]
    pub ports: Vec<PortRange>,
}

/// `server`.
#[derive(Debug, Subcommand)]
pub enum Server {
    /// Drop what more servers send
    Add(ServerEdit),
    /// Let pass what these servers send
    Remove(ServerEdit),
    /// List servers
    List(ListArgs),
}

/// `server add` and `server remove`: what is given, all at once.
#[derive(Debug, Args)]
pub struct ServerEdit {
    /// Interface that guard was given
    pub interface: String,

    /// A server, like 10.0.0.5:11211; may be repeated
    #[arg(
        long = "server",
        value_name = "ADDR:PORT",
        required = true,
        value_parser = value::server,
        value_delimiter = ','
    )]
    pub servers: Vec<SocketAddr>,
}
