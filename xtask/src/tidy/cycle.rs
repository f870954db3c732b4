//! Files that need each other, so that neither can be read first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    finding::{Check, Finding},
    uses::Use,
};

/// One finding for each knot of files: its shortest circle.
pub(super) fn check(uses: &[Use]) -> Vec<Finding> {
    let mut users: BTreeMap<&str, Vec<&Use>> = BTreeMap::new();
    for each in uses {
        users.entry(&each.from).or_default().push(each);
    }
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    for file in users.keys() {
        if told.contains(file) {
            continue;
        }
        if let Some(circle) = circle(file, &users) {
            told.extend(circle.iter().map(|each| each.from.as_str()));
            findings.push(finding(&circle));
        }
    }
    findings
}

/// The shortest way from a file back to it.
fn circle<'a>(start: &str, users: &BTreeMap<&str, Vec<&'a Use>>) -> Option<Vec<&'a Use>> {
    let mut reached: BTreeMap<&str, &Use> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for each in users.get(file).into_iter().flatten() {
            if each.to == start {
                let mut way = vec![*each];
                while let Some(before) = way.last().filter(|last| last.from != start) {
                    way.push(reached[before.from.as_str()]);
                }
                way.reverse();
                return Some(way);
            }
            if !reached.contains_key(each.to.as_str()) {
                reached.insert(&each.to, each);
                next.push_back(&each.to);
            }
        }
    }
    None
}

fn finding(circle: &[&Use]) -> Finding {
    let steps: Vec<String> = circle
        .iter()
        .map(|each| format!("{}:{} uses {} of {}", each.from, each.line, each.name, each.to))
        .collect();
    Finding {
        check: Check::Cycle,
        path: circle[0].from.clone(),
        line: circle[0].line,
        text: format!(
            "files use each other in a circle: {}; move what one of them needs into a file of its own",
            steps.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(pairs: &[(&str, &str)]) -> Vec<Use> {
        let a_use = |(line, (from, to)): (usize, &(&str, &str))| Use {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            line: line + 1,
            name: "x".to_owned(),
        };
        pairs.iter().enumerate().map(a_use).collect()
    }

    #[test]
    fn a_circle_is_told_once_with_its_steps() {
        let found = check(&uses(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"), ("c", "e")]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].text.contains("a:1 uses x of b, b:2 uses x of c, c:3 uses x of a;"));
        assert_eq!((found[0].path.as_str(), found[0].line), ("a", 1));
    }

    #[test]
    fn the_shortest_way_is_told() {
        let found = check(&uses(&[("a", "b"), ("b", "c"), ("c", "a"), ("b", "a")]));
        assert!(found[0].text.contains("a:1 uses x of b, b:4 uses x of a;"), "{found:?}");
    }

    #[test]
    fn two_ways_to_one_file_are_no_circle() {
        assert_eq!(check(&uses(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])), []);
    }
}
