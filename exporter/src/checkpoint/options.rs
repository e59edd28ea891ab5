use std::path::PathBuf;

use nezha_graphs::Activation;

/// How to read a checkpoint: choices that its files leave open, and values that replace those in
/// its files.
///
/// ```
/// use nezha_exporter::checkpoint::OpenOptions;
///
/// let options = OpenOptions::default().labels(["negative", "positive"]);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenOptions {
    pub(super) mmap: bool,
    pub(super) key: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) max_relative_position: Option<usize>,
    pub(super) hidden_act: Option<Activation>,
    pub(super) decoder: bool,
    pub(super) config: Option<PathBuf>,
    pub(super) labels: Option<Labels>,
}

/// What the caller says about the labels.
#[derive(Clone, Debug)]
pub(super) enum Labels {
    /// Their names.
    Named(Vec<String>),
    /// Their number.
    Count(usize),
}

impl Labels {
    /// The number of labels.
    pub(super) fn count(&self) -> usize {
        match self {
            Labels::Named(names) => names.len(),
            Labels::Count(count) => *count,
        }
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            mmap: true,
            key: None,
            prefix: None,
            max_relative_position: None,
            hidden_act: None,
            decoder: false,
            config: None,
            labels: None,
        }
    }
}

impl OpenOptions {
    /// Chooses the state dict with this key if a file has several, such as `ema` or `state.model`.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Chooses the encoder with this prefix if a state dict has several, such as `roberta.`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Whether files are mapped, which costs no memory; true by default. `false` reads them into
    /// memory instead. That is for files that can't be mapped, or that another process may shorten
    /// meanwhile, which would end this process. PyTorch's files are never mapped.
    #[must_use]
    pub fn mmap(mut self, mmap: bool) -> Self {
        self.mmap = mmap;
        self
    }

    /// Replaces the config's `max_relative_position`.
    #[must_use]
    pub fn max_relative_position(mut self, distance: usize) -> Self {
        self.max_relative_position = Some(distance);
        self
    }

    /// Replaces the config's `hidden_act`.
    #[must_use]
    pub fn hidden_act(mut self, activation: Activation) -> Self {
        self.hidden_act = Some(activation);
        self
    }

    /// Treats the model as a decoder, in which tokens attend only to preceding tokens, even if its
    /// config has no `is_decoder`. Language models that Keras or bert4torch trained need this.
    #[must_use]
    pub fn decoder(mut self, decoder: bool) -> Self {
        self.decoder = decoder;
        self
    }

    /// Reads this config file instead of the one beside the weights.
    #[must_use]
    pub fn config(mut self, file: impl Into<PathBuf>) -> Self {
        self.config = Some(file.into());
        self
    }

    /// Replaces the config's labels by these names, in the order of their indices; [`read_labels`]
    /// reads names from a file. If the checkpoint has a classifier, there must be one name for each
    /// of its rows.
    ///
    /// [`read_labels`]: super::read_labels
    #[must_use]
    pub fn labels(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.labels = Some(Labels::Named(names));
        self
    }

    /// Sets the number of labels. They keep the config's names if it names as many; otherwise they
    /// are called `LABEL_0`, `LABEL_1`, …. This replaces the names given to
    /// [`OpenOptions::labels`].
    #[must_use]
    pub fn num_labels(mut self, count: usize) -> Self {
        self.labels = Some(Labels::Count(count));
        self
    }
}
