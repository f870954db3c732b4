//! memcached's listeners have room for large values while a target serves them, and what they had afterwards.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Output, Stdio},
    time::Duration,
};

use mirror_tests::{
    Host, Lab, agent,
    memcached::Memcached,
    mirror::{Mirror, PORT},
};
use nix::{
    getsockopt_impl, libc, setsockopt_impl, sockopt_impl,
    sys::{
        signal::Signal,
        socket::{
            getsockopt, setsockopt,
            sockopt::{RcvBuf, RcvBufForce},
        },
    },
};
use serde_json::Value;

/// What listeners are given, as the kernel counts it.
const WANTED: usize = 8 << 20;

sockopt_impl!(
    /// Which of a socket's buffers have a size that the kernel must not change.
    BufLock,
    Both,
    libc::SOL_SOCKET,
    SO_BUF_LOCK,
    u32
);

/// `include/uapi/asm-generic/socket.h`.
const SO_BUF_LOCK: libc::c_int = 72;
/// `include/uapi/linux/socket.h`.
const RECEIVE: u32 = 2;

/// Receive buffers of the host's listeners at `port`, IPv4 and IPv6.
fn buffers(host: &Host, port: u16) -> Vec<usize> {
    let sockets = host.output("ss", &["-Htlmn", &format!("sport = :{port}")]);
    let buffers = sockets.split(",rb").skip(1);
    buffers
        .map(|rest| rest.split(',').next().and_then(|bytes| bytes.parse().ok()).expect("a size"))
        .collect()
}

/// What `status` says of receive buffers, as text and as JSON; both have to say it of the same ports.
fn said(host: &Host) -> Vec<(u16, String)> {
    let document: Value =
        serde_json::from_str(&host.agent_ok("status --json")).expect("status --json prints JSON");
    let table = host.agent_ok("status");
    let attachments = document["attachments"].as_array().expect("a list of attachments");
    let found: Vec<(u16, String)> = attachments
        .iter()
        .flat_map(|one| one["receive_buffer_shortages"].as_array().expect("a list").clone())
        .map(|one| {
            let port = one["port"].as_u64().and_then(|port| port.try_into().ok());
            (port.expect("a port"), one["message"].as_str().expect("a text").to_owned())
        })
        .collect();
    assert_eq!(table.matches("run `drop` again").count(), found.len(), "{table}");
    for (_, message) in &found {
        assert!(table.contains(message.as_str()), "{table}");
    }
    found
}

/// Takes from a program the right to look into other processes.
const WITHOUT_PTRACE: &str = "setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace";

/// Runs the agent by way of another program. It has to succeed.
fn agent_by(host: &Host, way: &str, arguments: &str) -> Output {
    let mut way = way.split(' ');
    let output = host
        .command(way.next().expect("a program"))
        .args(way)
        .arg(agent::binary())
        .arg("--bpffs")
        .arg(host.bpffs())
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .expect("the program is installed");
    assert!(output.status.success(), "{output:?}");
    output
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn listeners_have_more_room_until_detach() {
    let mirror = Mirror::idle();
    let before = buffers(&mirror.new, PORT);
    assert_eq!(before.len(), 2, "memcached listens to IPv4 and to IPv6");
    for _ in 0..2 {
        let output = mirror.new.agent(&format!("drop eth0 --port {PORT}"));
        assert_eq!((output.status.success(), stderr(&output)), (true, String::new()));
        assert_eq!(buffers(&mirror.new, PORT), [WANTED; 2]);
        assert_eq!(said(&mirror.new), []);
    }
    let output = mirror.new.agent("detach eth0");
    assert_eq!((output.status.success(), stderr(&output)), (true, String::new()));
    assert_eq!(buffers(&mirror.new, PORT), before);
}

/// The test's own listeners, of which it can see more than `ss` shows.
#[test]
fn each_listener_gets_back_what_it_had() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    let listen = |port| {
        host.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))).expect("the port is free")
    };
    let listeners = [1001, 1002, 1003].map(listen);
    setsockopt(&listeners[1], RcvBuf, &50_000).expect("a size of its own");
    setsockopt(&listeners[2], RcvBufForce, &WANTED).expect("a size of its own");
    let state = || {
        listeners.each_ref().map(|listener| {
            let bytes = getsockopt(listener, RcvBuf).expect("a size");
            (bytes, getsockopt(listener, BufLock).expect("Linux 5.14") & RECEIVE != 0)
        })
    };
    let before = state();
    assert_eq!(before[1..], [(100_000, true), (2 * WANTED, true)]);
    assert!(before[0].0 < WANTED && !before[0].1, "{before:?}");

    let larger = (WANTED, true);
    let ports = "--port 1001 --port 1002 --port 1003";
    host.agent_ok(&format!("drop eth0 {ports}"));
    assert_eq!(state(), [larger, larger, before[2]]);
    host.agent_ok("port remove eth0 --port 1001");
    assert_eq!(state(), [before[0], larger, before[2]], "the first is not served any more");
    host.agent_ok(&format!("drop eth0 {ports} --no-receive-buffer"));
    assert_eq!(state(), before);
    host.agent_ok(&format!("drop eth0 {ports} --no-receive-buffer=no"));
    host.agent_ok(&format!("drop eth0 {ports}"));
    assert_eq!(state(), [larger, larger, before[2]]);
    host.agent_ok("detach eth0");
    assert_eq!(state(), before);
}

#[test]
fn it_can_be_left_alone() {
    let mirror = Mirror::idle();
    let before = buffers(&mirror.new, PORT);
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT} --port 11999 --no-receive-buffer"));
    assert_eq!((buffers(&mirror.new, PORT), said(&mirror.new)), (before, vec![]));
}

#[test]
fn a_memcached_that_comes_later_is_seen() {
    let mut mirror = Mirror::idle();
    let before = buffers(&mirror.new, PORT);
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    mirror.new_server.signal(Signal::SIGKILL);
    mirror_tests::wait::until("memcached to end", || {
        buffers(&mirror.new, PORT).is_empty().then_some(())
    });
    let [(PORT, message)] = &said(&mirror.new)[..] else { panic!("one port has no memcached") };
    assert!(message.contains("nothing listens"), "{message}");
    let output = mirror.new.agent(&format!("drop eth0 --port {PORT}"));
    assert!(output.status.success() && stderr(&output).contains("nothing listens"), "{output:?}");

    mirror.new_server = Memcached::start(&mirror.new, PORT);
    let [(PORT, message)] = &said(&mirror.new)[..] else { panic!("memcached has it no more") };
    assert!(message.contains("not 8 MiB"), "{message}");
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    assert_eq!((buffers(&mirror.new, PORT), said(&mirror.new)), (vec![WANTED; 2], vec![]));
    mirror.new.agent_ok("detach eth0");
    assert_eq!(buffers(&mirror.new, PORT), before);
}

#[test]
fn detach_needs_no_memcached() {
    let mirror = Mirror::idle();
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    mirror.new_server.signal(Signal::SIGKILL);
    let output = mirror.new.agent("detach eth0");
    assert_eq!((output.status.success(), stderr(&output)), (true, String::new()));
}

/// memcached has every capability that root has, the agent one fewer: the kernel lets it trace no such process.
#[test]
fn who_may_not_trace_memcached_is_told_so() {
    let mirror = Mirror::idle();
    let before = buffers(&mirror.new, PORT);
    let drop = format!("drop eth0 --port {PORT}");
    let output = agent_by(&mirror.new, WITHOUT_PTRACE, &drop);
    let lines = stderr(&output);
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.contains("CAP_SYS_PTRACE") && lines.contains("large values wait"), "{lines}");
    assert_eq!(buffers(&mirror.new, PORT), before);
    let [(PORT, message)] = &said(&mirror.new)[..] else { panic!("memcached has it not") };
    assert!(message.contains("CAP_SYS_PTRACE"), "{message}");

    mirror.new.agent_ok(&drop);
    assert_eq!((buffers(&mirror.new, PORT), said(&mirror.new)), (vec![WANTED; 2], vec![]));
    let output = agent_by(&mirror.new, WITHOUT_PTRACE, &drop);
    assert_eq!(stderr(&output), "", "it has what it should have");
    let output = agent_by(&mirror.new, WITHOUT_PTRACE, "detach eth0");
    assert!(stderr(&output).contains("stays at 8 MiB"), "{output:?}");
    assert_eq!(buffers(&mirror.new, PORT), [WANTED; 2]);
}

#[test]
fn a_memcached_of_another_pid_namespace_is_out_of_reach() {
    let mirror = Mirror::idle();
    let drop = format!("drop eth0 --port {PORT}");
    let output = agent_by(&mirror.new, "unshare --pid --fork --mount-proc", &drop);
    assert!(stderr(&output).contains("PID namespace"), "{output:?}");
    let [(PORT, _)] = &said(&mirror.new)[..] else { panic!("memcached has it not") };
}

#[test]
fn two_targets_of_one_memcached_share_it() {
    let mut mirror = Mirror::idle();
    mirror.lab.second_interface(&mirror.new, "eth1");
    let before = buffers(&mirror.new, PORT);
    for interface in ["eth0", "eth1"] {
        mirror.new.agent_ok(&format!("drop {interface} --port {PORT}"));
    }
    mirror.new.agent_ok("detach eth0");
    assert_eq!(buffers(&mirror.new, PORT), [WANTED; 2]);
    mirror.new.agent_ok("detach eth1");
    assert_eq!(buffers(&mirror.new, PORT), before);
}

/// It stands still for longer than copies wait.
#[test]
fn a_large_value_does_not_wait_for_a_memcached_that_stands_still() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    mirror.new_server.signal(Signal::SIGSTOP);
    let mut client = mirror.connect();
    client.set("large", &[b'x'; 1_000_000]);
    std::thread::sleep(Duration::from_millis(1500));
    mirror.new_server.signal(Signal::SIGCONT);
    let target = mirror.assert_all_applied(wire);
    assert_eq!(target["desynced"], 0, "{target:?}");
    mirror.assert_same(["large"]);
}
