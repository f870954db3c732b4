//! What can be typed after `map`.

use clap::{ArgGroup, Args, Subcommand};

use super::selection::SelectionArgs;
use crate::config::{clients::Cidr, mapping::MapSpecs};

/// `map`.
#[derive(Debug, Subcommand)]
pub enum Map {
    /// Add maps, or prefixes of clients
    Add(MapEdit),
    /// Remove maps, or prefixes of clients
    Remove(MapEdit),
    /// Replace maps, prefixes of clients, or settings; what is not given stays
    Set(MapSet),
    /// List maps, and what is mirrored of that which they match
    List(ListArgs),
}

/// `map add` and `map remove`: what is given, all at once.
#[derive(Debug, Args)]
#[command(group = entries())]
pub struct MapEdit {
    /// Interface that attach was given
    pub interface: String,

    /// A map, as attach takes it; may be repeated
    #[arg(long = "map", value_name = "MAP")]
    pub maps: Vec<MapSpecs>,

    /// A prefix of clients that are mirrored; may be repeated
    #[arg(long = "client", value_name = "CIDR", value_delimiter = ',')]
    pub clients: Vec<Cidr>,

    /// A prefix of clients that are not; may be repeated
    #[arg(long = "exclude-client", value_name = "CIDR", value_delimiter = ',')]
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
#[command(group = settings(), override_usage = "mirror-agent map set [OPTIONS] <INTERFACE>")]
pub struct MapSet {
    /// Interface that attach was given
    pub interface: String,

    /// These maps and no others; may be repeated
    #[arg(long = "map", value_name = "MAP", help_heading = "What to copy")]
    pub maps: Vec<MapSpecs>,

    /// What is mirrored of that which they match
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// Of these, at least one.
fn settings() -> ArgGroup {
    ArgGroup::new("settings")
        .args([
            "maps",
            "clients",
            "excluded_clients",
            "clear_clients",
            "sample",
            "sample_by",
            "rate_limit",
            "no_rate_limit",
            "duration",
            "until",
            "no_deadline",
            "dry_run",
            "live",
            "multiply",
            "multiply_from",
        ])
        .required(true)
        .multiple(true)
}

/// What `list` takes.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this interface
    pub interface: Option<String>,

    /// As JSON
    #[arg(long)]
    pub json: bool,
}
