//! For each task, the inputs that it reads and the columns of its answers.

use std::path::Path;

use arrow_array::ArrayRef;
use arrow_schema::{ArrowError, DataType, Field};
use ndarray::Array1;
use nezha_runtime::task::{
    Answer, Choice, Choices, Embedding, Entity, Fill, FillMask, Follows, MultipleChoice,
    NextSentence, Question, QuestionAnswering, ScoredLabel, Span, SpanClassification, Text,
    TextClassification, TokenClassification,
};
use nezha_runtime::{EngineChoice, EngineOptions};

use super::columns::{
    Columns, float, floats, item_field, list, lists, number, numbers, record, records,
    size_of_list, text, texts, vectors,
};
use super::{Asking, Scorer};
use crate::{Asked, ScoreError};

/// Opens the pipeline of the requested task.
pub(super) fn load(
    model: &Path,
    asked: &Asked,
    choice: &EngineChoice,
    engine: &EngineOptions,
) -> Result<Box<dyn Scorer>, ScoreError> {
    Ok(match asked {
        Asked::TextClassification(options) => {
            let asking = Asking::load(model, choice, engine, options, |pipeline| {
                Ok(match options.top_k {
                    Some(1) => Labels::Best,
                    Some(_) => Labels::Several,
                    None => Labels::All(pipeline.config().labels.clone()),
                })
            });
            Box::new(asking?)
        }
        Asked::TokenClassification(options) => {
            let asking: Asking<TokenClassification, _> =
                Asking::load(model, choice, engine, options, |_| Ok(Entities))?;
            Box::new(asking)
        }
        Asked::SpanClassification(options) => {
            let asking: Asking<SpanClassification, _> =
                Asking::load(model, choice, engine, options, |_| Ok(Spans))?;
            Box::new(asking)
        }
        Asked::QuestionAnswering(options) => {
            let asking: Asking<QuestionAnswering, _> =
                Asking::load(model, choice, engine, options, |_| Ok(Answers))?;
            Box::new(asking)
        }
        Asked::FillMask(options) => {
            let asking: Asking<FillMask, _> =
                Asking::load(model, choice, engine, options, |_| Ok(Fills))?;
            Box::new(asking)
        }
        Asked::FeatureExtraction(options) => {
            let asking = Asking::load(model, choice, engine, options, |pipeline| {
                // In a graph that pools, the vectors may differ in size from what the config says.
                let probe = pipeline.run(["。"])?;
                Ok(Vectors(probe.first().map_or(0, Array1::len)))
            });
            Box::new(asking?)
        }
        Asked::NextSentence(options) => {
            let asking: Asking<NextSentence, _> =
                Asking::load(model, choice, engine, options, |_| Ok(IsNext))?;
            Box::new(asking)
        }
        Asked::MultipleChoice(options) => {
            let asking: Asking<MultipleChoice, _> =
                Asking::load(model, choice, engine, options, |_| Ok(Chosen))?;
            Box::new(asking)
        }
    })
}

/// A text, or a pair if there are two.
fn one_or_two(parts: Vec<Option<String>>) -> Option<Text> {
    let mut parts = parts.into_iter();
    let text = parts.next()??;
    let pair = parts.next().flatten();
    Some(Text { text, pair })
}

/// Two texts, if both are there.
fn two(parts: Vec<Option<String>>) -> Option<(String, String)> {
    let mut parts = parts.into_iter();
    Some((parts.next()??, parts.next()??))
}

/// The best label, several of the best, or a score for each label in the model's order.
enum Labels {
    Best,
    Several,
    All(Vec<String>),
}

impl Columns<TextClassification> for Labels {
    fn question(texts: Vec<Option<String>>) -> Option<Text> {
        one_or_two(texts)
    }

    fn fields(&self) -> Vec<Field> {
        match self {
            Labels::Best => vec![text("label"), float("score")],
            Labels::Several => vec![list("labels", record(vec![text("label"), float("score")]))],
            Labels::All(labels) => {
                let fields = labels.iter().map(|label| float(label)).collect();
                vec![Field::new("scores", record(fields), true)]
            }
        }
    }

    fn arrays(&self, answers: &[Option<Vec<ScoredLabel>>]) -> Result<Vec<ArrayRef>, ArrowError> {
        let best = || answers.iter().map(|it| it.as_ref()?.first());
        let every = || answers.iter().flatten().flatten();
        Ok(match self {
            Labels::Best => vec![
                texts(best().map(|it| Some(it?.label.as_str()))),
                floats(best().map(|it| Some(it?.score))),
            ],
            Labels::Several => {
                let items = records(
                    vec![text("label"), float("score")],
                    vec![
                        texts(every().map(|it| Some(it.label.as_str()))),
                        floats(every().map(|it| Some(it.score))),
                    ],
                )?;
                vec![lists(lengths(answers), items)?]
            }
            Labels::All(labels) => {
                let score = |answer: &Option<Vec<ScoredLabel>>, label: &str| {
                    let mut scores = answer.as_ref()?.iter();
                    scores.find(|it| it.label == label).map(|it| it.score)
                };
                let column =
                    |label: &String| floats(answers.iter().map(|answer| score(answer, label)));
                vec![records(
                    labels.iter().map(|label| float(label)).collect(),
                    labels.iter().map(column).collect(),
                )?]
            }
        })
    }
}

/// The number of items in each answer.
fn lengths<A>(answers: &[Option<Vec<A>>]) -> impl Iterator<Item = Option<usize>> {
    answers.iter().map(|it| it.as_ref().map(Vec::len))
}

struct Entities;

impl Entities {
    fn parts() -> Vec<Field> {
        vec![
            text("label"),
            float("score"),
            text("word"),
            text("text"),
            number("start"),
            number("end"),
        ]
    }
}

impl Columns<TokenClassification> for Entities {
    fn question(texts: Vec<Option<String>>) -> Option<Text> {
        one_or_two(texts)
    }

    fn fields(&self) -> Vec<Field> {
        vec![list("entities", record(Self::parts()))]
    }

    fn arrays(&self, answers: &[Option<Vec<Entity>>]) -> Result<Vec<ArrayRef>, ArrowError> {
        let every = || answers.iter().flatten().flatten();
        let columns = vec![
            texts(every().map(|it| Some(it.label.as_str()))),
            floats(every().map(|it| Some(it.score))),
            texts(every().map(|it| Some(it.word.as_str()))),
            texts(every().map(|it| Some(it.text.as_str()))),
            numbers(every().map(|it| Some(it.start))),
            numbers(every().map(|it| Some(it.end))),
        ];
        let items = records(Self::parts(), columns)?;
        Ok(vec![lists(lengths(answers), items)?])
    }
}

struct Spans;

impl Spans {
    fn parts() -> Vec<Field> {
        vec![
            text("label"),
            float("score"),
            text("text"),
            number("start"),
            number("end"),
        ]
    }
}

impl Columns<SpanClassification> for Spans {
    fn question(texts: Vec<Option<String>>) -> Option<Text> {
        one_or_two(texts)
    }

    fn fields(&self) -> Vec<Field> {
        vec![list("spans", record(Self::parts()))]
    }

    fn arrays(&self, answers: &[Option<Vec<Span>>]) -> Result<Vec<ArrayRef>, ArrowError> {
        let every = || answers.iter().flatten().flatten();
        let columns = vec![
            texts(every().map(|it| Some(it.label.as_str()))),
            floats(every().map(|it| Some(it.score))),
            texts(every().map(|it| Some(it.text.as_str()))),
            numbers(every().map(|it| Some(it.start))),
            numbers(every().map(|it| Some(it.end))),
        ];
        let items = records(Self::parts(), columns)?;
        Ok(vec![lists(lengths(answers), items)?])
    }
}

struct Answers;

impl Answers {
    fn parts() -> Vec<Field> {
        vec![
            text("answer"),
            float("score"),
            number("start"),
            number("end"),
        ]
    }
}

impl Columns<QuestionAnswering> for Answers {
    fn question(texts: Vec<Option<String>>) -> Option<Question> {
        two(texts).map(Question::from)
    }

    fn fields(&self) -> Vec<Field> {
        vec![list("answers", record(Self::parts()))]
    }

    fn arrays(&self, answers: &[Option<Vec<Answer>>]) -> Result<Vec<ArrayRef>, ArrowError> {
        let every = || answers.iter().flatten().flatten();
        let columns = vec![
            texts(every().map(|it| Some(it.answer.as_str()))),
            floats(every().map(|it| Some(it.score))),
            numbers(every().map(|it| Some(it.start))),
            numbers(every().map(|it| Some(it.end))),
        ];
        let items = records(Self::parts(), columns)?;
        Ok(vec![lists(lengths(answers), items)?])
    }
}

struct Fills;

impl Fills {
    fn parts() -> Vec<Field> {
        vec![number("token"), text("token_str"), float("score")]
    }
}

impl Columns<FillMask> for Fills {
    fn question(texts: Vec<Option<String>>) -> Option<Text> {
        one_or_two(texts)
    }

    /// For each gap of the text, a list of fills, the best first.
    fn fields(&self) -> Vec<Field> {
        let of_gap = DataType::List(item_field(record(Self::parts())));
        vec![list("fills", of_gap)]
    }

    fn arrays(&self, answers: &[Option<Vec<Vec<Fill>>>]) -> Result<Vec<ArrayRef>, ArrowError> {
        let gaps = || answers.iter().flatten().flatten();
        let every = || gaps().flatten();
        let columns = vec![
            numbers(every().map(|it| Some(it.token as usize))),
            texts(every().map(|it| Some(it.token_str.as_str()))),
            floats(every().map(|it| Some(it.score))),
        ];
        let items = records(Self::parts(), columns)?;
        let of_gaps = lists(gaps().map(|gap| Some(gap.len())), items)?;
        Ok(vec![lists(lengths(answers), of_gaps)?])
    }
}

/// Vectors of this size.
struct Vectors(usize);

impl Columns<Embedding> for Vectors {
    fn question(texts: Vec<Option<String>>) -> Option<Text> {
        one_or_two(texts)
    }

    fn fields(&self) -> Vec<Field> {
        let size = size_of_list(self.0);
        let vector = DataType::FixedSizeList(item_field(DataType::Float32), size);
        vec![Field::new("embedding", vector, true)]
    }

    fn arrays(&self, answers: &[Option<Array1<f32>>]) -> Result<Vec<ArrayRef>, ArrowError> {
        let rows = answers.iter().map(|it| it.as_ref()?.as_slice());
        Ok(vec![vectors(self.0, rows)?])
    }
}

struct IsNext;

impl Columns<NextSentence> for IsNext {
    fn question(texts: Vec<Option<String>>) -> Option<Text> {
        two(texts).map(Text::from)
    }

    fn fields(&self) -> Vec<Field> {
        vec![float("is_next")]
    }

    fn arrays(&self, answers: &[Option<Follows>]) -> Result<Vec<ArrayRef>, ArrowError> {
        let scores = answers.iter().map(|it| Some(it.as_ref()?.is_next));
        Ok(vec![floats(scores)])
    }
}

struct Chosen;

impl Columns<MultipleChoice> for Chosen {
    fn question(texts: Vec<Option<String>>) -> Option<Choices> {
        let mut texts = texts.into_iter();
        let text = texts.next()??;
        let choices: Option<Vec<String>> = texts.collect();
        Some(Choices::from((text, choices?)))
    }

    fn fields(&self) -> Vec<Field> {
        vec![number("choice"), list("scores", DataType::Float32)]
    }

    fn arrays(&self, answers: &[Option<Choice>]) -> Result<Vec<ArrayRef>, ArrowError> {
        let every = || answers.iter().flatten().flat_map(|it| &it.scores);
        let lengths = answers.iter().map(|it| Some(it.as_ref()?.scores.len()));
        Ok(vec![
            numbers(answers.iter().map(|it| Some(it.as_ref()?.choice))),
            lists(lengths, floats(every().map(|it| Some(*it))))?,
        ])
    }
}
