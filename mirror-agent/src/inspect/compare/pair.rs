//! The syntax of a pair: `OLD=NEW`, each `HOST[:PORT]`, or `HOST:FIRST-LAST` for several at once.

use std::{fmt, str::FromStr};

use crate::memcached::endpoint::Endpoint;

/// Two servers that are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The one that serves clients.
    pub old: Endpoint,
    /// The one that is to.
    pub new: Endpoint,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.old, self.new)
    }
}

/// Pairs as they are typed: several where a range of ports is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs(pub Vec<Pair>);

impl FromStr for Pairs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((old, new)) = text.split_once('=') else {
            return Err(format!(
                "expected OLD=NEW, like cache1=10.0.0.5 or cache1:11211-11214=10.0.0.5:11211-11214, not '{text}'"
            ));
        };
        let (olds, news) = (servers(old)?, servers(new)?);
        if olds.len() != news.len() {
            return Err(format!(
                "{} ports are before the '=' and {} behind it: each needs its partner",
                olds.len(),
                news.len()
            ));
        }
        let pairs = olds.into_iter().zip(news).map(|(old, new)| Pair { old, new });
        Ok(Self(pairs.collect()))
    }
}

/// One server, or one for each port of a range.
fn servers(text: &str) -> Result<Vec<Endpoint>, String> {
    let Some((first, last)) = range(text) else { return Ok(vec![text.parse()?]) };
    let first: Endpoint = first.parse()?;
    let last: u16 = last.parse().map_err(|_| format!("'{last}' is no port, in '{text}'"))?;
    if last < first.port {
        return Err(format!("the range in '{text}' ends before it begins"));
    }
    let server = |port| Endpoint { host: first.host.clone(), port };
    Ok((first.port..=last).map(server).collect())
}

/// What is before a range's dash, and behind it. A dash in a name is none.
fn range(text: &str) -> Option<(&str, &str)> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (first, last) = text.rsplit_once('-')?;
    let (_, port) = first.rsplit_once(':')?;
    (digits(port) && digits(last)).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<String> {
        let Pairs(pairs) = text.parse().unwrap();
        pairs.iter().map(Pair::to_string).collect()
    }

    #[test]
    fn one_and_several() {
        assert_eq!(pairs("a=b"), ["a:11211=b:11211"]);
        assert_eq!(pairs("cache-1:1=[fd00::5]"), ["cache-1:1=[fd00::5]:11211"]);
        assert_eq!(
            pairs("cache-1:1-2=[fd00::5]:7-8"),
            ["cache-1:1=[fd00::5]:7", "cache-1:2=[fd00::5]:8"]
        );
        assert_eq!(pairs("a:1-1=b-2"), ["a:1=b-2:11211"]);
    }

    #[test]
    fn anything_else() {
        for (text, mentions) in [
            ("a", "OLD=NEW"),
            ("=b", "name or an address"),
            ("a=b=c", "name or an address"),
            ("a:1-2=b", "partner"),
            ("a:1-3=b:1-2", "partner"),
            ("a:2-1=b", "ends before it begins"),
            ("a:1-65536=b", "no port"),
            ("a:0-1=b:0-1", "name or an address"),
        ] {
            let said = text.parse::<Pairs>().unwrap_err();
            assert!(said.contains(mentions), "{text}: {said}");
        }
    }
}
