//! `port list` and `server list`.

use anyhow::Result;
use serde_json::json;

use crate::{
    cli,
    config::ports::PortRange,
    guard::servers,
    kernel::{
        clock::Now,
        pins::{Role, Store},
    },
    lifecycle::attached::all_attached,
    output,
    target::ports,
};

/// Lists what each attachment of `role`, or the one at an interface, was told.
pub(super) fn run(store: &Store, list: &cli::ListArgs, role: Role) -> Result<()> {
    let (mut text, mut documents) = (String::new(), Vec::new());
    for attachment in all_attached(store, role, list.interface.as_deref())? {
        let interface = attachment.interface.as_str();
        text += &format!("{interface}\n");
        if role == Role::Target {
            let ports = ports::served(&attachment)?;
            text += &format!("  port {}\n", PortRange::join(&ports));
            documents.push(json!({ "interface": interface, "role": role.name(), "ports": ports }));
        } else {
            let servers: Vec<String> =
                servers::get(&attachment)?.iter().map(ToString::to_string).collect();
            text.extend(servers.iter().map(|server| format!("  {server}\n")));
            let document =
                json!({ "interface": interface, "role": role.name(), "servers": servers });
            documents.push(document);
        }
    }
    if list.json {
        return output::line(&output::json_document(documents, Now::read()?.wall.as_secs_f64()));
    }
    if documents.is_empty() {
        text = format!("no {role} is attached\n");
    }
    output::print(&text)
}
