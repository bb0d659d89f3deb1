//! `tandem locks`: shows who holds what, takes a lock away from whoever has it, and says how agents are held to them.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Api, folder};
use super::connection::{Role, ServerArgs};
use super::render::{clean, columns, plain_time};
use crate::config::Loaded;

/// Arguments of `locks`.
#[derive(Debug, Clone, Args)]
pub struct LocksArgs {
    /// Only those of this project
    #[arg(long, value_name = "FOLDER")]
    pub project: Option<PathBuf>,

    /// Take this lock away from whoever has it, as the list names it; needs --project and --type
    #[arg(long, value_name = "WHAT", requires = "project")]
    pub force: Option<String>,

    /// What sort of lock it is: file, git, project, database or exclusive
    #[arg(long = "type", value_name = "TYPE", default_value = "file")]
    pub lock_type: String,

    /// Hold agents to the locks of the project in this way from now on; needs --project
    #[arg(long, value_name = "HOW", requires = "project", conflicts_with = "force")]
    pub enforcement: Option<How>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,

    /// Which server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// How agents are held to locks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum How {
    /// What is locked, or was changed unseen, is not written
    On,
    /// It is written, and people are told
    Warn,
    /// Nobody looks
    Off,
}

impl How {
    const fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Warn => "warn",
            Self::Off => "off",
        }
    }
}

/// Prints the list, takes a lock away, or changes how agents are held to them.
///
/// # Errors
/// When no server answers, or it refuses.
pub async fn run(loaded: &Loaded, args: &LocksArgs) -> anyhow::Result<()> {
    let server = Api::new(loaded, &args.server, Role::Terminal)?;
    let project = args.project.as_deref().map(folder).transpose()?;
    if let Some(how) = args.enforcement {
        let body = json!({ "projectPath": project, "enforcement": how.word() });
        let answer = server.send(Method::PATCH, "/api/projects", &[], Some(&body)).await?;
        let project = clean(answer["projectPath"].as_str().unwrap_or_default());
        let line = format!("Locks in {project} are {} for agents now.\n", how.word());
        io::stdout().write_all(line.as_bytes())?;
        return Ok(());
    }
    let text = match &args.force {
        Some(resource) => {
            let body = json!({
                "resourceId": resource, "lockType": args.lock_type, "projectPath": project, "force": true,
            });
            let answer = server.send(Method::DELETE, "/api/locks", &[], Some(&body)).await?;
            format!("Taken away from {}.\n", holder(&answer["holder"]))
        }
        None => {
            let query: Vec<_> = project.iter().map(|project| ("project", project.as_str())).collect();
            let answer = server.send(Method::GET, "/api/locks", &query, None).await?;
            if args.json { serde_json::to_string_pretty(&answer["locks"])? + "\n" } else { table(&answer) }
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Who holds something, for a person.
pub(super) fn holder(holder: &Value) -> String {
    let named = |key: &str, what: &str| Some(format!("{what} {}", holder[key].as_str()?));
    named("sessionId", "session").or_else(|| named("deviceId", "device")).unwrap_or_else(|| "nobody".into())
}

fn table(answer: &Value) -> String {
    let locks = answer["locks"].as_array().map(Vec::as_slice).unwrap_or_default();
    if locks.is_empty() {
        return "Nobody holds a lock.\n".to_owned();
    }
    let mut rows = vec![["WHAT", "TYPE", "MODE", "HOLDER", "SINCE", "UNTIL"].map(str::to_owned).to_vec()];
    rows.extend(locks.iter().map(row));
    columns(&rows)
}

fn row(lock: &Value) -> Vec<String> {
    let text = |key: &str| lock[key].as_str().unwrap_or_default().to_owned();
    let time = |key: &str| lock[key].as_str().map(plain_time).unwrap_or_default();
    let since = if lock["isWaiting"] == true { "waits".to_owned() } else { time("since") };
    vec![
        text("resourceId"),
        text("lockType"),
        text("mode"),
        holder(&lock["holder"]),
        since,
        time("expiresAt"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_who_holds_and_who_waits() {
        let answer = json!({"locks": [
            {"resourceId": "/srv/a.txt", "lockType": "file", "mode": "exclusive", "holder": {"deviceId": "phone"},
             "isWaiting": false, "fence": 7, "since": "2026-01-01T12:00:00.000Z", "expiresAt": "2026-01-01T12:05:00.000Z"},
            {"resourceId": "/srv/a.txt", "lockType": "file", "mode": "shared", "holder": {"sessionId": "0197"}, "isWaiting": true},
        ]});
        assert_eq!(
            table(&answer),
            "WHAT        TYPE  MODE       HOLDER        SINCE                UNTIL\n\
             /srv/a.txt  file  exclusive  device phone  2026-01-01 12:00:00  2026-01-01 12:05:00\n\
             /srv/a.txt  file  shared     session 0197  waits\n"
        );
        assert_eq!(table(&json!({"locks": []})), "Nobody holds a lock.\n");
    }
}
