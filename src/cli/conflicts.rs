//! `tandem conflicts`: shows who got in whose way, and settles it.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Api, folder};
use super::connection::{Role, ServerArgs};
use super::locks::holder;
use super::render::{columns, plain_time};
use crate::config::Loaded;

/// Arguments of `conflicts`.
#[derive(Debug, Clone, Args)]
pub struct ConflictsArgs {
    /// Only those of this project
    #[arg(long, value_name = "FOLDER")]
    pub project: Option<PathBuf>,

    /// Also those that are settled
    #[arg(long)]
    pub all: bool,

    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,

    /// What to do instead.
    #[command(subcommand)]
    pub act: Option<Act>,

    /// Which server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// What can be done with a conflict.
#[derive(Debug, Clone, Subcommand)]
pub enum Act {
    /// Settle one
    Resolve {
        /// Which, by its id
        id: String,
        /// How
        how: How,
        /// The file with the new content, for `merged`
        #[arg(value_name = "FILE")]
        content: Option<PathBuf>,
    },
}

/// How a conflict ends.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum How {
    /// What is there stays
    Ours,
    /// What was to be there is put there
    Theirs,
    /// A content that holds both is put there
    Merged,
}

/// Prints the list, or settles a conflict.
///
/// # Errors
/// When no server answers, or it refuses.
pub async fn run(loaded: &Loaded, args: &ConflictsArgs) -> anyhow::Result<()> {
    let server = Api::new(loaded, &args.server, Role::Terminal)?;
    let project = args.project.as_deref().map(folder).transpose()?;
    let text = match &args.act {
        Some(Act::Resolve { id, how, content }) => {
            let mut body = json!({ "resolution": how.word() });
            if let Some(file) = content {
                let text = fs::read_to_string(file);
                body["content"] = json!(text.with_context(|| format!("could not read {}", file.display()))?);
            }
            let path = format!("/api/conflicts/{id}/resolve");
            server.send(Method::POST, &path, &[], Some(&body)).await?;
            "Settled.\n".to_owned()
        }
        None => {
            let mut query: Vec<_> = project.iter().map(|project| ("project", project.as_str())).collect();
            if !args.all {
                query.push(("status", "open"));
            }
            let answer = server.send(Method::GET, "/api/conflicts", &query, None).await?;
            if args.json {
                serde_json::to_string_pretty(&answer["conflicts"])? + "\n"
            } else {
                table(&answer)
            }
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

impl How {
    const fn word(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
            Self::Merged => "merged",
        }
    }
}

fn table(answer: &Value) -> String {
    let conflicts = answer["conflicts"].as_array().map(Vec::as_slice).unwrap_or_default();
    if conflicts.is_empty() {
        return "No conflicts.\n".to_owned();
    }
    let head = ["CONFLICT", "TYPE", "WHAT", "OURS", "THEIRS", "FOUND", "STATUS"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(conflicts.iter().map(row));
    columns(&rows)
}

fn row(conflict: &Value) -> Vec<String> {
    let text = |key: &str| conflict[key].as_str().unwrap_or_default().to_owned();
    let side = |key: &str| holder(&conflict[key]["holder"]);
    let found = conflict["foundAt"].as_str().map(plain_time).unwrap_or_default();
    let status = conflict["resolution"].as_str().unwrap_or("open").to_owned();
    vec![
        text("conflictId"),
        text("conflictType"),
        text("subject"),
        side("ours"),
        side("theirs"),
        found,
        status,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_one_line_a_conflict() {
        let answer = json!({"conflicts": [{
            "conflictId": "0197", "conflictType": "file_edit", "subject": "a.txt", "projectPath": "/p",
            "foundAt": "2026-01-01T12:00:00.000Z", "ours": {"holder": {"deviceId": "phone"}, "what": "w"},
            "theirs": {"what": "w"},
        }]});
        assert_eq!(
            table(&answer),
            "CONFLICT  TYPE       WHAT   OURS          THEIRS  FOUND                STATUS\n\
             0197      file_edit  a.txt  device phone  nobody  2026-01-01 12:00:00  open\n"
        );
        assert_eq!(table(&json!({})), "No conflicts.\n");
    }
}
