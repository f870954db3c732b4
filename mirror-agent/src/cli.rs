//! What can be typed. Doc comments are the help texts.

mod attach;
mod common;
mod compare;
mod drop;
mod guard;
mod keys;
mod map;
mod port;
mod selection;
mod stats;
mod value;
mod version;

use std::path::PathBuf;

use clap::{
    ArgGroup, Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

pub use self::{
    attach::Attach,
    common::{Common, HookKind},
    compare::Compare,
    drop::{Drop, MAX_CONNECTIONS},
    guard::{Guard, XdpMode},
    keys::Keys,
    map::{ListArgs, Map, MapEdit, MapSet},
    port::{Port, PortEdit, Server, ServerEdit},
    selection::SelectionArgs,
    stats::{Stats, Status},
};
use crate::kernel::pins::Role;

/// What long help says at its end.
const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 an error, 2 a wrong command line, 4 not attached. compare and status --check have more: see their
help.";

/// Mirrors live memcached traffic to a new host, in the kernel
///
/// On the old host, attach copies every packet that clients send to memcached. On the new host, drop lets memcached
/// serve the copies, and drops its replies. Both load programs into the kernel and exit; the programs run until detach.
#[derive(Debug, Parser)]
#[command(name = "mirror-agent", version = version::text(), after_long_help = EXIT_CODES)]
pub struct Cli {
    /// BPF file system that programs and maps are pinned in
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "MIRROR_AGENT_BPFFS",
        default_value = "/sys/fs/bpf",
        help_heading = "Advanced",
        hide_short_help = true,
        display_order = 1000
    )]
    pub bpffs: PathBuf,

    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// On the old host: copy what clients send to memcached to a new host
    Attach(Attach),
    /// On the new host: serve copies, and drop every reply to them
    #[command(visible_alias = "receive")]
    Drop(Drop),
    /// On the old host: change what is mirrored
    #[command(subcommand)]
    Map(Map),
    /// On the new host: change which ports are served
    #[command(subcommand)]
    Port(Port),
    /// On any host: drop what a new host might still send to clients
    Guard(Guard),
    /// Change which servers are guarded
    #[command(subcommand)]
    Server(Server),
    /// Show health and counters
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

/// `detach`.
#[derive(Debug, Args)]
#[command(group = what())]
pub struct Detach {
    /// Interface to take everything off
    pub interface: Option<String>,

    /// Take everything off every interface
    #[arg(long)]
    pub all: bool,

    /// Take only this off
    #[arg(long, value_name = "ROLE", value_parser = roles())]
    pub role: Option<Role>,
}

/// Of these, one. Not `#[group]`, which the role would be one of.
fn what() -> ArgGroup {
    ArgGroup::new("what").args(["interface", "all"]).required(true)
}

fn roles() -> impl clap::builder::TypedValueParser<Value = Role> {
    let find = |name: String| Role::ALL.into_iter().find(|role| role.name() == name);
    PossibleValuesParser::new(Role::ALL.map(Role::name))
        .try_map(move |name| find(name).ok_or("no such role"))
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn old_names_of_options_are_known() {
        for line in [
            "attach eth0 --map 1=10.0.0.5:1 --copies 2 --copies-from 198.18.0.0/15 --foreground --debug-packets",
            "drop eth0 --port 1 --from 02:00:5e:10:00:01 --flows 100 --no-flush --all-commands",
            "receive eth0 --port 1 --no-receive-buffer",
            "map set eth0 --all-clients --no-end --no-dry-run",
            "guard eth0 --from 10.0.0.5:1",
        ] {
            let line = format!("mirror-agent {line}");
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }

    /// `command` and all verbs below it, by what is typed.
    fn verbs(command: &Command, typed: &str, found: &mut Vec<(String, Command)>) {
        found.push((typed.to_owned(), command.clone().term_width(80)));
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            verbs(verb, &format!("{typed} {}", verb.get_name()), found);
        }
    }

    fn all() -> Vec<(String, Command)> {
        let mut command = Cli::command().term_width(80);
        command.build();
        let mut found = Vec::new();
        verbs(&command, "mirror-agent", &mut found);
        found
    }

    #[test]
    fn short_help_fits_a_screen() {
        for (typed, mut command) in all() {
            let help = command.render_help().to_string();
            assert!(help.lines().count() <= 40, "{typed}: {} lines\n{help}", help.lines().count());
            assert!(!help.contains('`'), "{typed}: a terminal shows backticks as they are\n{help}");
            insta::assert_snapshot!(format!("help_{}", typed.replace(' ', "-")), help);
        }
    }

    #[test]
    fn long_help_says_more() {
        for (typed, mut command) in all() {
            let name = format!("long_help_{}", typed.replace(' ', "-"));
            insta::assert_snapshot!(name, command.render_long_help());
        }
    }

    /// `docs/options.md`: what `--help` says of each verb.
    fn page() -> String {
        let mut page = "# Options\n\nWhat `mirror-agent VERB --help` says, for each verb. `INSTA_UPDATE=always cargo test \
                        --package mirror-agent` writes this page.\n"
            .to_owned();
        for (typed, mut command) in all() {
            let lines: Vec<String> = command
                .render_long_help()
                .to_string()
                .lines()
                .map(|line| format!("{}\n", line.trim_end()))
                .collect();
            page += &format!("\n## {typed}\n\n```text\n{}```\n", lines.concat());
        }
        page
    }

    #[test]
    fn the_page_of_options_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/options.md");
        if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always") {
            std::fs::write(path, page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == page(), "docs/options.md is out of date: it says how to write it");
    }
}
