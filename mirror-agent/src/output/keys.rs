//! Items of a cache, one on each line, so that a list of any length is shown as it comes.

use std::fmt::Write as _;

use serde::Serialize;

use super::text::format_duration;
use crate::memcached::{base64::base64, dump::Item};

/// The names of the columns of [`row`]. Keys and values are last, since only they have any length.
pub fn heading(values: bool) -> String {
    let last = if values { "KEY VALUE" } else { "KEY" };
    columns("SIZE", "EXPIRES-IN", "IDLE", "READ", "FLAGS", "CLASS", last)
}

/// An item for people; `now` by the server's clock.
pub fn row(item: &Item, value: Option<&[u8]>, now: u64) -> String {
    let last = match value {
        None => printable(&item.key),
        Some(value) => format!("{} {}", printable(&item.key), printable(value)),
    };
    let expires = match item.expires {
        None => "never".to_owned(),
        Some(at) => words(at.saturating_sub(now)),
    };
    columns(
        &item.size.to_string(),
        &expires,
        &words(now.saturating_sub(item.used)),
        if item.fetched { "yes" } else { "no" },
        &item.flags.map_or("-".to_owned(), |flags| flags.to_string()),
        &item.class.to_string(),
        &last,
    )
}

/// An item as a JSON document; times by the server's clock, in seconds.
///
/// # Errors
///
/// Never: nothing in it is not JSON.
pub fn json(item: &Item, value: Option<&[u8]>, now: u64) -> serde_json::Result<String> {
    let text = std::str::from_utf8(&item.key).ok();
    serde_json::to_string(&Document {
        key: text,
        key_encoded: text.is_none().then(|| printable(&item.key)),
        size: item.size,
        expires_at: item.expires,
        expires_in: item.expires.map(|at| at.saturating_sub(now)),
        used_at: item.used,
        idle: now.saturating_sub(item.used),
        read: item.fetched,
        flags: item.flags,
        class: item.class,
        value: value.and_then(|value| std::str::from_utf8(value).ok()),
        value_base64: value.filter(|value| std::str::from_utf8(value).is_err()).map(base64_text),
    })
}

/// `expires_*` are null for never, `flags` where the server did not tell. A key that is not UTF-8 is in
/// `key_encoded`, as in a row, and `key` is null. A value that is not is in `value_base64`.
#[derive(Serialize)]
struct Document<'a> {
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_encoded: Option<String>,
    size: u64,
    expires_at: Option<u64>,
    expires_in: Option<u64>,
    used_at: u64,
    idle: u64,
    read: bool,
    flags: Option<u64>,
    class: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

fn base64_text(value: &[u8]) -> String {
    base64(value).into_iter().map(char::from).collect()
}

fn columns(
    size: &str,
    expires: &str,
    idle: &str,
    read: &str,
    flags: &str,
    class: &str,
    key: &str,
) -> String {
    format!("{size:>9} {expires:>10} {idle:>8} {read:>4} {flags:>10} {class:>5} {key}")
}

/// A length of time in one word, so that columns can be counted.
fn words(seconds: u64) -> String {
    format_duration(seconds).replace(' ', "")
}

/// A key as text: what a terminal might not print as it is, and `%`, is written as `%` and two hexadecimal digits
/// for each byte.
pub(super) fn printable(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len());
    let encode = |text: &mut String, bytes: &[u8]| {
        for byte in bytes {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    };
    for chunk in key.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_plain(c) {
                text.push(c);
            } else {
                encode(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        encode(&mut text, chunk.invalid());
    }
    text
}

/// Whether a character is seen, and only seen: no space, no control, nothing that turns the line around.
fn is_plain(c: char) -> bool {
    match c {
        '%' => false,
        '\'' | '"' | '\\' => true,
        c if c.is_ascii() => c.is_ascii_graphic(),
        // Escaped is what Unicode does not call printable.
        c => !c.is_whitespace() && c.escape_debug().len() == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn item(key: &[u8]) -> Item {
        Item {
            key: key.to_vec(),
            expires: None,
            used: NOW - 90,
            fetched: false,
            class: 1,
            size: 64,
            flags: None,
        }
    }

    #[test]
    fn a_table() {
        let long = Item {
            expires: Some(NOW + 3 * 86_400),
            used: NOW + 1,
            fetched: true,
            class: 63,
            size: 1_048_600,
            flags: Some(u64::from(u32::MAX)),
            ..item("é 100%\u{202e}".as_bytes())
        };
        let past = Item { expires: Some(NOW - 1), ..item(b"\xff\x1b[m") };
        let rows = [&item(b"user:1"), &long, &past].map(|item| row(item, None, NOW));
        insta::assert_snapshot!(format!("rows\n{}\n{}", heading(false), rows.join("\n")), @r"
        rows
             SIZE EXPIRES-IN     IDLE READ      FLAGS CLASS KEY
               64      never    1m30s   no          -     1 user:1
          1048600       3d0h       0s  yes 4294967295    63 é%20100%25%E2%80%AE
               64         0s    1m30s   no          -     1 %FF%1B[m
        ");
    }

    #[test]
    fn json_lines() {
        let known = Item { expires: Some(NOW + 5), flags: Some(7), ..item(b"a\"b\\ %\n") };
        let lines = [&known, &item(b"\xff%")].map(|item| json(item, None, NOW).unwrap());
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"key":"a\"b\\ %\n","size":64,"expires_at":1700000005,"expires_in":5,"used_at":1699999910,"idle":90,"read":false,"flags":7,"class":1}
        {"key":null,"key_encoded":"%FF%25","size":64,"expires_at":null,"expires_in":null,"used_at":1699999910,"idle":90,"read":false,"flags":null,"class":1}
        "#);
    }

    #[test]
    fn values() {
        assert!(heading(true).ends_with(" KEY VALUE"));
        assert!(row(&item(b"a"), Some(b"b c"), NOW).ends_with(" a b%20c"));
        let last = |value| json(&item(b"a"), Some(value), NOW).unwrap();
        assert!(last(b"b \"").ends_with(r#""class":1,"value":"b \""}"#));
        assert!(last(b"\xff").ends_with(r#""class":1,"value_base64":"/w=="}"#));
    }

    #[test]
    fn what_is_printed_as_it_is() {
        for key in ["user:1", "a'b\"c\\d", "é", "日本", "~!@#$^&*()"] {
            assert_eq!(printable(key.as_bytes()), key);
        }
        assert_eq!(printable("a\u{9b}\u{301}\u{a0}".as_bytes()), "a%C2%9B%CC%81%C2%A0");
    }
}
