//! `--trace-packets`: what becomes of each packet, as a line.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use mirror_tests::{
    Host, agent,
    host::Running,
    mirror::{Mirror, PORT},
    wait,
};
use nix::sys::signal::Signal;

/// An agent that stays and talks.
struct Talking {
    agent: Running,
    said: PathBuf,
}

impl Talking {
    fn start(host: &Host, arguments: &str, ready: &str) -> Self {
        let said = std::env::temp_dir().join(format!("{}-said", host.namespace));
        let file = File::create(&said).expect("a temporary file");
        let agent = host.agent_foreground_to(&format!("{arguments} --trace-packets"), file);
        host.wait_for_status(ready);
        Self { agent, said }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).expect("what the agent said")
    }

    fn wait_for(&self, parts: &[&str]) {
        wait::until(&format!("a line with {parts:?}"), || {
            self.said()
                .lines()
                .any(|line| parts.iter().all(|part| line.contains(part)))
                .then_some(())
        });
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.said);
    }
}

#[test]
fn each_packet_of_the_mirror_has_a_line_and_a_limit() {
    let mirror = Mirror::idle();
    let (old, new) = (&mirror.old, &mirror.new);
    let mut target = Talking::start(new, &format!("drop eth0 --port {PORT}"), "port");
    let mut source =
        Talking::start(old, &format!("attach eth0 --map {PORT}={}:{PORT}", new.v4()), "=");
    let mut client = mirror.connect();
    client.set("key", b"value");

    let port = client.stream.local_addr().expect("a connected socket").port();
    let from = format!("::ffff:{} {port}", mirror.client.v4());
    let to = |host: &Host| format!("> ::ffff:{} {PORT}", host.v4());
    source.wait_for(&["source ingress mirrored", &from, &to(old), "flags 2 length 0"]);
    source.wait_for(&["source copies sent", &from, &to(new), "length 22"]);
    target.wait_for(&["target ingress applied", &from, &to(new), "flags 18 length 22"]);
    target.wait_for(&["target egress acked_for_client", &from[7..]]);
    target.wait_for(&["target egress reply_dropped_data", "length 8"]);

    // Far more than anybody reads.
    for i in 0..5000 {
        client.set(&format!("many{i}"), b"1");
    }
    // What was left out is told with the next line.
    wait::until("what was left out to be told", || {
        client.set("next", b"1");
        let said = source.said();
        said.lines().any(|line| line.contains("lines left out")).then_some(())
    });
    let lines = source.said().lines().filter(|line| line.contains("source ingress")).count();
    assert!(lines < 5000, "{lines} lines");
    let counters = mirror.new.settled("target");
    assert_eq!(agent::lost(&counters), 0, "{counters:?}");

    for agent in [&mut source, &mut target] {
        agent.agent.signal(Signal::SIGTERM);
        assert!(agent.agent.0.wait().expect("the agent ends").success());
    }
}

#[test]
fn lines_need_somebody_who_reads_them() {
    let mirror = Mirror::idle();
    let said = mirror.new.agent_refuses(&format!("drop eth0 --port {PORT} --trace-packets"));
    assert!(said.contains("--foreground"), "{said}");
}
