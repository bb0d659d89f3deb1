//! A report as lines for a terminal. Pure: the same report and frame give the same lines.

use tandem_actors::session::Status;

use super::cells;
use super::order::Order;
use super::terminal::Key;
use crate::overview::report::{Report, SessionEntry};

/// Room for a title where the terminal does not say how wide it is.
const TITLE_CHARS: usize = 40;

/// A project's name is cut here, a title below this is not worth its column.
const PROJECT_CHARS: usize = 20;
const MIN_TITLE_CHARS: usize = 8;

/// How much of an id tells sessions apart: it begins with the moment of its making, to the millisecond.
const ID_CHARS: usize = 13;

/// What a narrow terminal does without, the first first.
const DISPENSABLE: [&str; 7] = ["PID", "EXPIRES", "DEVICES", "SESSION", "COST", TITLE, "TURNS"];

/// How it is to be shown.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) order: Order,
    /// In characters; none is as wide as it takes.
    pub(super) width: Option<usize>,
    /// In lines; none is as high as it takes.
    pub(super) height: Option<usize>,
    /// Sessions above the first that is shown.
    pub(super) skipped: usize,
    pub(super) is_coloured: bool,
    /// Somebody looks at it: say which keys there are.
    pub(super) is_live: bool,
    /// Why the report is not the newest.
    pub(super) problem: Option<String>,
}

/// One column.
struct Column {
    heading: &'static str,
    order: Option<Order>,
    is_number: bool,
    cell: fn(&SessionEntry, &Report) -> String,
}

const COLUMNS: [Column; 13] = [
    Column::text("STATUS", Some(Order::Status), |session, _| cells::status(session.status).to_owned()),
    Column::text("PROJECT", Some(Order::Project), |session, _| {
        cells::fit(cells::project(&session.project_path), PROJECT_CHARS)
    }),
    Column::text(TITLE, None, |session, _| cells::fit(title(session), TITLE_CHARS)),
    Column::number("PID", None, |session, _| cells::count(session.pid.unwrap_or(0).into())),
    Column::number("MEMORY", Some(Order::Memory), |session, _| {
        session.memory_bytes.map_or_else(|| "–".to_owned(), cells::bytes)
    }),
    Column::number("QUEUE", Some(Order::Queue), |session, _| cells::count(session.queued as u64)),
    Column::number("ASKS", None, |session, _| cells::count(session.approvals as u64)),
    Column::number("DEVICES", None, |session, _| format!("{}/{}", session.devices_online, session.devices)),
    Column::number("TURNS", Some(Order::Turns), |session, _| cells::count(session.turns)),
    Column::number("COST", Some(Order::Cost), |session, _| cells::cost(session.cost_usd)),
    Column::number("ACTIVE", Some(Order::Activity), |session, report| {
        cells::ago(session.last_activity_at, report.at)
    }),
    Column::number("EXPIRES", Some(Order::Expires), |session, report| match session.status {
        Status::Expired | Status::Closed => "–".to_owned(),
        _ => cells::until(session.expires_at, report.at),
    }),
    Column::text("SESSION", None, |session, _| {
        session.session_id.to_string().chars().take(ID_CHARS).collect()
    }),
];

const TITLE: &str = "TITLE";

impl Column {
    const fn text(
        heading: &'static str,
        order: Option<Order>,
        cell: fn(&SessionEntry, &Report) -> String,
    ) -> Self {
        Self { heading, order, is_number: false, cell }
    }

    const fn number(
        heading: &'static str,
        order: Option<Order>,
        cell: fn(&SessionEntry, &Report) -> String,
    ) -> Self {
        Self { heading, order, is_number: true, cell }
    }
}

impl Frame {
    /// For a pipe: everything, and no colours.
    pub(super) fn plain() -> Self {
        Self {
            order: Order::Activity,
            width: None,
            height: None,
            skipped: 0,
            is_coloured: false,
            is_live: false,
            problem: None,
        }
    }

    /// Does what a key says.
    pub(super) fn press(&mut self, key: Key) {
        match key {
            Key::NextOrder => self.order = self.order.next(),
            Key::PreviousOrder => self.order = self.order.previous(),
            Key::Up => self.skipped = self.skipped.saturating_sub(1),
            Key::Down => self.skipped += 1,
            Key::Quit | Key::Redraw => {}
        }
    }
}

/// The lines, none wider than the frame, and no more than it is high.
pub(super) fn screen(report: &Report, frame: &Frame) -> Vec<String> {
    let mut lines = head(report, frame);
    lines.push(String::new());
    let mut sessions: Vec<&SessionEntry> = report.sessions.iter().collect();
    frame.order.sort(&mut sessions);
    if sessions.is_empty() {
        lines.push("No conversations yet.".to_owned());
    }
    let foot_lines = if frame.is_live { 2 } else { 0 };
    let room = frame.height.map(|height| height.saturating_sub(lines.len() + 1 + foot_lines));
    let shown: Vec<&SessionEntry> =
        sessions.iter().skip(frame.skipped).take(room.unwrap_or(usize::MAX)).copied().collect();
    if !sessions.is_empty() {
        lines.extend(table(&shown, report, frame));
    }
    if frame.is_live {
        let below = sessions.len().saturating_sub(frame.skipped + shown.len());
        lines.push(String::new());
        lines.push(foot(below, frame));
    }
    lines.truncate(frame.height.unwrap_or(usize::MAX));
    lines
}

fn head(report: &Report, frame: &Frame) -> Vec<String> {
    let (totals, slots) = (&report.totals, &report.slots);
    let mut first = vec![
        format!("Tandem {}", report.version),
        format!("up {}", cells::long_span(report.uptime_seconds)),
        plural(totals.sessions, "session"),
    ];
    let by_status = Status::ALL.iter().filter_map(|status| {
        let count = totals.by_status.get(status.word()).copied().filter(|count| *count > 0)?;
        Some(format!("{count} {}", cells::status(*status)))
    });
    first.extend(by_status);
    let waiting = if slots.waiting > 0 { format!(", {} waiting", slots.waiting) } else { String::new() };
    let server = totals.server_memory_bytes.map_or_else(|| "–".to_owned(), cells::bytes);
    let second = [
        format!("slots {}/{}{waiting}", slots.taken, slots.max),
        format!("agents {}", cells::bytes(totals.agent_memory_bytes)),
        format!("server {server}"),
        plural(totals.connections, "connection"),
        format!("append p99 {}", cells::latency(report.latency.append.p99_seconds)),
        format!("delivery p99 {}", cells::latency(report.latency.delivery.p99_seconds)),
    ];
    let mut lines = vec![frame.bold(&frame.cut(&first.join(" · "))), frame.cut(&second.join(" · "))];
    let problems = report.troubles.iter().chain(&frame.problem);
    lines.extend(problems.map(|problem| frame.red(&frame.cut(&format!("! {}", cells::fit(problem, 200))))));
    lines
}

fn table(sessions: &[&SessionEntry], report: &Report, frame: &Frame) -> Vec<String> {
    let headings = COLUMNS.iter().map(|column| match column.order {
        Some(order) if order == frame.order => format!("{}▾", column.heading),
        _ => column.heading.to_owned(),
    });
    let mut rows: Vec<Vec<String>> = vec![headings.collect()];
    rows.extend(
        sessions.iter().map(|session| {
            COLUMNS.iter().map(|column| (column.cell)(session, report)).collect::<Vec<String>>()
        }),
    );
    let widest = |place: usize| rows.iter().map(|row| row[place].chars().count()).max().unwrap_or(0);
    let wanted: Vec<usize> = (0..COLUMNS.len()).map(widest).collect();
    let widths = fit_widths(&wanted, frame.width);
    let styles = std::iter::once(None).chain(sessions.iter().map(|session| Some(session.status)));
    rows.iter()
        .zip(styles)
        .map(|(row, status)| {
            let line = frame.cut(line(row, &widths).trim_end());
            status.map_or_else(|| frame.bold(&line), |status| frame.by_status(&line, status))
        })
        .collect()
}

/// On a narrow terminal the title gives way, then whole columns do; what room is left then is the title's again.
fn fit_widths(wanted: &[usize], width: Option<usize>) -> Vec<Option<usize>> {
    let mut widths: Vec<Option<usize>> = wanted.iter().copied().map(Some).collect();
    let Some(width) = width else { return widths };
    let needed = |widths: &[Option<usize>]| {
        let shown: Vec<usize> = widths.iter().copied().flatten().collect();
        shown.iter().sum::<usize>() + 2 * shown.len().saturating_sub(1)
    };
    let place_of = |heading: &str| COLUMNS.iter().position(|column| column.heading == heading);
    let title = place_of(TITLE).unwrap_or_default();
    widths[title] = Some(wanted[title].min(MIN_TITLE_CHARS));
    for place in DISPENSABLE.into_iter().filter_map(place_of) {
        if needed(&widths) > width {
            widths[place] = None;
        }
    }
    let left = width.saturating_sub(needed(&widths));
    widths[title] = widths[title].map(|narrow| (narrow + left).min(wanted[title]));
    widths
}

fn title(session: &SessionEntry) -> &str {
    session.title.as_deref().filter(|title| !title.trim().is_empty()).unwrap_or("–")
}

/// Columns without a width are left out.
fn line(row: &[String], widths: &[Option<usize>]) -> String {
    let cells = COLUMNS.iter().zip(row).zip(widths).filter_map(|((column, cell), width)| {
        let width = (*width)?;
        let cell = cells::fit(cell, width);
        Some(if column.is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") })
    });
    cells.collect::<Vec<_>>().join("  ")
}

fn foot(below: usize, frame: &Frame) -> String {
    let more = if below > 0 { format!(" · {below} more below") } else { String::new() };
    frame.dim(&frame.cut(&format!("q quit · ←→ or s sort · ↑↓ scroll{more}")))
}

fn plural(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

impl Frame {
    fn cut(&self, line: &str) -> String {
        self.width.map_or_else(|| line.to_owned(), |width| cells::fit(line, width))
    }

    fn by_status(&self, line: &str, status: Status) -> String {
        match status {
            Status::WaitingForApproval => self.styled(line, "1;33"),
            Status::WaitingForSlot => self.styled(line, "33"),
            Status::Running => self.styled(line, "32"),
            Status::Idle => line.to_owned(),
            Status::Expired | Status::Closed => self.dim(line),
        }
    }

    fn bold(&self, line: &str) -> String {
        self.styled(line, "1")
    }

    fn dim(&self, line: &str) -> String {
        self.styled(line, "2")
    }

    fn red(&self, line: &str) -> String {
        self.styled(line, "1;31")
    }

    fn styled(&self, line: &str, code: &str) -> String {
        if self.is_coloured { format!("\u{1b}[{code}m{line}\u{1b}[0m") } else { line.to_owned() }
    }
}

#[cfg(test)]
mod tests;
