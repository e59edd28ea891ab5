//! Continues texts: text in, text out.

use std::path::Path;

use nezha_graphs::{Artifact, Head, Role, is_packed};

use super::{Decoder, DecoderError, Finish, Generated, GenerationOptions, Prompt};
use crate::builder::Start;
use crate::pipeline::{PipelineError, model_error, model_path, part};
use crate::task::check_ids;
use crate::{Model, Session, Tokenizer, TokenizerError};

/// The heads that generate.
const HEADS: &[Head] = &[Head::MaskedLm];

/// Continues texts with the masked-lm head of a decoder.
///
/// ```no_run
/// use nezha_runtime::{GenerationOptions, TextGeneration};
///
/// let generation = TextGeneration::load("out")?;
/// for text in generation.texts(&["今天天气"], &GenerationOptions::default())? {
///     println!("{}", text.text);
/// }
/// # Ok::<(), nezha_runtime::DecoderError>(())
/// ```
#[derive(Debug)]
pub struct TextGeneration {
    session: Session,
    tokenizer: Option<Tokenizer>,
}

/// Builds a [`TextGeneration`]; [`TextGeneration::builder`] makes one.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TextGenerationBuilder {
    start: Start,
}

impl TextGenerationBuilder {
    start_setters!();

    /// Opens a model, as [`TextGeneration::load`] does.
    ///
    /// # Errors
    /// [`DecoderError::Pipeline`] if there is no such model; [`DecoderError::NoCache`],
    /// [`DecoderError::Tokenizer`], [`DecoderError::Session`].
    pub fn load(self, path: impl AsRef<Path>) -> Result<TextGeneration, DecoderError> {
        TextGeneration::open(path.as_ref(), self.start)
    }

    /// Like [`load`](Self::load), for an artifact, such as one that is embedded in the program.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn load_artifact(self, artifact: &Artifact) -> Result<TextGeneration, DecoderError> {
        TextGeneration::open_artifact(artifact, self.start)
    }
}

/// A generated text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GeneratedText {
    /// What follows the prompt, without special tokens.
    pub text: String,
    /// The new tokens, including the one that ended the text.
    pub ids: Vec<u32>,
    /// The logarithm of their probability, given the prompt.
    pub log_probability: f64,
    /// Why the text ended.
    pub finish: Finish,
}

impl TextGeneration {
    /// Opens a model, with the tokenizer beside it if there is one, in the first engine of
    /// [`EngineChoice::Auto`](crate::EngineChoice::Auto) that starts. Use
    /// [`builder`](Self::builder) for another engine.
    ///
    /// `path` is a folder with a decoder that was exported with the option `kv_cache`
    /// (`model.onnx`, or `masked-lm.onnx` if the folder holds several heads), or the `.onnx` file
    /// itself.
    ///
    /// # Errors
    /// Those of [`TextGenerationBuilder::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, DecoderError> {
        Self::builder().load(path)
    }

    /// Builds a [`TextGeneration`] in another engine, or with other options.
    pub fn builder() -> TextGenerationBuilder {
        TextGenerationBuilder::default()
    }

    fn open(path: &Path, start: Start) -> Result<Self, DecoderError> {
        if is_packed(path) {
            let artifact = Artifact::open(path).map_err(model_error)?;
            return Self::open_artifact(&artifact, start);
        }
        let path = model_path(path, HEADS)?;
        let artifact = Artifact::in_folder(path.parent().unwrap_or(Path::new("")));
        let model = Model::open(&path).map_err(model_error)?;
        Self::new(&artifact, &model, start)
    }

    fn open_artifact(artifact: &Artifact, start: Start) -> Result<Self, DecoderError> {
        if !artifact.is_in_memory() {
            return Self::open(artifact.origin(), start);
        }
        let model = part(artifact, HEADS)?;
        Self::new(artifact, &model, start)
    }

    fn new(artifact: &Artifact, model: &Model, start: Start) -> Result<Self, DecoderError> {
        let tokenizer = match Tokenizer::from_artifact(artifact) {
            Ok(tokenizer) => Some(tokenizer),
            Err(TokenizerError::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let session = start.session(model)?;
        match session.metadata().map(|it| it.head) {
            Some(found) if !HEADS.contains(&found) => Err(PipelineError::Head {
                path: model.path().to_owned(),
                task: "text-generation",
                expected: HEADS,
                found,
            }
            .into()),
            _ => {
                Decoder::new(&session)?;
                Ok(Self { session, tokenizer })
            }
        }
    }

    /// The model in its engine.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Continues texts, each as one batch row: `[CLS]` and the text's tokens are the prompt, and
    /// [`GenerationOptions::eos`] is `[SEP]` if not set.
    ///
    /// # Errors
    /// [`DecoderError::NoTokenizer`], [`DecoderError::Tokenizer`], and those of
    /// [`Decoder::generate`].
    pub fn texts(
        &self,
        texts: &[impl AsRef<str>],
        options: &GenerationOptions,
    ) -> Result<Vec<GeneratedText>, DecoderError> {
        let tokenizer = self.tokenizer.as_ref().ok_or(DecoderError::NoTokenizer)?;
        let prompt = |text: &str| -> Result<Prompt, DecoderError> {
            let ids = [vec![tokenizer.class_id()], tokenizer.ids(text)?].concat();
            Ok(Prompt::new(ids))
        };
        let prompts = texts.iter().map(|it| prompt(it.as_ref()));
        self.generated(&prompts.collect::<Result<Vec<_>, _>>()?, options)
    }

    /// The texts that follow prompts of the tokenizer's tokens.
    fn generated(
        &self,
        prompts: &[Prompt],
        options: &GenerationOptions,
    ) -> Result<Vec<GeneratedText>, DecoderError> {
        let tokenizer = self.tokenizer.as_ref().ok_or(DecoderError::NoTokenizer)?;
        if let Some(config) = self.session.config() {
            let ids = prompts.iter().flat_map(Prompt::ids);
            check_ids(tokenizer, config.vocab_size, ids).map_err(PipelineError::from)?;
        }
        let eos = options.eos.clone();
        let options = GenerationOptions {
            eos: eos.or_else(|| Some(vec![tokenizer.separator_id()])),
            ..options.clone()
        };
        let generated = self.ids(prompts, &options)?;
        let read = |it: Generated| {
            Ok(GeneratedText {
                text: tokenizer.decode(&it.ids, true)?,
                ids: it.ids,
                log_probability: it.log_probability,
                finish: it.finish,
            })
        };
        generated.into_iter().map(read).collect()
    }

    /// Generates the next turn of each dialogue. A dialogue is given as all its turns from the
    /// first on; the token types of the turns alternate, as in [`Prompt::dialogue`]. The new turn
    /// ends as a text of [`texts`](Self::texts) does.
    ///
    /// # Errors
    /// Those of [`texts`](Self::texts); [`DecoderError::OneTokenType`] if the model has only one
    /// token type.
    pub fn dialogues<T: AsRef<str>>(
        &self,
        dialogues: &[Vec<T>],
        options: &GenerationOptions,
    ) -> Result<Vec<GeneratedText>, DecoderError> {
        let tokenizer = self.tokenizer.as_ref().ok_or(DecoderError::NoTokenizer)?;
        let types = self.session.config().map_or(2, |it| it.type_vocab_size);
        if types < 2
            || self
                .session
                .signature()
                .input_of(Role::TokenTypes)
                .is_none()
        {
            return Err(DecoderError::OneTokenType);
        }
        let prompt = |turns: &Vec<T>| -> Result<Prompt, DecoderError> {
            let turns = turns.iter().map(|it| tokenizer.ids(it.as_ref()));
            let turns: Vec<Vec<u32>> = turns.collect::<Result<_, _>>()?;
            let (first, last) = (tokenizer.class_id(), tokenizer.separator_id());
            Ok(Prompt::dialogue(first, &turns, last))
        };
        let prompts = dialogues.iter().map(prompt);
        self.generated(&prompts.collect::<Result<Vec<_>, _>>()?, options)
    }

    /// Continues prompts or token ids; see [`Decoder::generate`].
    ///
    /// # Errors
    /// Those of [`Decoder::generate`].
    pub fn ids(
        &self,
        prompts: &[impl Clone + Into<Prompt>],
        options: &GenerationOptions,
    ) -> Result<Vec<Generated>, DecoderError> {
        Decoder::new(&self.session)?.generate(prompts, options)
    }
}
