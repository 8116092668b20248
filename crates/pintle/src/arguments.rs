//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The Kubernetes API as one fast program.
#[derive(Debug, Parser)]
#[command(name = "pintle", version, about, long_about = None, propagate_version = true)]
#[command(after_help = "Start with: pintle up")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything in one process: the API server, its store and the controllers
    Up(ServeArguments),
    /// Start the API server and its store, without controllers
    Server(ServeArguments),
    /// Write the directory that KUBEBUILDER_ASSETS points to: links named kube-apiserver and etcd
    /// that are pintle, and kubectl if there is one
    Assets(AssetsArguments),
    /// Serve like kube-apiserver, with its flags and with the store in memory
    #[command(disable_help_flag = true, disable_version_flag = true)]
    KubeApiserver(StandInArguments),
    /// Stand in for the etcd of a harness that starts one: answer GET /health
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Etcd(StandInArguments),
    /// Print the version
    Version,
}

/// Where to write the assets.
#[derive(Clone, Debug, Args)]
pub struct AssetsArguments {
    /// The directory; it is created when it is missing
    pub directory: PathBuf,
}

/// The words of another program's command line.
#[derive(Clone, Debug, Args)]
pub struct StandInArguments {
    /// Flags of the program; --help lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

/// Where to serve and where to keep the state.
#[derive(Clone, Debug, Args)]
pub struct ServeArguments {
    /// Directory of the state: objects, certificates and admin.kubeconfig
    ///
    /// It is created when it is missing. Started again on the same directory, pintle continues
    /// where it was. The default is `pintle` in your data directory ($XDG_DATA_HOME, or
    /// ~/.local/share).
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Address to serve on; port 0 picks a free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:6443")]
    pub listen: String,

    /// Keep objects in memory only; certificates and admin.kubeconfig still go to the data directory
    #[arg(long)]
    pub in_memory: bool,

    /// Ranges of the addresses of Services: one, or one of each family
    #[arg(long, value_name = "CIDR[,CIDR]", default_value = "10.0.0.0/24")]
    pub service_cluster_ip_range: String,

    /// Ports that Services may open on nodes
    #[arg(long, value_name = "FIRST-LAST", default_value = "30000-32767")]
    pub service_node_port_range: String,

    /// Address under which the cluster finds this server; the default is where it listens, or the
    /// address of the default route if it listens on loopback or everywhere
    #[arg(long, value_name = "IP")]
    pub advertise_address: Option<std::net::IpAddr>,

    /// File of static tokens: lines of `token,user,uid,"group1,group2"`
    #[arg(long, value_name = "FILE")]
    pub token_auth_file: Option<PathBuf>,

    /// Controllers to run, by name: `*` for all, `-NAME` to leave one out
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "*")]
    pub controllers: Vec<String>,

    /// What to log: error, warn, info, debug, or tracing directives like `server=debug`
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    pub log: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use clap::Parser;

    use super::{Arguments, Command};

    #[test]
    fn words_for_another_program_reach_it_untouched() {
        let line = ["pintle", "kube-apiserver", "--help", "-v", "2", "--version"];
        let Command::KubeApiserver(arguments) = Arguments::parse_from(line).command else {
            panic!("it is the stand-in");
        };
        assert_eq!(arguments.words, line[2..]);
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
