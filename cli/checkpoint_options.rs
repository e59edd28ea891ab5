//! How a checkpoint is read: options of every subcommand that opens one.

use nezha_exporter::checkpoint::OpenOptions;
use nezha_graphs::Activation;

/// What a checkpoint leaves open.
#[derive(clap::Args)]
#[command(next_help_heading = "Checkpoint")]
pub struct CheckpointOptions {
    /// Takes the place of the config's `max_relative_position`.
    #[arg(long, value_name = "N")]
    max_relative_position: Option<usize>,
    /// Takes the place of the config's `hidden_act`, for example gelu_new.
    #[arg(long, value_name = "NAME", value_parser = activation)]
    hidden_act: Option<Activation>,
    /// Read safetensors to memory instead of mapping them: somebody may shorten the files.
    #[arg(long)]
    no_mmap: bool,
}

impl CheckpointOptions {
    /// As the exporter takes them.
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions {
            mmap: !self.no_mmap,
            max_relative_position: self.max_relative_position,
            hidden_act: self.hidden_act,
        }
    }
}

fn activation(name: &str) -> Result<Activation, String> {
    name.parse().map_err(|()| {
        let known: Vec<&str> = Activation::SPELLINGS.iter().map(|(it, _)| *it).collect();
        format!("known activations are {}", known.join(", "))
    })
}
