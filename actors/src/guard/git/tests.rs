use proptest::prelude::*;

use super::*;

/// The folders in which a line, run in `/p`, changes a repository; names of branches behind `:`.
fn uses(line: &str) -> Vec<String> {
    let shown = |found: &GitUse| {
        let folder = found.folder.display().to_string();
        if found.names.is_empty() { folder } else { format!("{folder}:{}", found.names.join(",")) }
    };
    git_uses(line, Path::new("/p")).iter().map(shown).collect()
}

#[test]
fn lines_that_change_a_repository_say_where() {
    let table: &[(&str, &[&str])] = &[
        ("git commit -m 'x'", &["/p"]),
        ("git commit", &["/p"]),
        ("git checkout main", &["/p:main"]),
        ("git checkout -b feature/x", &["/p:feature/x"]),
        ("git checkout -- src/a.rs", &["/p"]),
        ("git switch -c new", &["/p:new"]),
        ("git merge topic", &["/p"]),
        ("git rebase main", &["/p"]),
        ("git rebase main topic", &["/p:topic"]),
        ("git push", &["/p"]),
        ("git push origin +main:release", &["/p:main,release"]),
        ("git push origin HEAD:refs/heads/main", &["/p:HEAD,main"]),
        ("git fetch . topic:main", &["/p:topic,main"]),
        ("git worktree add -B main ../tree", &["/p:add,main,../tree"]),
        ("command git commit", &["/p"]),
        ("bash <<< 'git push'", &["/p"]),
        ("g''it commit", &["/p"]),
        ("g\\it commit", &["/p"]),
        ("env GIT_DIR=/r/.git git commit", &["/r/.git"]),
        ("env -C x git commit", &["/p/x"]),
        ("export GIT_DIR=/r/.git; git commit", &["/r/.git"]),
        ("git pull --rebase", &["/p"]),
        ("git stash", &["/p"]),
        ("git stash pop", &["/p"]),
        ("git reset --hard HEAD~1", &["/p"]),
        ("git cherry-pick abc", &["/p"]),
        ("git revert abc", &["/p"]),
        ("git am < x.patch", &["/p"]),
        ("git branch -d old", &["/p:old"]),
        ("git branch -D a b", &["/p:a,b"]),
        ("git branch -m a b", &["/p:a,b"]),
        ("git branch --delete old", &["/p:old"]),
        ("git branch -qf main abc", &["/p:main,abc"]),
        ("git update-ref refs/heads/main abc", &["/p:main,abc"]),
        ("git add -A", &["/p"]),
        ("git ci -m x", &["/p"]),
        ("git -c alias.x=commit x", &["/p"]),
        ("git $verb", &["/p"]),
        ("cd x && git commit", &["/p/x"]),
        ("cd x && git -C y commit", &["/p/x/y"]),
        ("cd /a; git -C b -C c commit", &["/a/b/c"]),
        ("cd a\ngit commit", &["/p/a"]),
        ("cd 'a b' && git commit", &["/p/a b"]),
        ("cd x || git commit", &["/p/x", "/p"]),
        ("if test -d x; then cd x; fi; git commit", &["/p/x", "/p"]),
        ("cd $x && git commit", &["/p"]),
        ("cd - && git commit", &["/p"]),
        ("(cd x && git commit); git push", &["/p/x", "/p"]),
        ("(cd x); git commit", &["/p"]),
        ("pushd x; git commit; popd; git push", &["/p/x", "/p"]),
        ("git --git-dir=/r/.git --work-tree /w commit", &["/r/.git"]),
        ("git --git-dir /r/.git commit", &["/r/.git"]),
        ("git --no-pager -c user.name=x commit", &["/p"]),
        ("GIT_DIR=/r/.git git commit", &["/r/.git"]),
        ("A=1 B='x y' git commit", &["/p"]),
        ("git status; git commit", &["/p"]),
        ("git diff | git apply", &["/p"]),
        ("git diff > x && git commit -F x 2>&1", &["/p"]),
        ("make && git commit || git stash", &["/p"]),
        ("for f in a b; do git add $f; done", &["/p"]),
        ("case x in x) git commit;; esac", &["/p"]),
        ("while true; do git pull; sleep 1; done &", &["/p"]),
        ("! git commit", &["/p"]),
        ("{ git commit; }", &["/p"]),
        ("save() { git commit; }; save", &["/p"]),
        ("x=$(git commit)", &["/p"]),
        ("echo \"done: $(git -C z stash)\"", &["/p/z"]),
        ("echo `git stash`", &["/p"]),
        ("diff <(git stash show) <(git stash pop)", &["/p"]),
        ("sudo -u me git commit", &["/p"]),
        ("env -i A=b git -C x commit", &["/p/x"]),
        ("timeout 30 /usr/bin/git push", &["/p"]),
        ("nohup nice -n 5 git push &", &["/p"]),
        ("find . -name '*.rs' -exec git add {} \\;", &["/p"]),
        ("ls | xargs -n 1 git checkout --", &["/p"]),
        ("sh -c 'git commit'", &["/p"]),
        ("bash -lc \"cd x && git commit\"", &["/p/x"]),
        ("xargs -I{} sh -c 'git add {}'", &["/p"]),
        ("eval git commit", &["/p"]),
        ("eval \"git commit\"", &["/p"]),
        ("bash <<'EOF'\ncd x\ngit commit\nEOF", &["/p/x"]),
        ("cat <<EOF | sh\ngit commit\nEOF", &["/p"]),
        ("cat <<EOF > x\ndon't\nEOF\ngit commit", &["/p"]),
        ("# don't\ngit commit", &["/p"]),
        ("$GIT commit", &["/p"]),
        ("$(which git) commit", &["/p"]),
        ("/opt/git/bin/git-commit", &["/p"]),
        ("\"git\" \"commit\"", &["/p"]),
        ("git commit -m 'unfinished", &["/p"]),
        ("git submodule update", &["/p"]),
        ("git worktree list && git clean -fd", &["/p"]),
    ];
    for (line, wanted) in table {
        assert_eq!(uses(line), *wanted, "{line}");
    }
}

#[test]
fn lines_that_change_none_take_none() {
    for line in [
        "ls",
        "git",
        "git --version",
        "git status",
        "git -C x log --oneline",
        "git diff --stat HEAD~1",
        "git show HEAD:a",
        "git branch",
        "git branch -a",
        "git branch --list 'x*'",
        "git branch new",
        "git stash list",
        "git stash show -p",
        "git fetch origin",
        "git remote -v",
        "git config user.name x",
        "git submodule status",
        "git clone https://x/y.git",
        "echo git commit",
        "echo 'git commit'",
        "grep -rn 'git commit' .",
        "man git commit",
        "apt-get install -y git curl",
        "command -v git",
        "cat .gitignore",
        "cd git && ls",
        "cat <<EOF > notes\nthen git push\nEOF",
        "# git commit",
        "cargo test git",
        "curl https://github.com/x/commit",
    ] {
        assert_eq!(uses(line), [""; 0], "{line}");
    }
}

#[test]
fn shells_within_shells_come_to_an_end() {
    let mut line = "git commit".to_owned();
    for _ in 0..12 {
        line = format!("eval {}", line.replace('\\', "\\\\").replace(' ', "\\ "));
    }
    assert_eq!(uses(&line), ["/p"]);
    assert_eq!(uses(&"sh -c ".repeat(5_000)), [""; 0]);
    let opened = format!("{}git commit", "$(".repeat(50_000));
    assert_eq!(uses(&opened), ["/p"]);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "git", " ", " ", "commit", "-C", "--git-dir=", "-c", "'", "\"", "\\", "\n", "$x", "(", ")", "`", "<<EOF",
            "EOF", ">", "&&", "||", "|", ";", "cd", "..", "sh", "-c", "eval", "if", "fi", "case", "A=b", "branch", "-d", "ü",
        ]), 0..40),
    ) {
        let _ = git_uses(&pieces.concat(), Path::new("/p"));
    }

    /// Whatever stands around it, a command on a line of its own is seen.
    #[test]
    fn a_plain_command_is_never_missed(
        before in prop::sample::select(vec!["ls", "cd x", "echo 'a b'", "(cd y; ls)", "cat <<E\nit's\nE", "# don't", "if true; then ls; fi"]),
        after in prop::sample::select(vec!["ls", "echo \"$(date)\"", "true || false", "sleep 1 &"]),
    ) {
        let line = [before, "git commit -m x", after].join("\n");
        prop_assert!(!uses(&line).is_empty());
    }
}

#[test]
fn home_is_where_it_is() {
    let home = std::env::var("HOME").expect("tests have a home");
    let other = [format!("{home}/other")];
    assert_eq!(uses("cd ~/other && git commit"), other);
    assert_eq!(uses("git -C ~/other push"), other);
    let home = [home];
    assert_eq!(uses("cd; git commit"), home);
    assert_eq!(uses("cd ~ && git commit"), home);
    assert_eq!(uses("cd ~other && git commit"), ["/p"], "somebody else's home is not known");
}
