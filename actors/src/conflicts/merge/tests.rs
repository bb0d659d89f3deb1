//! What a merge must keep, whatever the texts.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn merged(base: &str, ours: &str, theirs: &str) -> Merge {
    merge(base.as_bytes(), ours.as_bytes(), theirs.as_bytes()).unwrap()
}

fn clean(base: &str, ours: &str, theirs: &str) -> String {
    match merged(base, ours, theirs) {
        Merge::Clean(text) => text,
        Merge::Hunks(hunks) => panic!("not clean: {hunks}"),
    }
}

fn hunks(base: &str, ours: &str, theirs: &str) -> String {
    match merged(base, ours, theirs) {
        Merge::Hunks(hunks) => hunks,
        Merge::Clean(text) => panic!("clean: {text}"),
    }
}

#[test]
fn changes_apart_are_both_in_it() {
    assert_eq!(clean("a\nb\nc\nd\n", "A\nb\nc\nd\n", "a\nb\nc\nD\n"), "A\nb\nc\nD\n");
}

#[test]
fn changes_of_the_same_line_are_shown_to_a_person() {
    let shown = hunks("a\nb\nc\n", "a\nours\nc\n", "a\ntheirs\nc\n");
    assert!(
        shown.contains("<<<<<<< ours\nours\n||||||| original\nb\n=======\ntheirs\n>>>>>>> theirs\n"),
        "{shown}"
    );
}

#[test]
fn what_one_removed_and_the_other_went_on_with_is_shown() {
    hunks("{\n    a\n}\n", "{\n}\n", "{\n    a\n    b\n}\n");
}

#[test]
fn both_may_have_done_the_same() {
    assert_eq!(clean("a\nb\nc\nd\n", "a\nB\nc\nd\n", "a\nB\nc\nD\n"), "a\nB\nc\nD\n");
}

#[test]
fn line_endings_are_a_change_of_their_own() {
    assert_eq!(clean("a\nb\nc\nd\n", "a\r\nb\r\nc\r\nd\r\n", "a\nb\nc\nD\n"), "a\r\nb\r\nc\r\nD\r\n");
    assert_eq!(clean("a\r\nb\r\nc\r\n", "A\r\nb\r\nc\r\n", "a\nb\nC\n"), "A\nb\nC\n");
    assert_eq!(clean("a\r\nb\r\nc\r\n", "A\r\nb\r\nc\r\n", "a\r\nb\r\nC\r\n"), "A\r\nb\r\nC\r\n");
}

#[test]
fn mixed_line_endings_stay_where_they_are() {
    assert_eq!(clean("a\r\nb\nc\nd\n", "a\r\nb\nc\nD\n", "a\r\nB\nc\nd\n"), "a\r\nB\nc\nD\n");
}

#[test]
fn a_missing_newline_at_the_end_is_a_change_of_its_own() {
    assert_eq!(clean("a\nb\nc", "A\nb\nc", "a\nb\nc\n"), "A\nb\nc\n");
    assert_eq!(clean("a\nb\nc\n", "A\nb\nc\n", "a\nb\nc"), "A\nb\nc");
    assert_eq!(clean("a\nb\nc", "A\nb\nc", "a\nb\nC"), "A\nb\nC");
    let shown = hunks("a", "b", "c");
    assert!(shown.ends_with("c\n>>>>>>> theirs\n"), "a marker has a line of its own: {shown}");
}

#[test]
fn a_file_without_a_base_is_one_large_place() {
    hunks("", "a\n", "b\n");
    assert_eq!(clean("", "a\n", ""), "a\n");
    hunks("a\n", "", "a\nb\n");
}

#[test]
fn what_looks_like_a_marker_is_not_taken_for_one() {
    let base = "<<<<<<< ours\nx\n>>>>>>> theirs\n1\n2\n3\n4\n5\n6\n7\nplace\n";
    let shown = hunks(base, &base.replace("place", "ours"), &base.replace("place", "theirs"));
    assert!(shown.starts_with("…\n5\n6\n7\n<<<<<<<< ours\n"), "{shown}");
}

#[test]
fn only_text_of_some_size_is_merged() {
    let refused = |bytes: &[u8]| merge(bytes, b"a\n", b"b\n").unwrap_err();
    assert_eq!(refused(b"\0"), Unmergeable::Binary);
    assert_eq!(refused(b"\xff\xfe"), Unmergeable::Binary);
    assert_eq!(refused(&vec![b'x'; MAX_MERGED_BYTES + 1]), Unmergeable::TooLarge);
    assert_eq!(refused(&b"\n".repeat(MAX_MERGED_LINES + 1)), Unmergeable::TooLarge);
}

#[test]
fn the_worst_of_texts_is_not_looked_at_for_ever() {
    let lines = |letter: char, lines: usize| -> String {
        (0..lines).map(|line| format!("{letter}{line}\n")).collect()
    };
    let texts = ['a', 'b', 'c'].map(|letter| lines(letter, MAX_MERGED_LINES));
    let begun = Instant::now();
    hunks(&texts[0], &texts[1], &texts[2]);
    let shuffled = |step: usize| -> String {
        (0..MAX_MERGED_LINES).map(|line| format!("{}\n", line * step % MAX_MERGED_LINES)).collect()
    };
    let _ = merged(&shuffled(1), &shuffled(7_919), &shuffled(104_729));
    // Some seconds on a machine with other work; without the bounds of the search it would be hours.
    assert!(begun.elapsed() < Duration::from_secs(300), "{:?}", begun.elapsed());
}

/// A text of numbered lines, and what one writer makes of it: lines removed, and lines of its own put in.
fn edited(base: &[u32], changes: &[(usize, bool)], own: u32) -> Vec<u32> {
    let mut lines = base.to_vec();
    for (count, (at, is_removed)) in (0_u32..).zip(changes) {
        if lines.is_empty() || !*is_removed {
            lines.insert(at % (lines.len() + 1), own + count);
        } else {
            lines.remove(at % lines.len());
        }
    }
    lines
}

fn text_of(lines: &[u32]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn changes() -> impl Strategy<Value = Vec<(usize, bool)>> {
    prop::collection::vec((any::<usize>(), any::<bool>()), 0..5)
}

proptest! {
    #[test]
    fn a_merge_with_itself_changes_nothing(base in "[ab\r\n]{0,40}", text in "[ab\r\n]{0,40}") {
        prop_assert_eq!(clean(&base, &text, &text), text);
    }

    #[test]
    fn where_one_side_is_unchanged_the_other_counts(base in "[ab\r\n]{0,40}", text in "[ab\r\n]{0,40}") {
        prop_assert_eq!(&clean(&base, &base, &text), &text);
        prop_assert_eq!(&clean(&base, &text, &base), &text);
    }

    #[test]
    fn a_clean_merge_has_every_change_of_both_and_no_other(
        size in 0_u32..30,
        ours in changes(),
        theirs in changes(),
    ) {
        let base: Vec<u32> = (0..size).collect();
        let (ours, theirs) = (edited(&base, &ours, 100), edited(&base, &theirs, 200));
        if let Merge::Clean(text) = merged(&text_of(&base), &text_of(&ours), &text_of(&theirs)) {
            let lines: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
            let in_order = |own: u32, of: &[u32]| {
                let new: Vec<u32> = of.iter().copied().filter(|line| line / 100 == own).collect();
                let merged: Vec<u32> = lines.iter().copied().filter(|line| line / 100 == own).collect();
                (new, merged)
            };
            let (new, kept) = in_order(1, &ours);
            prop_assert_eq!(new, kept, "ours");
            let (new, kept) = in_order(2, &theirs);
            prop_assert_eq!(new, kept, "theirs");
            let left: Vec<u32> = base.iter().copied().filter(|line| ours.contains(line) && theirs.contains(line)).collect();
            let kept: Vec<u32> = lines.iter().copied().filter(|line| *line < 100).collect();
            prop_assert_eq!(left, kept, "what neither removed, in its order");
        }
    }

    #[test]
    fn changes_that_are_far_apart_always_merge(
        size in 8_usize..40,
        own in prop::collection::vec("[a-z]{1,5}", 1..3),
        other in prop::collection::vec("[A-Z]{1,5}", 1..3),
    ) {
        let base: Vec<String> = (0..size).map(|line| line.to_string()).collect();
        let (mut ours, mut theirs, mut both) = (base.clone(), base.clone(), base.clone());
        ours.splice(1..2, own.clone());
        theirs.splice(size - 2..size - 1, other.clone());
        both.splice(size - 2..size - 1, other);
        both.splice(1..2, own);
        let text = |lines: &[String]| lines.join("\n");
        prop_assert_eq!(clean(&text(&base), &text(&ours), &text(&theirs)), text(&both));
    }
}

/// git as the judge: what it merges without a conflict, and this does too, is the same.
#[test]
fn git_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    let mut seed = 7_u64;
    let mut next = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for _ in 0..60 {
        let base: Vec<u32> = (0..20).collect();
        let mut side = |own: u32| {
            let changes: Vec<(usize, bool)> = (0..1 + next(3)).map(|_| (next(20), next(2) == 0)).collect();
            text_of(&edited(&base, &changes, own))
        };
        let (base, ours, theirs) = (text_of(&base), side(100), side(200));
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
            path
        };
        let paths = [file("ours", &ours), file("base", &base), file("theirs", &theirs)];
        let git = Command::new("git").args(["merge-file", "-p"]).args(paths).output().unwrap();
        match (merged(&base, &ours, &theirs), git.status.success()) {
            (Merge::Clean(text), true) => {
                assert_eq!(text, String::from_utf8(git.stdout).unwrap(), "{base}{ours}{theirs}");
                compared += 1;
            }
            // One of them may be more careful about changes that touch.
            (Merge::Clean(_), false) | (Merge::Hunks(_), _) => {}
        }
    }
    assert!(compared > 20, "{compared} of 60 were clean");
}
