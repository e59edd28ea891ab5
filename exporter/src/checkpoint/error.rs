use std::io;
use std::path::PathBuf;

use nezha_graphs::ConfigError;

/// Why a checkpoint can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The path doesn't exist.
    #[error("{}: no such file or folder", path.display())]
    NotFound {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The operating system refuses to read it.
    #[error("{}: can't be read", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The path is a folder, a pipe or a device instead of a file.
    #[error("{}: expected a file, found something else of that name", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A file is neither weights nor a shard index.
    #[error(
        "{}: expected a checkpoint's folder, or its weights in the format of safetensors, PyTorch, \
         TensorFlow, Keras or Paddle; found another kind of file",
        path.display()
    )]
    NotWeights {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The file is a Git LFS pointer: the real file was not downloaded.
    #[error(
        "{}: a Git LFS pointer, not the file itself; run `git lfs pull` in its repository",
        path.display()
    )]
    LfsPointer {
        /// The pointer.
        path: PathBuf,
    },
    /// The folder is empty.
    #[error(
        "{}: the folder is empty; a checkpoint is a folder with config.json and weights \
         (model.safetensors or pytorch_model.bin)",
        path.display()
    )]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// There are weights but no config.
    #[error(
        "{}: no config; expected config.json, bert_config.json, bert4torch_config.json or \
         model_config.json; copy the one that was saved with these weights into the folder",
        folder.display()
    )]
    NoConfig {
        /// The folder that should have one.
        folder: PathBuf,
    },
    /// There is a config but no weights.
    #[error(
        "{}: no weights; expected model.safetensors, pytorch_model.bin, the .index.json of \
         either, or one file of weights of PyTorch, TensorFlow, Keras or Paddle, whatever it is \
         called, beside the config",
        folder.display()
    )]
    NoWeights {
        /// The folder that should have them.
        folder: PathBuf,
    },
    /// The weights have a format that can't be read.
    #[error("{}: {format}, which can't be read here; {remedy}", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// How to convert the weights.
        remedy: &'static str,
    },
    /// The weights are an adapter, without the model that it adapts.
    #[error(
        "{}: an adapter (LoRA) of {}, not a model; merge the two in Python and open what that \
         writes: PeftModel.from_pretrained(model, ADAPTER).merge_and_unload().save_pretrained('merged')",
        path.display(), base.as_deref().unwrap_or("another model")
    )]
    Adapter {
        /// The adapter's config, or the weights that contain adapters.
        path: PathBuf,
        /// The name of the model that it adapts, if it is stated.
        base: Option<String>,
    },
    /// Several files have an encoder, and none of them is preferred.
    #[error(
        "{}: several files hold a NEZHA encoder: {}; name the file to read instead of the folder",
        folder.display(), candidates.join(", ")
    )]
    SeveralCandidates {
        /// The folder.
        folder: PathBuf,
        /// The files' names.
        candidates: Vec<String>,
    },
    /// The checkpoint has several encoders.
    #[error(
        "{}: holds {} encoders: {}; choose one with the options `key` (of a nested state dict) and \
         `prefix` (of a module)",
        path.display(), found.len(), found.join("; ")
    )]
    SeveralEncoders {
        /// The weights.
        path: PathBuf,
        /// The places of the encoders, such as `key 'ema', prefix 'bert.'`.
        found: Vec<String>,
    },
    /// The options choose an encoder that doesn't exist.
    #[error(
        "{}: no NEZHA encoder with {asked}; found {}",
        path.display(), if found.is_empty() { "none at all".to_owned() } else { found.join("; ") }
    )]
    NoSuchEncoder {
        /// The weights.
        path: PathBuf,
        /// What was asked for.
        asked: String,
        /// The places of the encoders that exist.
        found: Vec<String>,
    },
    /// The relative positions were trained, so the model is not a NEZHA.
    #[error(
        "{}: tensor '{name}' is a table of relative positions that was trained: {why}. NEZHA's is \
         a sinusoid, so this is another model, and an export of it would give wrong answers",
        path.display()
    )]
    LearnedPositions {
        /// The weights.
        path: PathBuf,
        /// The tensor's name in the file.
        name: String,
        /// The reason why the table is not NEZHA's.
        why: String,
    },
    /// It is unknown whether matrices are `[in, out]` or `[out, in]`.
    #[error(
        "{}: the weights are in Paddle's format under PyTorch's names, and no shape tells whether \
         linear layers are stored as [in, out] or as [out, in]; save the model under PaddleNLP's \
         own names, or with PyTorch",
        path.display()
    )]
    UndecidedLayout {
        /// The weights.
        path: PathBuf,
    },
    /// There are two sets of weights, and neither is preferred.
    #[error(
        "{}: the folder has both {first} and {second}; name the file to read instead of the folder",
        folder.display()
    )]
    TwoCandidates {
        /// The folder.
        folder: PathBuf,
        /// One candidate.
        first: &'static str,
        /// The other candidate.
        second: &'static str,
    },
    /// The config can't be used.
    #[error("{}: the config can't be used", path.display())]
    Config {
        /// The config.
        path: PathBuf,
        /// What is wrong with it.
        source: ConfigError,
    },
    /// The file violates its format.
    #[error("{}: not a valid {format} file: {reason}; download or save it again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format that was expected.
        format: &'static str,
        /// The rule that is violated.
        reason: String,
    },
    /// The file has no weights.
    #[error("{}: holds no weights; expected a model's state dict", path.display())]
    NoTensors {
        /// The file, or the shard index.
        path: PathBuf,
    },
    /// Two tensors mean the same weight.
    #[error(
        "{}: tensor '{second}' means the same weight as '{first}', so that its value is \
         ambiguous; remove one of them",
        path.display()
    )]
    DuplicateTensor {
        /// The file with the second tensor, or the shard index.
        path: PathBuf,
        /// The first tensor's name in its file.
        first: String,
        /// The second tensor's name in its file.
        second: String,
    },
    /// A weight has an unsupported element type.
    #[error(
        "{}: tensor '{name}' is stored as {found}, expected F32, F16, BF16 or F64; save the model \
         in one of them",
        path.display()
    )]
    UnsupportedStorage {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        name: String,
        /// The element type that was found.
        found: String,
    },
    /// A Huawei config doesn't ask for relative positions.
    #[error(
        "{}: `use_relative_position` is {found} and `model_type` is missing: to Huawei's code this is \
         a BERT with learned absolute positions; if the model is a NEZHA, add \
         \"use_relative_position\": true",
        path.display()
    )]
    AbsolutePositions {
        /// The config.
        path: PathBuf,
        /// What was found as the field's value.
        found: &'static str,
    },
    /// The config doesn't say beyond which distance relative positions are clipped.
    #[error(
        "{}: `max_relative_position` is missing, and the vocabulary is that of the English models, \
         of which some have 127 and others 64; set the option 'max_relative_position'",
        path.display()
    )]
    UnknownMaxRelativePosition {
        /// The config.
        path: PathBuf,
    },
    /// The name of a shard is not the name of a file beside the index.
    #[error(
        "{}: names the shard '{shard}', expected the plain name of a file in the same folder; \
         don't trust this checkpoint",
        index.display()
    )]
    ShardOutside {
        /// The index.
        index: PathBuf,
        /// The name that was found.
        shard: String,
    },
    /// A shard is missing.
    #[error(
        "{}: names the shard '{shard}', which is missing beside it; download it too",
        index.display()
    )]
    MissingShard {
        /// The index.
        index: PathBuf,
        /// The shard's file name.
        shard: String,
    },
    /// The index and a shard disagree.
    #[error(
        "{}: disagrees with '{shard}' about tensor '{name}': {disagreement}; the files are of \
         different saves, download all of them again",
        index.display()
    )]
    ShardMismatch {
        /// The index.
        index: PathBuf,
        /// The shard's file name.
        shard: String,
        /// The tensor's name in the file.
        name: String,
        /// Which of the two has the tensor and which doesn't.
        disagreement: &'static str,
    },
    /// The pickle has an object that a state dict doesn't need.
    #[error(
        "{}: the pickle holds `{object}` besides tensors. It was not run; save the state dict \
         alone with torch.save(model.state_dict()), and don't load this file with Python unless \
         you trust where it is from",
        path.display()
    )]
    ForeignObject {
        /// The file.
        path: PathBuf,
        /// The module and name of the object.
        object: String,
    },
    /// The checkpoint doesn't have this weight.
    #[error("{}: no tensor '{name}' in this checkpoint", folder.display())]
    NoSuchWeight {
        /// The checkpoint's folder.
        folder: PathBuf,
        /// The canonical name that was asked for.
        name: String,
    },
    /// A file of labels has no labels that can be read.
    #[error(
        "{}: expected a label a line, or JSON with a list of labels or an object of labels by \
         number; {reason}",
        path.display()
    )]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The number of labels differs from the classifier's.
    #[error(
        "{}: {asked} labels were asked for, but the classifier of this checkpoint has {rows}, one \
         for each row of 'classifier.weight'",
        path.display()
    )]
    LabelCount {
        /// The config whose labels should be replaced.
        path: PathBuf,
        /// The number of labels that was asked for.
        asked: usize,
        /// The number of labels that the classifier has.
        rows: usize,
    },
}
