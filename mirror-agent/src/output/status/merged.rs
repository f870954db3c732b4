//! What several interfaces have to say, each line once.

/// Lines of `all` interfaces, of which each has as many groups of lines as any other, or fewer. What all say stands as it
/// is; what only some say begins with their names.
pub(super) fn merged(all: &[(&str, Vec<Vec<String>>)]) -> Vec<String> {
    let groups = all.iter().map(|(_, groups)| groups.len()).max().unwrap_or_default();
    (0..groups).flat_map(|group| of_group(all, group)).collect()
}

fn of_group(all: &[(&str, Vec<Vec<String>>)], group: usize) -> Vec<String> {
    let mut lines: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, groups) in all {
        for line in groups.get(group).into_iter().flatten() {
            match lines.iter_mut().find(|(known, _)| known == line) {
                Some((_, names)) => names.push(name),
                None => lines.push((line, vec![name])),
            }
        }
    }
    let text = |(line, names): (&str, Vec<&str>)| match names.len() == all.len() {
        true => line.to_owned(),
        false => format!("{}: {line}", names.join(", ")),
    };
    lines.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(groups: &[&[&str]]) -> Vec<Vec<String>> {
        groups.iter().map(|lines| lines.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn what_all_say_is_said_once() {
        let all = [
            ("eth0", groups(&[&["a", "b"], &["end"]])),
            ("eth1", groups(&[&["b", "c"], &["end"]])),
            ("eth2", groups(&[&["b", "c"], &["end", "more"]])),
        ];
        assert_eq!(merged(&all), ["eth0: a", "b", "eth1, eth2: c", "end", "eth2: more"]);
        assert_eq!(merged(&all[..1]), ["a", "b", "end"]);
        assert!(merged(&[]).is_empty());
    }
}
