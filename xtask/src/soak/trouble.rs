//! What goes wrong: on the network, on the hosts, and by the operator's hand.

use std::{collections::BTreeMap, thread::sleep, time::Duration};

use mirror_tests::{
    impair::Rates,
    mirror::{Mirror, PORT},
};
use nix::sys::signal::Signal;

/// How long it lasts.
const A_WHILE: Duration = Duration::from_secs(3);
const A_MOMENT: Duration = Duration::from_secs(1);

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Copies are lost, doubled and late.
    BadNetwork,
    /// The new host is cut off.
    LinkDown,
    /// The new memcached loses all that it had.
    NewServerRestarts,
    /// It stands still.
    NewServerStops,
    /// An agent that stays is killed; what it attached stays.
    AgentKilled,
    /// `detach` and `attach` on the old host.
    SourceAgain,
    /// `detach` and `drop` on the new host.
    TargetAgain,
}

impl Trouble {
    pub(crate) const ALL: [Self; 7] = [
        Self::BadNetwork,
        Self::LinkDown,
        Self::NewServerRestarts,
        Self::NewServerStops,
        Self::AgentKilled,
        Self::SourceAgain,
        Self::TargetAgain,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BadNetwork => "copies lost, doubled and late",
            Self::LinkDown => "the new host cut off",
            Self::NewServerRestarts => "the new memcached restarted",
            Self::NewServerStops => "the new memcached stopped and resumed",
            Self::AgentKilled => "an agent killed",
            Self::SourceAgain => "the source detached and attached",
            Self::TargetAgain => "the target detached and attached",
        }
    }

    /// It happens, and is over. What a target counted that is gone then is added to `counted`.
    pub(crate) fn happen(self, mirror: &Mirror, counted: &mut BTreeMap<String, u64>) {
        match self {
            Self::BadNetwork => {
                let mut network = mirror.impair(Rates { drop: 0.02, double: 0.02, delay: 0.02 });
                sleep(A_WHILE);
                network.end();
                // What is late comes.
                sleep(A_MOMENT);
                network.remove(&mirror.lab);
            }
            Self::LinkDown => {
                mirror.lab.switch().ip(&["link", "set", "dev", "new", "down"]);
                sleep(A_MOMENT);
                mirror.lab.switch().ip(&["link", "set", "dev", "new", "up"]);
            }
            Self::NewServerRestarts => {}
            Self::NewServerStops => {
                mirror.new_server.signal(Signal::SIGSTOP);
                sleep(A_WHILE);
                mirror.new_server.signal(Signal::SIGCONT);
            }
            Self::AgentKilled => {
                mirror.old.agent_ok("detach eth0");
                let target = mirror.new.v4();
                let agent = mirror
                    .old
                    .agent_foreground(&format!("attach eth0 --map {PORT}={target}:{PORT}"));
                mirror.old.wait_for_status("source");
                sleep(A_MOMENT);
                agent.signal(Signal::SIGKILL);
            }
            Self::SourceAgain => {
                mirror.old.agent_ok("detach --all");
                sleep(A_MOMENT);
                mirror.attach("");
            }
            Self::TargetAgain => {
                add(counted, &mirror.new.counters("target"));
                mirror.new.agent_ok("detach --all");
                sleep(A_MOMENT);
                mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
            }
        }
    }
}

/// Adds counters to a sum.
pub(crate) fn add(sum: &mut BTreeMap<String, u64>, counters: &BTreeMap<String, u64>) {
    for (name, count) in counters {
        *sum.entry(name.clone()).or_default() += count;
    }
}
