//! `map`: changes what a source copies while it does.

use anyhow::{Context as _, Result, bail};
use mirror_common::{abi::Meta, packet::seal::Magic};

use crate::{
    cli,
    config::{clients::Clients, multiply::Multiply, rate::Limits, time},
    kernel::{
        attach,
        clock::Now,
        meta, object,
        pins::{Attachment, Role, Store},
        settings::{self, Settings},
    },
    net::netlink::{Interface, Network},
    output::{self, MapState, SelectionState},
    source::{
        mappings,
        plan::{MirrorConfig, Plan},
    },
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Map) -> Result<()> {
    match arguments {
        cli::Map::Add(edit) => change(store, &edit.interface, |now| now.add(edit)).await,
        cli::Map::Remove(edit) => change(store, &edit.interface, |now| now.remove(edit)).await,
        cli::Map::Set(set) => change(store, &set.interface, |now| now.set(set)).await,
        cli::Map::List(list) => print(store, list),
    }
}

impl MirrorConfig {
    fn add(&mut self, edit: &cli::MapEdit) -> Result<()> {
        for map in &edit.maps {
            if self.maps.contains(map) {
                bail!("{map} is a map already");
            }
            self.maps.push(*map);
        }
        let clients = &self.selection.clients;
        let included = [clients.included(), edit.clients.clone()].concat();
        let excluded = [clients.excluded(), edit.excluded_clients.clone()].concat();
        self.selection.set_clients(Clients::new(&included, &excluded)?);
        Ok(())
    }

    fn remove(&mut self, edit: &cli::MapEdit) -> Result<()> {
        self.maps = without(&self.maps, &edit.maps, "a map")?;
        if self.maps.is_empty() {
            bail!("that is all that is mapped; use `detach` to end the mirror");
        }
        let clients = &self.selection.clients;
        let included = without(&clients.included(), &edit.clients, "a prefix of --client")?;
        let excluded =
            without(&clients.excluded(), &edit.excluded_clients, "a prefix of --exclude-client")?;
        if included.is_empty() && !edit.clients.is_empty() {
            bail!(
                "without the last prefix of --client all clients would be copied; say so with \
                 `map set --all-clients`, or end the mirror with `detach`"
            );
        }
        self.selection.set_clients(Clients::new(&included, &excluded)?);
        Ok(())
    }

    fn set(&mut self, set: &cli::MapSet) -> Result<()> {
        if !set.maps.is_empty() {
            self.maps.clone_from(&set.maps);
        }
        if set.all_clients || !set.clients.is_empty() || !set.excluded_clients.is_empty() {
            self.selection.set_clients(Clients::new(&set.clients, &set.excluded_clients)?);
        }
        if let Some(sample) = set.sample {
            self.selection.set_sample(sample);
        }
        if set.no_rate_limit || !set.rate_limit.is_empty() {
            self.selection.set_limits(Limits::new(&set.rate_limit)?);
        }
        let now = self.selection.multiply();
        let count = set.copies.unwrap_or(now.count);
        let pools = match (&set.copies_from[..], count) {
            ([], 1) => &[],
            ([], _) => &now.pools[..],
            (pools, _) => pools,
        };
        self.selection.set_multiply(&Multiply::new(count, pools)?);
        let ends_in = time::ends_in(set.until, set.length)?;
        if ends_in.is_some() || set.no_end {
            self.selection.set_deadline(ends_in)?;
        }
        if set.dry_run || set.no_dry_run {
            self.selection.set_dry_run(set.dry_run);
        }
        Ok(())
    }
}

/// `all` but for those `gone`, each of which has to be one of them.
fn without<T: PartialEq + Clone + ToString>(all: &[T], gone: &[T], what: &str) -> Result<Vec<T>> {
    if let Some(unknown) = gone.iter().find(|one| !all.contains(one)) {
        bail!("{} is not {what} that is there; see `map list`", unknown.to_string());
    }
    Ok(all.iter().filter(|one| !gone.contains(one)).cloned().collect())
}

/// Makes of what is copied at `interface` what `edit` makes of it.
async fn change(
    store: &Store,
    interface: &str,
    edit: impl FnOnce(&mut MirrorConfig) -> Result<()>,
) -> Result<()> {
    let network = Network::connect()?;
    let interface = network.interface(interface).await?;
    let _lock = store.lock()?;
    let attachment = store.attachment(&interface.name, Role::Source);
    let meta = attached(&attachment, &interface)?;
    let before = MirrorConfig::read(&attachment)?;
    let mut after = before.clone();
    edit(&mut after)?;
    after.selection.multiply().check(&after.maps, meta.redundancy)?;

    let plan = Plan::new(&network, &interface, &after.maps, after.selection).await?;
    if plan.needs_hooks(&attachment)? {
        // As the running programs were loaded.
        let settings = Settings::Source(settings::Source {
            ifindex: meta.ifindex,
            magic: Magic(meta.seal),
            redundancy: meta.redundancy,
            trace: false,
        });
        let mut ebpf = object::load(&attachment, &settings)?;
        let mechanism = attach::mechanism_of(&attachment)?.context("no program is attached")?;
        plan.attach_egress(&mut ebpf, &attachment, mechanism)?;
    }
    mappings::change(&attachment, &plan.entries, &plan.selection).await?;
    plan.detach_other_egress(&network, &attachment).await?;
    plan.send_teardown(&interface.name, Magic(meta.seal), before);
    output::line(&format!("{}: copies now", interface.name))?;
    let selection = SelectionState::of(&plan.selection, Now::read()?);
    output::print(&output::source_lines(plan.maps(), &selection))
}

/// What is known of the source at `interface`, which has to be there.
fn attached(attachment: &Attachment, interface: &Interface) -> Result<Meta> {
    if !attachment.exists() || !meta::is_complete(attachment) {
        bail!("no source is attached at {}; see `attach`", interface.name);
    }
    let meta = meta::read(attachment)?;
    if meta.ifindex != interface.index {
        bail!(
            "{}: what was attached was another interface by that name; attach again",
            interface.name
        );
    }
    Ok(meta)
}

/// `map list`.
fn print(store: &Store, list: &cli::MapList) -> Result<()> {
    let mut states = Vec::new();
    for attachment in store.attachments()? {
        let wanted = list.interface.as_ref().is_none_or(|name| *name == attachment.interface);
        if attachment.role != Role::Source || !wanted || !meta::is_complete(&attachment) {
            continue;
        }
        meta::read(&attachment)?;
        let MirrorConfig { maps, selection } = MirrorConfig::read(&attachment)?;
        let selection = SelectionState::of(&selection, Now::read()?);
        states.push(MapState { interface: attachment.interface, maps, selection });
    }
    if let Some(name) = &list.interface {
        states.first().with_context(|| format!("no source is attached at {name}"))?;
    }
    if list.json {
        output::line(&output::maps_json(&states))
    } else {
        output::print(&output::maps_text(&states))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::selection::Selection;
    use clap::Parser as _;

    fn copied(maps: &[&str], clients: &[&str]) -> MirrorConfig {
        let clients: Vec<_> = clients.iter().map(|one| one.parse().unwrap()).collect();
        let mut selection = Selection::default();
        selection.set_clients(Clients::new(&clients, &[]).unwrap());
        MirrorConfig { maps: maps.iter().map(|map| map.parse().unwrap()).collect(), selection }
    }

    /// What `line` makes of it: maps and clients, or why not.
    fn edited(mut copied: MirrorConfig, line: &str) -> Result<String, String> {
        let line = format!("mirror-agent map {line}");
        let parsed =
            cli::Cli::try_parse_from(line.split(' ')).map_err(|error| error.to_string())?;
        let cli::Verb::Map(arguments) = parsed.verb else { panic!("another verb") };
        let done = match &arguments {
            cli::Map::Add(edit) => copied.add(edit),
            cli::Map::Remove(edit) => copied.remove(edit),
            cli::Map::Set(set) => copied.set(set),
            cli::Map::List(_) => Ok(()),
        };
        done.map_err(|error| error.to_string())?;
        let texts = |all: Vec<String>| all.join(" ");
        let maps = texts(copied.maps.iter().map(ToString::to_string).collect());
        let clients = copied.selection.clients.included();
        Ok(format!("{maps} {}", texts(clients.iter().map(ToString::to_string).collect())))
    }

    #[test]
    fn maps_and_clients_come_and_go() {
        let one = || copied(&["1=10.0.0.5:1"], &["10.0.0.0/8"]);
        for (line, expected) in [
            ("add eth0 --map 2=10.0.0.5:2", "1=10.0.0.5:1 2=10.0.0.5:2 10.0.0.0/8"),
            ("add eth0 --client 11.0.0.0/8", "1=10.0.0.5:1 10.0.0.0/8 11.0.0.0/8"),
            ("add eth0 --client 10.0.0.0/8", "1=10.0.0.5:1 10.0.0.0/8"),
            ("set eth0 --map 2=10.0.0.5:2", "2=10.0.0.5:2 10.0.0.0/8"),
            ("set eth0 --all-clients", "1=10.0.0.5:1 "),
            ("set eth0 --sample 1%", "1=10.0.0.5:1 10.0.0.0/8"),
        ] {
            assert_eq!(edited(one(), line).as_deref(), Ok(expected), "{line}");
        }
        let two = copied(&["1=10.0.0.5:1", "2=10.0.0.5:2"], &["10.0.0.0/8", "11.0.0.0/8"]);
        let line = "remove eth0 --map 1=10.0.0.5:1 --client 10.0.0.0/8";
        assert_eq!(edited(two, line).as_deref(), Ok("2=10.0.0.5:2 11.0.0.0/8"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let one = || copied(&["1=10.0.0.5:1"], &["10.0.0.0/8"]);
        for (line, mentions) in [
            ("add eth0", "required"),
            ("add eth0 --map 1=10.0.0.5:1", "is a map already"),
            ("add eth0 --exclude-client 10.0.0.0/8", "given to --client and to"),
            ("remove eth0 --map 2=10.0.0.5:2", "is not a map"),
            ("remove eth0 --map 1=10.0.0.5:1", "use `detach`"),
            ("remove eth0 --client 11.0.0.0/8", "is not a prefix of --client"),
            ("remove eth0 --client 10.0.0.0/8", "--all-clients"),
            ("set eth0 --all-clients --client 10.0.0.0/8", "cannot be used with"),
            ("set eth0 --for 1h --no-end", "cannot be used with"),
        ] {
            let said = edited(one(), line).unwrap_err();
            assert!(said.contains(mentions), "{line}: {said}");
        }
    }
}
