//! What `tandem serve` prints when it starts: a link with the token to a person at a terminal, and to nothing else.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use nix::pty::openpty;
use tokio::io::AsyncReadExt as _;
use tokio::process::Child;
use tokio::time::timeout;

use crate::support::server::{Home, PATIENCE};

/// What it prints last, in one line.
const END: &str = "Stop it with Ctrl-C";

/// Starts a server whose output is a terminal, and returns what it shows there.
async fn shown(home: &Home, bind: &str) -> (Child, String) {
    let terminal = openpty(None, None).unwrap();
    let mut command = home.command(&["serve", "--port", "0", "--bind", bind]);
    let child = command.stdout(Stdio::from(terminal.slave)).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    (child, read(terminal.master).await)
}

async fn read(terminal: OwnedFd) -> String {
    let reading = tokio::task::spawn_blocking(move || {
        let mut terminal = File::from(terminal);
        let mut shown = Vec::new();
        let mut part = [0; 4096];
        while !String::from_utf8_lossy(&shown).contains(END) {
            let length = terminal.read(&mut part).expect("it ends with the last line");
            shown.extend(&part[..length]);
        }
        String::from_utf8_lossy(&shown).into_owned()
    });
    timeout(PATIENCE, reading).await.expect("it is shown").unwrap()
}

fn token(home: &Home) -> String {
    std::fs::read_to_string(home.data().join("token")).unwrap().trim().to_owned()
}

/// The squares of a QR code.
fn has_code(shown: &str) -> bool {
    shown.contains('▀') && shown.contains('█')
}

#[tokio::test]
async fn a_person_at_a_terminal_gets_a_link_that_opens_the_page() {
    let home = Home::new();
    let (mut child, shown) = shown(&home, "127.0.0.1").await;
    let link = shown.split_whitespace().find(|word| word.contains("#token=")).expect("a link");
    let (page, fragment) = link.split_once('#').unwrap();
    assert_eq!(fragment, format!("token={}", token(&home)));
    assert_eq!(reqwest::get(page).await.unwrap().status(), 200);
    assert!(!has_code(&shown), "no other machine reaches it: {shown}");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_phone_in_the_network_gets_a_code() {
    let home = Home::new();
    // An address of this machine that is not loopback's; where there is none, there is no network to show a code for.
    let (mut child, shown) = shown(&home, "0.0.0.0").await;
    let links = shown.split_whitespace().filter(|word| word.contains("#token=")).count();
    assert_eq!(has_code(&shown), links == 2, "{shown}");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn the_token_goes_into_no_file_and_no_journal() {
    let home = Home::new();
    let mut command = home.command(&["serve", "--port", "0", "--bind", "0.0.0.0"]);
    let log = File::create(home.path().join("log")).unwrap();
    let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains(END) {
        let length = timeout(PATIENCE, out.read_buf(&mut shown)).await.expect("it starts").unwrap();
        assert_ne!(length, 0, "{}", home.log());
    }
    let told = String::from_utf8_lossy(&shown).into_owned() + &home.log();
    assert!(told.contains("tandem link") && !told.contains(&token(&home)), "{told}");
    child.kill().await.unwrap();
}
