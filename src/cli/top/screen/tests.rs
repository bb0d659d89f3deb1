use tandem_actors::clock::Timestamp;
use tandem_actors::metrics::Metrics;

use super::*;
use crate::overview::report::tests::{overview, seen};

fn report() -> Report {
    let sessions = vec![seen(Status::Idle, None), seen(Status::WaitingForApproval, Some(4242))];
    let metrics = Metrics::default();
    metrics.append_seconds.observe(0.0002);
    let mut report =
        Report::of(&overview(sessions), &metrics, Timestamp::from_millis(1_790_000_090_000), 100);
    for (place, session) in report.sessions.iter_mut().enumerate() {
        session.session_id = format!("0197a2c{place}-0000-4000-8000-000000000001").parse().unwrap();
        session.expires_at = Timestamp::from_millis(1_790_003_700_000);
    }
    report.sessions[0].title = Some("Mend the tests of the journal".to_owned());
    report
}

#[test]
fn a_plain_screen_is_a_head_and_a_table() {
    let mut lines = screen(&report(), &Frame { order: Order::Status, ..Frame::plain() });
    lines[0] = lines[0].replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert_eq!(
        lines.join("\n"),
        "\
Tandem VERSION · up 1 min · 2 sessions · 1 idle · 1 approval
slots 1/10 · agents 100 MB · server 20 MB · 2 connections · append p99 0.2 ms · delivery p99 –

STATUS▾   PROJECT  TITLE                           PID  MEMORY  QUEUE  ASKS  DEVICES  TURNS   COST  ACTIVE  EXPIRES  SESSION
approval  tandem   Mend the tests of the journal  4242  100 MB      1     1      0/0      2  $0.25   1 min      1 h  0197a2c0-0000
idle      tandem   –                                 –       –      1     –      0/0      2  $0.25   1 min      1 h  0197a2c1-0000"
    );
}

#[test]
fn no_line_is_wider_than_the_terminal_and_no_screen_higher() {
    let mut long = report();
    for _ in 0..40 {
        long.sessions.push(long.sessions[0].clone());
    }
    for (width, height) in [(200, 50), (120, 24), (80, 24), (40, 10), (10, 4), (1, 1)] {
        let frame = Frame {
            width: Some(width),
            height: Some(height),
            is_live: true,
            problem: Some("No server answers.".to_owned()),
            ..Frame::plain()
        };
        let lines = screen(&long, &frame);
        assert!(lines.len() <= height, "{width}x{height}: {} lines", lines.len());
        for line in lines {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_narrow_terminal_takes_from_the_title_first() {
    let lines = screen(&report(), &Frame { width: Some(117), ..Frame::plain() });
    assert!(lines.iter().any(|line| line.contains("Mend the tests") && line.contains('…')), "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("0197a2c0-0000")), "{lines:#?}");
}

#[test]
fn a_narrower_one_leaves_columns_out_and_keeps_what_needs_a_person() {
    let lines = screen(&report(), &Frame { width: Some(80), ..Frame::plain() });
    assert!(lines[3].ends_with("ACTIVE▾") && !lines[3].contains("PID"), "{lines:#?}");
    assert!(lines[3].contains("STATUS") && lines[3].contains("ASKS"), "{lines:#?}");
}

#[test]
fn keys_change_the_order_and_scroll() {
    let mut frame = Frame { height: Some(7), is_live: true, ..Frame::plain() };
    frame.press(Key::NextOrder);
    assert_eq!(frame.order, Order::Expires);
    let first = screen(&report(), &frame);
    assert!(first.last().unwrap().contains("1 more below"), "{first:#?}");
    frame.press(Key::Down);
    let second = screen(&report(), &frame);
    assert!(second[4].ends_with("0197a2c1-0000"), "{second:#?}");
    frame.press(Key::Up);
    frame.press(Key::Up);
    assert_eq!(screen(&report(), &frame), first);
}

#[test]
fn colours_change_no_text() {
    let plain = screen(&report(), &Frame::plain());
    let coloured = screen(&report(), &Frame { is_coloured: true, ..Frame::plain() });
    let strip = |line: &String| {
        ["\u{1b}[1m", "\u{1b}[1;33m", "\u{1b}[0m"]
            .iter()
            .fold(line.clone(), |line, code| line.replace(code, ""))
    };
    assert_eq!(coloured.iter().map(strip).collect::<Vec<_>>(), plain);
    assert_ne!(coloured, plain);
}

#[test]
fn trouble_stands_above_the_table_and_an_empty_server_says_so() {
    let mut report = Report { sessions: Vec::new(), ..report() };
    report.troubles = vec!["storage: the disk is full".to_owned()];
    let lines = screen(&report, &Frame::plain());
    assert_eq!(lines[2..], ["! storage: the disk is full", "", "No conversations yet."]);
}
