//! Measures Pintle beside kube-apiserver and etcd, in one interleaved run.
//!
//! Both sides run on this machine at the same time, with TLS, RBAC and synced writes, and are asked
//! the same things in turn by the same client: HTTP/2 over rustls, with an admin client
//! certificate. The figure is the CPU time that the server's processes spent per operation (user
//! and system, from `/proc`; etcd and kube-apiserver summed); wall time comes second.
//!
//! Invariant: it knows both sides only by their command lines and the Kubernetes API.
//!
//! Start reading at [`rows`]; `cargo xtask bench` builds everything and runs this.

// The clock and free tasks are banned so that rooms can be simulated. A benchmark measures real
// time and is never simulated.
#![allow(clippy::disallowed_methods)]

mod book;
mod chart;
mod client;
mod objects;
mod process;
mod protobuf;
mod rows;
mod side;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use xtask::failure::{Doing, Failure};

use book::Book;
use rows::Row;

/// Measures Pintle beside kube-apiserver and etcd.
#[derive(Parser)]
struct Arguments {
    /// Directory that holds etcd, kube-apiserver, kube-controller-manager and kubectl.
    #[arg(long)]
    bin: PathBuf,
    /// The Pintle binary, built in release mode.
    #[arg(long)]
    pintle: PathBuf,
    /// Rows to measure, separated by commas; all of them if none is named.
    #[arg(long, visible_alias = "only", value_delimiter = ',')]
    rows: Vec<Row>,
    /// Which sides to measure.
    #[arg(long, value_delimiter = ',', default_values = ["upstream", "pintle"])]
    sides: Vec<side::Which>,
    /// How often each row is measured on each side, in turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Share of the full number of operations and objects; less than 1 is for trying things out.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Writes bench/results/DATE.md and bench/results/chart.svg.
    #[arg(long)]
    write: bool,
}

/// What a whole run needs to know.
pub(crate) struct Plan {
    /// Rows to measure.
    pub(crate) rows: Vec<Row>,
    /// Sides to measure, in the order of the first round.
    pub(crate) sides: Vec<side::Which>,
    /// How often each row is measured on each side.
    pub(crate) rounds: usize,
    /// Share of the full number of operations.
    pub(crate) scale: f64,
    /// What starts the two sides.
    pub(crate) programs: side::Programs,
}

impl Plan {
    /// Returns `full` scaled down, but at least `least`.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    pub(crate) fn scaled(&self, full: usize, least: usize) -> usize {
        ((full as f64 * self.scale) as usize).max(least)
    }

    /// True if any of `rows` is to be measured.
    pub(crate) fn wants(&self, rows: &[Row]) -> bool {
        rows.iter().any(|row| self.rows.contains(row))
    }

    /// Returns the sides in the order of a round: they take turns at being first.
    pub(crate) fn turn(&self, round: usize) -> Vec<side::Which> {
        let mut sides = self.sides.clone();
        if round % 2 == 1 {
            sides.reverse();
        }
        sides
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts on any machine that runs a server");
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let rows = if arguments.rows.is_empty() {
        Row::all()
    } else {
        arguments.rows
    };
    let scratch = xtask::conformance::Scratch::new("bench")?;
    let plan = Plan {
        rows,
        sides: arguments.sides,
        rounds: arguments.rounds.max(1),
        scale: arguments.scale,
        programs: side::Programs {
            bin: arguments.bin,
            pintle: arguments.pintle,
            scratch: scratch.path.clone(),
        },
    };
    let mut book = Book::default();
    rows::measure(&plan, &mut book).await?;

    let page = book.page(&plan);
    println!("{page}");
    if arguments.write {
        let directory = xtask::conformance::repository().join("bench/results");
        std::fs::create_dir_all(&directory).doing("create bench/results")?;
        let path = directory.join(format!("{}.md", xtask::conformance::today()));
        std::fs::write(&path, page).doing("write the result")?;
        std::fs::write(directory.join("chart.svg"), chart::draw(&book.bars()))
            .doing("write the chart")?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
