use proptest::prelude::*;

use super::*;

/// The commands of a text, as `a b c`; `?` marks what is uncertain, `(` and `)` are subshells, `|` says "perhaps".
fn shown(text: &str) -> String {
    let mut shown = Vec::new();
    for step in read(text).steps {
        shown.push(match step {
            Step::Enter => "(".to_owned(),
            Step::Leave => ")".to_owned(),
            Step::Run(words, then) => {
                let word = |word: &Word| format!("{}{}", word.text, if word.is_certain { "" } else { "?" });
                let words = words.iter().map(word).collect::<Vec<_>>().join(" ");
                if then == Then::Perhaps { format!("{words} |") } else { words }
            }
        });
    }
    shown.join("; ")
}

#[test]
fn lines_are_cut_where_the_shell_cuts_them() {
    for (text, wanted) in [
        ("git status", "git status"),
        ("a; b && c || d | e & f", "a; b; c |; d |; e |; f"),
        ("a 'b; c' \"d && e\" f\\ g", "a b; c d && e f g"),
        ("a \\\n b", "a b"),
        ("a 'x'\"y\"z", "a xyz"),
        ("a ''", "a "),
        ("(cd x && a); b", "(; cd x; a; ); b"),
        ("a $(b c) d", "(; b c; ); a ? d"),
        ("a \"x $(b \"c\") y\"", "(; b c; ); a x  y?"),
        ("a `b c`", "(; b c; ); a ?"),
        ("a $x ${y} \"$z\" '$w'", "a $x? ${y}? $z? $w"),
        ("a $'it\\'s'; b", "a it's?; b"),
        ("a > out 2>&1 < in b; c", "a b; c"),
        ("a &> out b", "a b"),
        ("a >| out; b 2>/dev/null", "a; b"),
        ("a <<< \"don't\" b", "a b"),
        ("diff <(a) <(b)", "(; a; ); (; b; ); diff ? ?"),
        ("a # don't; b\nc", "a; c"),
        ("a#b c", "a#b c"),
        ("f() { a; }; f", "f; (; ); {? a; }; f"),
        ("case $x in a) b;; esac", "case $x? in a; b; esac"),
        ("a\r\nb", "a; b"),
        ("a *.rs", "a *.rs?"),
        ("", ""),
    ] {
        assert_eq!(shown(text), wanted, "{text}");
        assert!(read(text).is_whole, "{text}");
    }
}

#[test]
fn a_document_is_no_command_and_hides_none() {
    let script = read("cat <<'EOF' > x && b\ndon't\ngit push\nEOF\nc <<-END\n\tone\n\tEND\nd");
    assert_eq!(script.documents, ["don't\ngit push\n", "one\n"]);
    assert!(script.is_whole);
    assert_eq!(shown("cat <<'EOF' > x && b\ndon't\nEOF\nc"), "cat; b; c");
}

#[test]
fn a_text_that_does_not_end_says_so() {
    for text in ["a 'b", "a \"b", "a $(b", "(a", "a `b", "cat <<EOF\nb", "cat <<EOF", "a `b \\`c\\``"] {
        assert!(!read(text).is_whole, "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn nothing_that_looks_like_shell_makes_it_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "git", " ", "commit", "'", "\"", "\\", "\n", "$", "(", ")", "`", "<<", "<<-", "EOF", "<", ">", "&", "|", ";",
            "#", "{", "}", "case", "esac", "cd", "..", "$(", "${", "1", "ü", "\0", "\t",
        ]), 0..60),
    ) {
        let script = read(&pieces.concat());
        let mut depth = 0_i32;
        for step in &script.steps {
            match step {
                Step::Enter => depth += 1,
                Step::Leave => depth -= 1,
                Step::Run(words, _) => prop_assert!(!words.is_empty()),
            }
            prop_assert!(depth >= 0);
        }
        prop_assert_eq!(depth, 0);
    }
}
