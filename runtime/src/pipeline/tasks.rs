//! One pipeline for each task. Each example runs on a checkpoint of this repository, exported to
//! the folder `out`.

use super::Pipeline;
use crate::task;

/// Computes one vector for a text.
///
/// ```
/// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
/// # let out = export("models/nezha-tiny-zh", "base")?;
/// use nezha_runtime::task::{EmbeddingOptions, Pooling};
/// use nezha_runtime::Embedding;
///
/// let options = EmbeddingOptions::default().pooling(Pooling::Mean).normalize(true);
/// let embedder = Embedding::builder().options(options).load(&out)?;
/// let vectors = embedder.run(["房间很干净", "房间很整洁", "总理会见首相"])?;
/// let cosine = |a: usize, b: usize| vectors[a].dot(&vectors[b]);
/// assert!(cosine(0, 1) > cosine(0, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Embedding = Pipeline<task::Embedding>;

/// Computes the vectors of a text's tokens.
///
/// ```
/// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
/// # let out = export("models/nezha-tiny-zh", "base")?;
/// use nezha_runtime::FeatureExtraction;
///
/// let extractor = FeatureExtraction::load(&out)?;
/// let vectors = extractor.run(["房间很干净"])?.remove(0);
/// // `[CLS]`, the five tokens of the text and `[SEP]`, each with a vector of the hidden size.
/// assert_eq!(vectors.nrows(), 7);
/// println!("{} numbers for each", vectors.ncols());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type FeatureExtraction = Pipeline<task::FeatureExtraction>;

/// Finds the words that fit the gaps of a text.
///
/// ```
/// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
/// # let out = export("models/nezha-tiny-zh", "masked-lm")?;
/// use nezha_runtime::task::FillMaskOptions;
/// use nezha_runtime::FillMask;
///
/// let options = FillMaskOptions::default().top_k(3);
/// let fill_mask = FillMask::builder().options(options).load(&out)?;
/// let gaps = fill_mask.run(["这家[MASK]店的服务态度很好。"])?.remove(0);
/// let best = &gaps[0][0];
/// assert_eq!(best.token_str, "酒");
/// println!("{} {:.4}", best.token_str, best.score); // 酒 0.9772
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type FillMask = Pipeline<task::FillMask>;

/// Chooses what fits a text best.
///
/// ```
/// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
/// # let out = export("tests/fixtures/text/multiple-choice", "multiple-choice")?;
/// use nezha_runtime::MultipleChoice;
///
/// let chooser = MultipleChoice::load(&out)?;
/// let answer = chooser.run([("房间很干净，服务热情，", ["下次还会住。", "老板姓李。"])])?.remove(0);
/// assert_eq!(answer.scores.len(), 2);
/// println!("choice {}: {:?}", answer.choice, answer.scores);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type MultipleChoice = Pipeline<task::MultipleChoice>;

/// Tells whether a text follows another.
///
/// ```
/// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
/// # let out = export("models/nezha-tiny-zh", "next-sentence")?;
/// use nezha_runtime::NextSentence;
///
/// let next_sentence = NextSentence::load(&out)?;
/// let answer = next_sentence.run([("这家酒店的位置很好。", "下次还会住。")])?.remove(0);
/// assert!((0.0..=1.0).contains(&answer.is_next));
/// println!("{:.4}", answer.is_next);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type NextSentence = Pipeline<task::NextSentence>;

/// Fills gaps and tells whether a text follows another, in one run of a pretrained model.
///
/// ```
/// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
/// # let out = export("models/nezha-tiny-zh", "pretraining")?;
/// use nezha_runtime::Pretraining;
///
/// let pretrained = Pretraining::load(&out)?;
/// let answer = pretrained.run([("这家[MASK]店很好。", "下次还会住。")])?.remove(0);
/// assert_eq!(answer.fills[0][0].token_str, "酒");
/// println!("followed by the second text: {:?}", answer.is_next);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Pretraining = Pipeline<task::Pretraining>;

/// Finds the span of a text that answers a question.
///
/// ```
/// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
/// # let out = export("tests/fixtures/text/question-answering", "question-answering")?;
/// use nezha_runtime::QuestionAnswering;
///
/// let oracle = QuestionAnswering::load(&out)?;
/// let context = "这家酒店在北京，房间很大，服务很好。";
/// let answer = oracle.run([("酒店在哪里？", context)])?.remove(0).remove(0);
/// // Positions are counted in characters.
/// let stretch: String = context.chars().take(answer.end).skip(answer.start).collect();
/// assert_eq!(answer.answer, stretch);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type QuestionAnswering = Pipeline<task::QuestionAnswering>;

/// Finds labelled spans of a text, which may be nested; for a head of your own.
pub type SpanClassification = Pipeline<task::SpanClassification>;

/// Classifies a text.
///
/// ```
/// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
/// # let out = export("models/nezha-tiny-zh-sentiment", "sequence-classification")?;
/// use nezha_runtime::TextClassification;
///
/// let classifier = TextClassification::load(&out)?;
/// let mut found = Vec::new();
/// // Reads ahead, answers in order, and goes on after an input with an error.
/// for answer in classifier.stream(["房间很干净，服务热情。", "客服不理人，后悔买了。"]) {
///     match answer {
///         Ok(labels) => found.push(labels[0].label.clone()),
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// assert_eq!(found, ["positive", "negative"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type TextClassification = Pipeline<task::TextClassification>;

/// Labels the words of a text, for example the names in it.
///
/// ```
/// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
/// # let out = export("models/nezha-tiny-zh-ner", "token-classification")?;
/// use nezha_runtime::task::{Aggregation, TokenClassificationOptions};
/// use nezha_runtime::TokenClassification;
///
/// let options = TokenClassificationOptions::default().aggregation(Aggregation::Simple);
/// let names = TokenClassification::builder().options(options).load(&out)?;
/// let entities = names.run(["国务院总理李鹏今天来了"])?.remove(0);
/// let found: Vec<&str> = entities.iter().map(|it| it.label.as_str()).collect();
/// assert_eq!(found, ["ORG", "PER"]);
/// assert_eq!((entities[1].start, entities[1].end), (5, 7)); // 李鹏
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type TokenClassification = Pipeline<task::TokenClassification>;

/// Labels each word of a text that is already split into words.
///
/// ```
/// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
/// # let out = export("models/nezha-tiny-zh-ner", "token-classification")?;
/// use nezha_runtime::WordClassification;
/// use nezha_runtime::task::Split;
///
/// let labeller = WordClassification::load(&out)?;
/// let words = labeller.run([Split::Characters.split("总理 李鹏")])?.remove(0);
/// assert_eq!(words.len(), 5);
/// assert_eq!(words[2].label, None); // a blank, which the model does not see
/// assert_eq!(words[3].label.as_deref(), Some("B-PER"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type WordClassification = Pipeline<task::WordClassification>;
