//! What a person at the terminal sees.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::{arguments::ServeArguments, compose::Running, run, state::DataDirectory};

/// Sends log lines to standard error, as far as `filter` lets them.
pub fn start_logging(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second start in one process (a test) keeps the first one's log.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(fmt::layer().with_writer(std::io::stderr))
        .try_init();
}

/// Says on one screen what runs and what to type next.
pub fn greet(running: &Running, directory: &DataDirectory, url: &str, arguments: &ServeArguments) {
    let kubeconfig = directory.kubeconfig_path();
    let kubeconfig = kubeconfig.display();
    let store = match arguments.in_memory {
        true => "memory (gone when pintle stops)".to_owned(),
        false => directory.store_path().display().to_string(),
    };
    let controllers = match running.controllers() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    println!(
        "{version}
  serving      {url}
  objects in   {store}
  controllers  {controllers}
  kubeconfig   {kubeconfig}

Next:
  export KUBECONFIG={kubeconfig}
  kubectl get namespaces

Ready after {ready} ms. Stop with Ctrl-C.",
        version = run::version_text(),
        ready = running.start_duration().as_millis(),
    );
}
