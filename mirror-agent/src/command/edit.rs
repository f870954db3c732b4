//! What is typed makes of what a source was told: `attach` and `map` have it in common.

use anyhow::{Result, bail};

use crate::{
    cli,
    config::{
        clients::{Cidr, Clients},
        mapping::{MapSpec, MapSpecs},
        multiply::Multiply,
        rate::Limits,
        selection::Selection,
        time,
    },
    source::config::MirrorConfig,
};

/// `attach`: maps and prefixes are added, settings that are given change.
pub(super) fn attach(config: &mut MirrorConfig, arguments: &cli::Attach) -> Result<()> {
    for map in all(&arguments.maps)? {
        if !config.maps.contains(&map) {
            config.maps.push(map);
        }
    }
    if let Some(redundancy) = arguments.redundancy {
        config.redundancy = redundancy;
    }
    if let Some(forwarded) = arguments.forwarded {
        config.forwarded = forwarded;
    }
    let typed = &arguments.selection;
    if typed.clear_clients {
        config.selection.set_clients(Clients::default());
    }
    add_clients(&mut config.selection, &typed.clients, &typed.excluded_clients)?;
    settings(&mut config.selection, typed)
}

/// `map add`: each has to be new.
pub(super) fn add(config: &mut MirrorConfig, edit: &cli::MapEdit) -> Result<()> {
    for map in all(&edit.maps)? {
        if config.maps.contains(&map) {
            bail!("{map} is a map already");
        }
        config.maps.push(map);
    }
    add_clients(&mut config.selection, &edit.clients, &edit.excluded_clients)
}

/// `map remove`: each has to be there, and something has to be left.
pub(super) fn remove(config: &mut MirrorConfig, edit: &cli::MapEdit) -> Result<()> {
    config.maps = without(&config.maps, &all(&edit.maps)?, "a map")?;
    if config.maps.is_empty() {
        bail!("that is all that is mapped; use `detach` to end the mirror");
    }
    let clients = &config.selection.clients;
    let included = without(&clients.included(), &edit.clients, "a prefix of --client")?;
    let excluded =
        without(&clients.excluded(), &edit.excluded_clients, "a prefix of --exclude-client")?;
    if included.is_empty() && !edit.clients.is_empty() {
        bail!(
            "without the last prefix of --client all clients would be mirrored; say so with \
             `map set --clear-clients`, or end the mirror with `detach`"
        );
    }
    config.selection.set_clients(Clients::new(&included, &excluded)?);
    Ok(())
}

/// `map set`: maps and prefixes that are given take the place of those that are there.
pub(super) fn set(config: &mut MirrorConfig, set: &cli::MapSet) -> Result<()> {
    if !set.maps.is_empty() {
        config.maps = all(&set.maps)?;
    }
    let typed = &set.selection;
    if typed.clear_clients || !typed.clients.is_empty() || !typed.excluded_clients.is_empty() {
        config.selection.set_clients(Clients::new(&typed.clients, &typed.excluded_clients)?);
    }
    settings(&mut config.selection, typed)
}

/// All maps that were typed; refuses one that was typed twice.
fn all(typed: &[MapSpecs]) -> Result<Vec<MapSpec>> {
    let mut maps: Vec<MapSpec> = Vec::new();
    for map in typed.iter().flat_map(|maps| &maps.0) {
        if maps.contains(map) {
            bail!("map {map} is given twice");
        }
        maps.push(*map);
    }
    Ok(maps)
}

fn add_clients(selection: &mut Selection, included: &[Cidr], excluded: &[Cidr]) -> Result<()> {
    let known = &selection.clients;
    let included = [&known.included(), included].concat();
    let excluded = [&known.excluded(), excluded].concat();
    selection.set_clients(Clients::new(&included, &excluded)?);
    Ok(())
}

/// Changes the settings that are given.
fn settings(selection: &mut Selection, typed: &cli::SelectionArgs) -> Result<()> {
    if let Some(sample) = typed.sample {
        selection.set_sample(sample);
    }
    if typed.no_rate_limit || !typed.rate_limit.is_empty() {
        selection.set_limits(Limits::new(&typed.rate_limit)?);
    }
    let now = selection.multiply();
    let count = typed.multiply.unwrap_or(now.count);
    let pools = match (&typed.multiply_from[..], count) {
        ([], 1) => &[],
        ([], _) => &now.pools[..],
        (pools, _) => pools,
    };
    selection.set_multiply(&Multiply::new(count, pools)?);
    let ends_in = time::ends_in(typed.until, typed.duration)?;
    if ends_in.is_some() || typed.no_deadline {
        selection.set_deadline(ends_in)?;
    }
    if typed.dry_run || typed.live {
        selection.set_dry_run(typed.dry_run);
    }
    Ok(())
}

/// Those of both, in order, each once.
pub(super) fn joined<T: Ord + Clone>(known: &[T], more: &[T]) -> Vec<T> {
    let mut all = [known, more].concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// `all` but for those `gone`, each of which has to be one of them.
pub(super) fn without<T: PartialEq + Clone + ToString>(
    all: &[T],
    gone: &[T],
    what: &str,
) -> Result<Vec<T>> {
    if let Some(unknown) = gone.iter().find(|one| !all.contains(one)) {
        bail!("{} is not {what} that is there; see `status`", unknown.to_string());
    }
    Ok(all.iter().filter(|one| !gone.contains(one)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use mirror_common::packet::seal::Magic;

    fn copied(maps: &[&str], clients: &[&str]) -> MirrorConfig {
        let clients: Vec<_> = clients.iter().map(|one| one.parse().unwrap()).collect();
        let mut config = MirrorConfig::fresh(Magic::DEFAULT);
        config.selection.set_clients(Clients::new(&clients, &[]).unwrap());
        config.maps = maps.iter().map(|map| map.parse().unwrap()).collect();
        config
    }

    /// What `line` makes of it: maps and clients, or why not.
    fn edited(mut copied: MirrorConfig, line: &str) -> Result<String, String> {
        let line = format!("mirror-agent map {line}");
        let parsed =
            cli::Cli::try_parse_from(line.split(' ')).map_err(|error| error.to_string())?;
        let cli::Verb::Map(arguments) = parsed.verb else { panic!("another verb") };
        let done = match &arguments {
            cli::Map::Add(edit) => add(&mut copied, edit),
            cli::Map::Remove(edit) => remove(&mut copied, edit),
            cli::Map::Set(set) => super::set(&mut copied, set),
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
            ("set eth0 --clear-clients", "1=10.0.0.5:1 "),
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
            ("remove eth0 --client 10.0.0.0/8", "--clear-clients"),
            ("set eth0 --clear-clients --client 10.0.0.0/8", "cannot be used with"),
            ("set eth0 --for 1h --no-deadline", "cannot be used with"),
        ] {
            let said = edited(one(), line).unwrap_err();
            assert!(said.contains(mentions), "{line}: {said}");
        }
    }
}
