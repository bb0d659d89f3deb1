//! The program as a person or a script meets it: what it prints, and how it ends.

use std::fs;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A machine with nothing set: an empty home, an empty `PATH` and none of our variables.
struct Machine {
    home: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn tandem(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tandem"))
            .args(arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn config_prints_a_file_that_sets_the_same() {
    let machine = Machine::new();
    let first = machine.tandem(&["config", "--allowed-root", "~/pro\"jects"], &[("TANDEM_PORT", "5000")]);
    assert!(first.status.success(), "{}", stderr(&first));
    assert!(stdout(&first).contains("# environment TANDEM_PORT\n"), "{}", stdout(&first));
    assert!(stdout(&first).contains("# flag --allowed-root\n"), "{}", stdout(&first));

    let path = machine.home.path().join("printed.toml");
    fs::write(&path, &first.stdout).unwrap();
    let second = machine.tandem(&["config", "--config", "printed.toml"], &[]);
    assert!(second.status.success(), "{}", stderr(&second));
    let settings = |text: String| {
        text.lines().map(|line| line.split("  #").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(settings(stdout(&first)), settings(stdout(&second)));
    assert!(stdout(&second).lines().all(|line| line.contains("# file ")), "{}", stdout(&second));
}

#[test]
fn config_as_json_has_values_and_origins() {
    let output = Machine::new().tandem(&["config", "--json", "--port", "5001"], &[]);
    let entries: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(entries["server.port"], serde_json::json!({"value": 5001, "origin": "flag --port"}));
    assert_eq!(entries["agent.maxConcurrent"], serde_json::json!({"value": 10, "origin": "default"}));
}

#[test]
fn a_wrong_setting_ends_with_one_sentence_and_code_1() {
    let output = Machine::new().tandem(&["serve"], &[("WS_MAX_CONNECTIONS", "many")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "tandem: `server.maxConnections` (environment WS_MAX_CONNECTIONS) is \"many\", \
         but must be a whole number from 1 to 100000\n"
    );
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_port_that_is_taken_ends_the_server_before_it_touches_anything() {
    let machine = Machine::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output =
        machine.tandem(&["serve", "--agent", "simulator", "--data-dir", "data", "--port", &port], &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains(&format!("cannot listen at 127.0.0.1:{port}")), "{text}");
    assert!(text.contains("is another Tandem running there? Try --port"), "{text}");
    assert!(!machine.home.path().join("data").exists());
}

#[test]
fn a_missing_file_is_named_with_its_cause() {
    let output = Machine::new().tandem(&["config", "--config", "/nowhere/tandem.toml"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("/nowhere/tandem.toml") && text.contains("No such file"), "{text}");
}

#[test]
fn token_without_one_says_how_to_get_it() {
    let output = Machine::new().tandem(&["token", "--data-dir", "data"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("start `tandem serve` once"), "{}", stderr(&output));
}

#[test]
fn token_prints_the_token_and_nothing_else() {
    let machine = Machine::new();
    let data_dir = machine.home.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    let token = tandem::auth::token_for_first_start(&data_dir).unwrap();
    let output = machine.tandem(&["token", "--data-dir", "data"], &[]);
    assert_eq!(stdout(&output), format!("{}\n", token.as_str()));
    assert_eq!(stderr(&output), "");
}

#[test]
fn link_prints_one_for_each_way_in_and_nothing_else() {
    let machine = Machine::new();
    let data_dir = machine.home.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    let token = tandem::auth::token_for_first_start(&data_dir).unwrap();
    let link = |bind: &str| {
        let output = machine.tandem(&["link", "--data-dir", "data", "--port", "4871", "--bind", bind], &[]);
        assert_eq!(stderr(&output), "");
        stdout(&output)
    };
    let fragment = format!(":4871/#token={}\n", token.as_str());
    assert_eq!(link("127.0.0.1"), format!("http://127.0.0.1{fragment}"));
    assert_eq!(link("192.168.0.7"), format!("http://192.168.0.7{fragment}"));
    let everywhere = link("0.0.0.0");
    assert!(everywhere.starts_with(&format!("http://127.0.0.1{fragment}")), "{everywhere}");
    assert!(everywhere.lines().all(|line| line.ends_with(fragment.trim_end())), "{everywhere}");
    let nowhere = machine.tandem(&["link", "--data-dir", "data", "--port", "0"], &[]);
    assert!(stderr(&nowhere).contains("prints its link when it starts"), "{}", stderr(&nowhere));
}

#[test]
fn doctor_is_content_with_a_machine_that_has_everything() {
    let output = Machine::new().tandem(&["doctor", "--agent", "simulator", "--port", "0"], &[]);
    assert!(output.status.success(), "{}", stdout(&output));
    assert!(stdout(&output).contains("Ready: start the server with `tandem serve`."), "{}", stdout(&output));
}

#[test]
fn doctor_fails_without_an_agent_and_says_so_in_json() {
    let output = Machine::new().tandem(&["doctor", "--json", "--port", "0"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let agent = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "agent").unwrap();
    assert_eq!(agent["status"], "fail");
    assert!(agent["remedy"].as_str().unwrap().contains("npm install"));
}

#[test]
fn doctor_reports_a_configuration_that_is_wrong() {
    let output = Machine::new().tandem(&["doctor"], &[("TANDEM_BIND", "localhost")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with("FAIL  configuration"), "{}", stdout(&output));
    assert!(stdout(&output).contains("127.0.0.1 for this machine alone"), "{}", stdout(&output));
}

#[test]
fn every_command_has_help_with_an_example() {
    let machine = Machine::new();
    for command in
        ["serve", "token", "link", "sessions", "send", "attach", "backup", "restore", "doctor", "config"]
    {
        let output = machine.tandem(&[command, "--help"], &[]);
        assert!(output.status.success(), "{command}");
        assert!(stdout(&output).contains("Example:\n  "), "{command}");
        assert!(stdout(&output).contains(&format!("tandem {command}")), "{command}");
    }
    assert!(!stdout(&machine.tandem(&["--help"], &[])).contains("simulator "), "it is hidden");
}
