//! Runs the operator against the cluster of a kubeconfig file: `site-operator KUBECONFIG`.

use std::process::ExitCode;

use base::{Clock, Rng, Tasks};

#[tokio::main]
async fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: site-operator KUBECONFIG");
        return ExitCode::from(2);
    };
    let (tasks, clock) = (Tasks::new(), Clock::system());
    let client = match std::fs::read_to_string(&path) {
        Ok(text) => kit::Client::from_kubeconfig(&text).await,
        Err(error) => Err(kit::Error::Setup(Box::new(error))),
    };
    let client = match client {
        Ok(client) => client.with_agent("site-operator"),
        Err(error) => {
            eprintln!("site-operator: {}", base::Chain(&error));
            return ExitCode::FAILURE;
        }
    };
    site_operator::start(&client, &tasks, &clock, Rng::from_os()).await;
    println!("site-operator runs; Ctrl-C ends it");
    if tokio::signal::ctrl_c().await.is_err() {
        eprintln!("site-operator: signals cannot be received");
    }
    tasks
        .drain(&clock, std::time::Duration::from_secs(10))
        .await;
    ExitCode::SUCCESS
}
