//! GRO by lists (`rx-gro-list`) at the old host's interface, which takes the seal off most copies.

use mirror_tests::mirror::{Mirror, PORT};
use serde_json::Value;

const WARNING: &str = "rx-gro-list is on";
const REMEDY: &str = "ethtool -K eth0 rx-gro-list off";

/// What `attach` warns of, where the clients that may send UDP are named.
fn attach(mirror: &Mirror) -> String {
    let map = format!("--map {PORT}={}:{PORT}", mirror.new.v4());
    mirror.old.attach_warned(&format!("{map} --client 10.77.0.0/24"))
}

/// The same of `status`, for people and for scripts.
fn status(mirror: &Mirror) -> [String; 2] {
    let text = mirror.old.agent_ok("status --json");
    let document: Value = serde_json::from_str(&text).expect("status --json prints JSON");
    [mirror.old.agent_ok("status"), document["attachments"][0]["warnings"].to_string()]
}

#[test]
fn attach_and_status_warn_of_it_while_it_is_on() {
    let mirror = Mirror::idle();
    mirror.old.shell("ethtool -K eth0 rx-gro-list on");
    let said = attach(&mirror);
    assert!(said.contains(WARNING) && said.contains(REMEDY), "{said}");
    for shown in status(&mirror) {
        assert!(shown.contains(WARNING) && shown.contains(REMEDY), "{shown}");
    }
    mirror.old.shell(REMEDY);
    let [table, json] = status(&mirror);
    assert!(!table.contains("warning"), "{table}");
    assert_eq!(json, "[]");
    assert_eq!(attach(&mirror), "");
}
