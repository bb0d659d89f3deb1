//! Runs the stand-in for the Messages API, so that the real CLI can be tried without an account:
//! `cargo run --example model -- 8099`, then `ANTHROPIC_BASE_URL=http://127.0.0.1:8099 ANTHROPIC_API_KEY=test claude -p recall`.

#[path = "../tests/support/model.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod model;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0);
    let model = model::Model::start_at(port).await;
    println!("{}", model.url());
    tokio::signal::ctrl_c().await
}
