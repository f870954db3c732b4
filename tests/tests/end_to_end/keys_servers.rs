//! `keys` and servers that refuse, break off, are something else or of other versions.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    thread::JoinHandle,
};

use mirror_tests::{Host, Lab, memcached::Memcached};
use serde_json::{Value, json};

const PORT: u16 = 11211;

/// A server that gives these answers to requests on one connection, one each; `None` closes it.
fn pretend(host: &Host, answers: Vec<Option<&'static str>>) -> JoinHandle<()> {
    let any = SocketAddr::new(host.v4(), PORT);
    let listener = host.run(|| TcpListener::bind(any)).expect("the port is free");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the agent connects");
        for answer in answers {
            let Some(answer) = answer else { return };
            // A request is small, and comes in one segment.
            if stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
                stream.write_all(answer.as_bytes()).expect("the agent listens");
            }
        }
        // The agent is the one who closes.
        let _ = stream.read(&mut [0; 4096]);
    })
}

const STATS: Option<&str> = Some("STAT time 1795907103\r\nSTAT curr_items 2\r\nEND\r\n");
const ITEM: &str = "key=a exp=-1 la=1795907100 cas=1 fetch=no cls=1 size=64 flags=5\n";
const BUSY: Option<&str> = Some("BUSY currently processing crawler request\r\n");

#[test]
fn servers_that_do_not_answer_as_they_should() {
    let mut lab = Lab::new();
    let (operator, host) = (lab.host("operator"), lab.host("cache"));
    let verb = format!("keys {} --json --timeout 1s", host.v4());
    assert!(operator.agent_refuses(&verb).contains("cannot connect to"), "nobody listens");
    let gone = operator.agent_refuses("keys 10.77.0.99 --timeout 300ms");
    assert!(gone.contains("did not answer") || gone.contains("cannot connect"), "{gone}");
    let unknown = operator.agent_refuses("keys cache.invalid --timeout 30s");
    assert!(unknown.contains("cannot connect to cache.invalid:11211"), "{unknown}");

    for (answers, said) in [
        (
            vec![Some("HTTP/1.1 400 Bad Request\r\n\r\n"), None],
            "does not speak memcached's text protocol",
        ),
        (
            vec![Some("CLIENT_ERROR unauthenticated\r\n")],
            "refuses `stats`: CLIENT_ERROR unauthenticated",
        ),
        (vec![Some(""), None], "closed the connection without an answer"),
        (vec![Some("")], "said nothing for 1s"),
        (
            vec![STATS, Some("ERROR\r\n")],
            "does not list its items: ERROR (memcached does from 1.5.4",
        ),
        (vec![STATS, Some("ERROR metadump not allowed\r\n")], "metadump not allowed"),
        (vec![STATS, BUSY, BUSY, BUSY, BUSY], "was busy with other requests for its items for 1s"),
        (vec![STATS, Some(ITEM), None], "closed the connection in the middle of its list"),
        (vec![STATS, Some(ITEM)], "the list of items broke off"),
    ] {
        let server = pretend(&host, answers);
        let output = operator.agent(&verb);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(said), "{said}: {error}");
        // What came is shown all the same.
        let came = String::from_utf8_lossy(&output.stdout).contains(r#""key":"a""#);
        assert_eq!(came, said.contains("list of items b") || said.contains("in the middle"));
        server.join().expect("the server had its questions");
    }
}

#[test]
fn servers_of_other_versions() {
    let mut lab = Lab::new();
    let (operator, host) = (lab.host("operator"), lab.host("cache"));
    // Of 1.6.43 and later, of one that was busy, and of one that repeats itself (1.6.19 to 1.6.43).
    let begun = "OK\r\nkey=a exp=-1 la=1795907100 cas=1 fetch=no cls=1 size=64 flags=5 \nEND\r\n";
    let broken = "key=a exp=-1 la=1795907100 cas=1 fetch=no cls=1 size=64 flags=5\nkey=b exp\n\
                  END\r\n";
    for (answers, warns) in [
        (vec![STATS, Some(begun)], false),
        (vec![STATS, BUSY, Some(begun)], false),
        (vec![STATS, Some(broken)], true),
    ] {
        let server = pretend(&host, answers);
        let output = operator.agent(&format!("keys {} --json --timeout 5s", host.v4()));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        assert_eq!(error.contains("1 lines of the list could not be read"), warns, "{error}");
        let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
        assert_eq!((&document["key"], &document["flags"]), (&json!("a"), &json!(5)));
        assert_eq!((&document["idle"], &document["expires_at"]), (&json!(3), &Value::Null));
        server.join().expect("the server had its questions");
    }
    // A real one that may not list.
    let _server = Memcached::start_with(&host, PORT + 1, &["-X"]);
    let refused = operator.agent_refuses(&format!("keys {}:{}", host.v4(), PORT + 1));
    assert!(refused.contains("metadump not allowed"), "{refused}");
}
