//! `tandem sessions`: lists the conversations of the running server.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;
use tandem_actors::session::Summary;

use super::connection::{self, Role, ServerArgs, explain};
use super::render::brief;
use crate::config::Loaded;

/// Arguments of `sessions`.
#[derive(Debug, Clone, Args)]
pub struct SessionsArgs {
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,

    /// Which server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Prints the list.
///
/// # Errors
/// When no server answers.
pub async fn run(loaded: Loaded, args: SessionsArgs) -> anyhow::Result<()> {
    let (client, _incoming) = connection::open(&loaded, &args.server, Role::Script).await?;
    let sessions = client.watch().await.map_err(explain)?;
    client.close().await;
    let text = if args.json { serde_json::to_string_pretty(&sessions)? + "\n" } else { table(&sessions) };
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// One line a session; the columns are as wide as they must be.
fn table(sessions: &[Summary]) -> String {
    if sessions.is_empty() {
        return "No conversations yet. Begin one with: tandem send --new . \"hello\"\n".to_owned();
    }
    let mut rows = vec![["SESSION", "STATUS", "TURNS", "QUEUED", "LAST ACTIVITY", "WHAT"].map(str::to_owned)];
    rows.extend(sessions.iter().map(row));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn row(summary: &Summary) -> [String; 6] {
    let status = json!(summary.status).as_str().unwrap_or_default().replace('_', " ");
    let activity = summary.last_activity_at.to_string();
    let what = summary.title.as_deref().unwrap_or(&summary.project_path);
    [
        summary.session_id.to_string(),
        status,
        summary.turns.to_string(),
        summary.queued.to_string(),
        activity.get(..16).unwrap_or_default().replace('T', " "),
        brief(what),
    ]
}

fn line(row: &[String; 6], widths: &[usize; 6]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_one_line_a_session() {
        let summary: Summary = serde_json::from_value(json!({
            "sessionId": "0197a2c4-0000-7000-8000-000000000001", "projectPath": "/home/ada/tandem", "title": null,
            "status": "waiting_for_approval", "head": 9, "createdAt": "2026-01-01T12:00:00.000Z",
            "lastActivityAt": "2026-01-02T12:34:56.000Z", "expiresAt": "2026-01-03T12:00:00.000Z", "turns": 2,
            "messages": 3, "queued": 1, "approvals": 1, "costUsd": 0.1, "devices": []
        }))
        .unwrap();
        assert_eq!(
            table(&[summary]),
            "SESSION                               STATUS                TURNS  QUEUED  LAST ACTIVITY     WHAT\n\
             0197a2c4-0000-7000-8000-000000000001  waiting for approval  2      1       2026-01-02 12:34  /home/ada/tandem\n"
        );
    }

    #[test]
    fn an_empty_list_says_how_to_begin() {
        assert!(table(&[]).contains("tandem send --new"));
    }
}
