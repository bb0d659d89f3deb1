//! A real server: the program itself, with its own folder, HOME and port, ended with real signals.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::device::TestDevice;

/// How long a test waits for something that must come; far more than it ever takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where a server lives: survives the server, so that it can be started again.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// A running server; killed when it is dropped.
pub(crate) struct TestServer {
    child: Child,
    pub(crate) address: String,
    pub(crate) token: String,
    client: reqwest::Client,
}

impl Home {
    /// A home whose agent is the built-in simulator.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::fs::create_dir(folder.path().join("project")).expect("a folder can be made");
        // Tests run beside each other and keep the machine busy: that must not hold agents back.
        let environment = [("TANDEM_AGENT", "simulator"), ("CPU_USAGE_LIMIT_PERCENT", "100")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { folder, environment }
    }

    /// A home whose agent is the real CLI, talking to this stand-in for the model.
    pub(crate) fn with_claude(model_url: &str) -> Self {
        let mut home = Self::new();
        home.set("TANDEM_AGENT", super::agent::claude_path().to_str().expect("a plain path"));
        home.set("ANTHROPIC_BASE_URL", model_url);
        home.set("ANTHROPIC_API_KEY", "test");
        for switch in ["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_TELEMETRY", "DISABLE_AUTOUPDATER"]
        {
            home.set(switch, "1");
        }
        home
    }

    /// Sets a variable of the server's environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A command of the program in this home.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path()).env("TANDEM_DATA_DIR", self.data());
        command.env("TANDEM_ALLOWED_ROOTS", self.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts a server on a free port and waits until it serves.
    pub(crate) async fn serve(&self) -> TestServer {
        self.serve_on(0).await
    }

    /// The same, on this port.
    pub(crate) async fn serve_on(&self, port: u16) -> TestServer {
        let mut command = self.command(&["serve", "--port", &port.to_string()]);
        let log = std::fs::File::options().create(true).append(true).open(self.path().join("log"));
        command.stdout(Stdio::piped()).stderr(log.expect("a log can be written"));
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let address = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await.expect("the banner is text") {
                if let Some(at) = line.find("http://") {
                    return line[at..].split_whitespace().next().expect("an address").to_owned();
                }
            }
            panic!("the server ended without an address; its log: {}", self.log());
        });
        let address = address.await.expect("the server says where it listens");
        // What else it prints must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let token = std::fs::read_to_string(self.data().join("token")).expect("there is a token");
        let token = token.trim().to_owned();
        TestServer { child, address, token, client: reqwest::Client::new() }
    }

    /// Runs a command of the program to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> std::process::Output {
        let output = tokio::time::timeout(PATIENCE, self.command(args).output()).await;
        output.expect("the command ends").expect("the program starts")
    }

    /// Everything that servers of this home have logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }
}

impl TestServer {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the server runs")
    }

    /// A request with the token.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.client.request(method, self.url(path)).bearer_auth(&self.token)
    }

    /// Sends JSON and returns the status and the JSON that comes back.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(method, path);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.timeout(PATIENCE).send().await.expect("the server answers");
        let status = response.status().as_u16();
        let text = response.text().await.expect("the answer is text");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.call("GET", path, Value::Null).await;
        assert_eq!(status, 200, "GET {path}: {answer}");
        answer
    }

    /// Begins a conversation in the home's project and returns its id.
    pub(crate) async fn session(&self, home: &Home) -> String {
        let body = json!({ "projectPath": home.project() });
        let (status, answer) = self.call("POST", "/api/sessions", body).await;
        assert!((200..300).contains(&status), "{status} {answer}");
        answer["sessionId"].as_str().expect("a session id").to_owned()
    }

    /// Connects a device that has said hello.
    pub(crate) async fn device(&self, name: &str) -> TestDevice {
        TestDevice::connect(&self.address, &self.token, name).await
    }

    /// All events of a session, through the API.
    pub(crate) async fn events(&self, session: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let page =
                self.get(&format!("/api/sessions/{session}/events?after={}&limit=1000", events.len())).await;
            let page = page["events"].as_array().expect("a list of events").clone();
            if page.is_empty() {
                return events;
            }
            events.extend(page);
        }
    }

    /// Stops in good order, as a person does with Ctrl-C.
    pub(crate) async fn stop(mut self) {
        self.signal("INT").await;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.expect("the server stops").expect("its status is known");
        assert!(status.success(), "the server stops in good order: {status}");
    }

    /// Waits until it has ended by itself, and returns its exit code.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        status.expect("the server ends").expect("its status is known").code()
    }

    /// kill -9.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("the server can be killed");
    }

    async fn signal(&self, name: &str) {
        let signalled =
            Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status().await;
        assert!(signalled.expect("kill runs").success());
    }
}

/// Waits until something is true, looking again and again.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, is_true: impl FnMut() -> F) {
    eventually_within(PATIENCE, what, is_true).await;
}

/// The same, for something that may take longer.
pub(crate) async fn eventually_within<F: Future<Output = bool>>(
    patience: Duration,
    what: &str,
    mut is_true: impl FnMut() -> F,
) {
    let deadline = Instant::now() + patience;
    while !is_true().await {
        assert!(Instant::now() < deadline, "never true: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
