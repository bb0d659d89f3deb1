//! What git says, as people may read it: its end, without passwords of addresses and without places outside of the tree. Pure.

use std::path::Path;

/// The last words that are handed on.
const MAX_BYTES: usize = 4 * 1024;

/// Stands for a place that is nobody's business.
const ELSEWHERE: &str = "[elsewhere]";

/// The last lines of all texts together; `visible` is the folder whose paths may be shown.
pub(super) fn for_people(texts: &[&str], visible: &Path) -> String {
    let lines = texts.iter().flat_map(|text| text.lines());
    // Progress is written over itself: of what a carriage return separates, the last is what stands there.
    let lines = lines.map(|line| line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default());
    let lines: Vec<String> =
        lines.filter(|line| !line.trim().is_empty()).map(|line| clean(line, visible)).collect();
    let mut left = MAX_BYTES;
    let fits = |line: &&String| {
        let needed = line.len() + 1;
        let has_room = needed <= left;
        left = left.saturating_sub(needed);
        has_room
    };
    let mut kept: Vec<&str> = lines.iter().rev().take_while(fits).map(String::as_str).collect();
    kept.reverse();
    kept.join("\n")
}

/// One line without credentials and without paths that lead elsewhere.
fn clean(line: &str, visible: &Path) -> String {
    let is_end =
        |letter: char| letter.is_whitespace() || matches!(letter, '\'' | '"' | '<' | '>' | ')' | '(');
    let mut out = String::with_capacity(line.len());
    let mut word = String::new();
    for letter in line.chars() {
        if is_end(letter) {
            out.push_str(&clean_word(&word, visible));
            word.clear();
            out.push(letter);
        } else {
            word.push(letter);
        }
    }
    out + &clean_word(&word, visible)
}

fn clean_word(word: &str, visible: &Path) -> String {
    if let Some((scheme, rest)) = word.split_once("://") {
        if scheme == "file" {
            return ELSEWHERE.to_owned();
        }
        let host_begins = rest.find('/').unwrap_or(rest.len());
        return match rest[..host_begins].rfind('@') {
            Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
            None => word.to_owned(),
        };
    }
    let is_elsewhere = word.starts_with('/')
        && word.len() > 1
        && !Path::new(word.trim_end_matches(['.', ',', ':', ';'])).starts_with(visible);
    if is_elsewhere { ELSEWHERE.to_owned() } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        for_people(&[text], Path::new("/srv/app"))
    }

    #[test]
    fn passwords_of_addresses_are_left_out() {
        assert_eq!(
            shown("fatal: unable to access 'https://me:secret@host.example/x.git/': no"),
            "fatal: unable to access 'https://host.example/x.git/': no"
        );
        assert_eq!(shown("To https://token@host/x@y"), "To https://host/x@y");
        assert_eq!(shown("see https://host.example/a"), "see https://host.example/a");
    }

    #[test]
    fn places_outside_of_the_tree_are_left_out_and_those_inside_are_not() {
        assert_eq!(shown("To /home/other/remote.git"), "To [elsewhere]");
        assert_eq!(
            shown("lock '/srv/app/.git/index.lock': File exists"),
            "lock '/srv/app/.git/index.lock': File exists"
        );
        assert_eq!(shown("checked out at '/srv/application'"), "checked out at '[elsewhere]'");
        assert_eq!(shown("a / b"), "a / b");
        assert_eq!(shown("From file:///tmp/x"), "From [elsewhere]");
    }

    #[test]
    fn the_end_is_what_is_kept_of_much() {
        let much: String = (0..2000).map(|line| format!("line {line}\n")).collect();
        let kept = shown(&much);
        assert!(kept.len() <= MAX_BYTES && kept.ends_with("line 1999") && kept.starts_with("line "));
        assert_eq!(shown("10%\r50%\r100%, done.\n\n  \nend"), "100%, done.\nend");
    }
}
