//! The table of all keys: name, environment variable, flag, kind, default and meaning.
//!
//! A new setting is a row here, a field in [`Config`](super::Config) and a row in the README; tests compare the three.

use super::Shape;

/// One row of the table.
#[derive(Debug)]
pub struct Key {
    /// `section.key`, as in `tandem.toml`.
    pub name: &'static str,
    /// The environment variable that sets it.
    pub env: Option<&'static str>,
    /// The flag that sets it.
    pub flag: Option<&'static str>,
    /// What kind of value it takes.
    pub shape: Shape,
    /// What it is when nobody sets it.
    pub default: DefaultValue,
    /// One sentence for an operator.
    pub meaning: &'static str,
}

/// What a key is when nobody sets it.
#[derive(Debug, Clone, Copy)]
pub enum DefaultValue {
    /// This number.
    Number(u64),
    /// This text.
    Text(&'static str),
    /// A list without entries, and what that amounts to.
    Nothing(&'static str),
    /// `tandem` in the platform's data folder.
    DataFolder,
    /// The home folder and the current one, but never the root of the file system.
    HomeAndCurrent,
}

impl Key {
    /// The section and the key within it.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }
}

/// Finds a row by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// A row without a flag, for most of the table.
const fn key(
    name: &'static str,
    env: Option<&'static str>,
    shape: Shape,
    default: DefaultValue,
    meaning: &'static str,
) -> Key {
    Key { name, env, flag: None, shape, default, meaning }
}

impl Key {
    const fn with_flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }
}

const fn from(least: u64, most: u64) -> Shape {
    Shape::Number { least, most }
}

use DefaultValue::{DataFolder, HomeAndCurrent, Nothing, Number, Text};

/// All keys, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    key(
        "server.bind",
        Some("TANDEM_BIND"),
        Shape::Address,
        Text("127.0.0.1"),
        "Address to listen on; `0.0.0.0` opens it to the whole network, where the token is the only guard",
    )
    .with_flag("--bind"),
    key(
        "server.port",
        Some("TANDEM_PORT"),
        from(0, 65_535),
        Number(4870),
        "Port to listen on; 0 lets the system choose one",
    )
    .with_flag("--port"),
    key(
        "server.allowedOrigins",
        Some("TANDEM_ALLOWED_ORIGINS"),
        Shape::Origins,
        Nothing("the server's own"),
        "Further web pages that may connect, such as `https://tandem.example` (commas between)",
    )
    .with_flag("--allowed-origin"),
    key(
        "server.maxConnections",
        Some("WS_MAX_CONNECTIONS"),
        from(1, 100_000),
        Number(1000),
        "WebSocket connections at a time; the next one is answered 503",
    ),
    key(
        "server.heartbeatSeconds",
        Some("WS_HEARTBEAT_INTERVAL"),
        from(1, 3600),
        Number(30),
        "Seconds between pings; a connection silent for three of them is dropped",
    ),
    key(
        "data.dir",
        Some("TANDEM_DATA_DIR"),
        Shape::Folder,
        DataFolder,
        "Folder of the journal, the token and `tandem.toml`",
    )
    .with_flag("--data-dir"),
    key(
        "projects.allowedRoots",
        Some("TANDEM_ALLOWED_ROOTS"),
        Shape::Folders,
        HomeAndCurrent,
        "Folders in which conversations may work (colons between)",
    )
    .with_flag("--allowed-root"),
    key(
        "agent.command",
        Some("TANDEM_AGENT"),
        Shape::Program,
        Text("claude"),
        "The agent: a name on the `PATH`, a path, or `simulator` for the built-in one",
    )
    .with_flag("--agent"),
    key("agent.args", None, Shape::Arguments, Nothing("none"), "Further arguments for every agent"),
    key(
        "agent.environment",
        None,
        Shape::VariableNames,
        Nothing("none"),
        "Names of variables an agent inherits besides HOME, PATH, locale, proxy and those of Anthropic, Claude, AWS, \
         Google and Azure",
    ),
    key(
        "agent.maxConcurrent",
        Some("MAX_CONCURRENT_SESSIONS"),
        from(1, 1000),
        Number(10),
        "Live agent processes at a time; conversations are not limited",
    ),
    key(
        "agent.idleMinutes",
        Some("TANDEM_AGENT_IDLE_MINUTES"),
        from(1, 43_200),
        Number(30),
        "Minutes without work after which an agent is stopped; its conversation stays",
    ),
    key(
        "agent.hangSeconds",
        Some("TANDEM_AGENT_HANG_SECONDS"),
        from(1, 86_400),
        Number(600),
        "Seconds without output after which a turn is interrupted",
    ),
    key(
        "agent.maxMemoryMb",
        Some("MAX_MEMORY_PER_SESSION_MB"),
        from(1, 1_048_576),
        Number(500),
        "Megabytes one agent and its children may take before it is restarted",
    ),
    key(
        "agent.maxTotalMemoryGb",
        Some("MAX_TOTAL_MEMORY_GB"),
        from(1, 4096),
        Number(2),
        "Gigabytes of all agents together above which no further one is started",
    ),
    key(
        "agent.cpuLimitPercent",
        Some("CPU_USAGE_LIMIT_PERCENT"),
        from(1, 100),
        Number(80),
        "Use of the machine's processors above which no further agent is started",
    ),
    key(
        "session.timeoutHours",
        Some("SESSION_TIMEOUT_HOURS"),
        from(1, 8760),
        Number(24),
        "Hours without activity after which a conversation expires; a message revives it",
    ),
    key(
        "session.warningHours",
        Some("SESSION_WARNING_HOURS"),
        from(0, 8760),
        Number(20),
        "Hours without activity after which devices are warned; 0 for no warning, five sixths of a shorter `timeoutHours`",
    ),
    key(
        "session.dedupWindowSeconds",
        Some("TANDEM_DEDUP_WINDOW_SECONDS"),
        from(0, 86_400),
        Number(10),
        "Seconds in which an equal message without an id counts as sent twice; 0 is off",
    ),
    key(
        "approvals.denyAfterMinutes",
        Some("TANDEM_DENY_AFTER_MINUTES"),
        from(0, 43_200),
        Number(0),
        "Minutes after which a question of the agent that nobody answered is denied; 0 waits for ever",
    ),
    key(
        "locks.ttlSeconds",
        Some("LOCK_DEFAULT_TTL"),
        from(1, 86_400),
        Number(300),
        "Seconds a lock holds without being renewed",
    ),
    key(
        "locks.waitSeconds",
        Some("LOCK_WAIT_TIMEOUT"),
        from(0, 3600),
        Number(30),
        "Seconds a request waits for a lock that another holds; 0 does not wait",
    ),
    key(
        "locks.agentWaitSeconds",
        Some("LOCK_AGENT_WAIT"),
        from(0, 3600),
        Number(20),
        "Seconds an agent's tool call waits for a lock that another holds before it is denied; 0 does not wait",
    ),
    key(
        "locks.enforcement",
        Some("LOCK_ENFORCEMENT"),
        Shape::Word(&["on", "warn", "off"]),
        Text("on"),
        "How agents are held to locks in projects for which nobody has chosen: `on`, `warn` (they write, people are told) or `off`",
    ),
    key(
        "shutdown.graceSeconds",
        Some("TANDEM_SHUTDOWN_GRACE_SECONDS"),
        from(0, 3600),
        Number(10),
        "Seconds running turns may go on after the signal to stop",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    const BEGIN: &str = "<!-- configuration:begin -->\n";
    const END: &str = "<!-- configuration:end -->";

    fn readme_table() -> String {
        let mut table =
            String::from("| key | environment | flag | default | meaning |\n|---|---|---|---|---|\n");
        let code = |text: Option<&str>| text.map_or_else(|| "–".to_owned(), |text| format!("`{text}`"));
        for key in KEYS {
            let default = match key.default {
                Number(number) => format!("`{number}`"),
                Text(text) => format!("`{text}`"),
                Nothing(amounts_to) => amounts_to.to_owned(),
                DataFolder => "`tandem` in the platform's data folder".to_owned(),
                HomeAndCurrent => "the home folder and the current one".to_owned(),
            };
            let (env, flag) = (code(key.env), code(key.flag));
            table += &format!("| `{}` | {env} | {flag} | {default} | {} |\n", key.name, key.meaning);
        }
        table
    }

    #[test]
    fn the_readme_shows_this_table() {
        let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        let (_, after) = readme.split_once(BEGIN).expect("README.md has the begin marker");
        let (section, _) = after.split_once(END).expect("README.md has the end marker");
        let table: String =
            section.lines().filter(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect();
        let expected = readme_table();
        assert!(table == expected, "put this table into README.md:\n\n{expected}");
    }

    #[test]
    fn names_variables_and_flags_are_used_once() {
        let names: BTreeSet<_> = KEYS.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), KEYS.len());
        for column in [|key: &Key| key.env, |key: &Key| key.flag] {
            let filled: Vec<_> = KEYS.iter().filter_map(column).collect();
            let distinct: BTreeSet<_> = filled.iter().collect();
            assert_eq!(distinct.len(), filled.len());
        }
    }

    #[test]
    fn defaults_are_within_their_own_bounds() {
        for key in KEYS {
            match (key.default, key.shape) {
                (Number(number), Shape::Number { least, most }) => {
                    assert!((least..=most).contains(&number), "{}", key.name);
                }
                (Number(_), _) => panic!("{} is no number", key.name),
                (Nothing(_) | HomeAndCurrent, shape) => assert!(shape.is_list(), "{}", key.name),
                (Text(text), shape) => assert!(shape.admits(&shape.read(text)), "{}", key.name),
                (DataFolder, shape) => assert_eq!(shape, Shape::Folder),
            }
        }
    }
}
