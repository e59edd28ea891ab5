use std::path::PathBuf;

use nezha_graphs::Activation;

/// How to read a checkpoint: what its files leave open, and what takes the place of what they say.
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

/// What a caller says of the labels.
#[derive(Clone, Debug)]
pub(super) enum Labels {
    /// Their names.
    Named(Vec<String>),
    /// How many there are.
    Count(usize),
}

impl Labels {
    /// How many there are.
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
    /// Reads the state dict of this key where a file has several, such as `ema` or `state.model`.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Reads the encoder of this prefix where a state dict has several, such as `roberta.`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Maps files, which costs no memory, and is the default; `false` reads them to
    /// memory instead, for files that somebody may truncate meanwhile (that would end the process)
    /// or that can't be mapped. PyTorch's files are never mapped.
    #[must_use]
    pub fn mmap(mut self, mmap: bool) -> Self {
        self.mmap = mmap;
        self
    }

    /// Takes the place of the config's `max_relative_position`.
    #[must_use]
    pub fn max_relative_position(mut self, distance: usize) -> Self {
        self.max_relative_position = Some(distance);
        self
    }

    /// Takes the place of the config's `hidden_act`.
    #[must_use]
    pub fn hidden_act(mut self, activation: Activation) -> Self {
        self.hidden_act = Some(activation);
        self
    }

    /// Takes the model for a decoder, whose tokens see those before them alone, where its config says no
    /// `is_decoder`: so are language models that Keras or bert4torch trained.
    #[must_use]
    pub fn decoder(mut self, decoder: bool) -> Self {
        self.decoder = decoder;
        self
    }

    /// Reads this config, wherever it is and whatever it is called, in place of the one beside the
    /// weights.
    #[must_use]
    pub fn config(mut self, file: impl Into<PathBuf>) -> Self {
        self.config = Some(file.into());
        self
    }

    /// Names the labels by their index, in place of the config's; [`read_labels`] reads them from a
    /// file. There has to be one for each row of the classifier, if the checkpoint has one.
    ///
    /// [`read_labels`]: super::read_labels
    #[must_use]
    pub fn labels(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.labels = Some(Labels::Named(names));
        self
    }

    /// Says how many labels there are; they keep the config's names where it names as many, and are
    /// called `LABEL_0`, `LABEL_1`, … else. Replaces what [`OpenOptions::labels`] was given.
    #[must_use]
    pub fn num_labels(mut self, count: usize) -> Self {
        self.labels = Some(Labels::Count(count));
        self
    }
}
