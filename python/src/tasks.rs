//! The inputs and answers of each task, in the form of transformers' pipelines.

use ndarray::{Array1, Array2};
use nezha_runtime::task::{
    self, Answer, Choice, Choices, Entity, Fill, Follows, LabelledWord, Pretrained, Question,
    ScoredLabel, Span, Task, Text, Words,
};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::split::Split;

/// A task that Python can run.
pub(crate) trait PythonTask: Task {
    /// Reads the input from an object that the package has built.
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Self::Input>;

    /// Converts the answer to Python's objects.
    fn answer(py: Python<'_>, answer: Self::Answer) -> PyResult<Bound<'_, PyAny>>;
}

/// A text, or a tuple of two.
fn text(object: &Bound<'_, PyAny>) -> PyResult<Text> {
    if let Ok(text) = object.extract::<String>() {
        return Ok(Text { text, pair: None });
    }
    let (text, pair) = object.extract()?;
    Ok(Text { text, pair })
}

fn dict<'py, const N: usize>(
    py: Python<'py>,
    items: [(&Bound<'py, pyo3::types::PyString>, Bound<'py, PyAny>); N],
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in items {
        dict.set_item(key, value)?;
    }
    Ok(dict)
}

/// A dictionary of these keys and values, in this order.
macro_rules! dict {
    ($py:expr, $($key:ident: $value:expr),+) => {
        dict($py, [$((
            pyo3::intern!($py, stringify!($key)),
            $value.into_pyobject($py)?.into_any(),
        )),+])
    };
}

fn list<'py, A>(
    py: Python<'py>,
    answers: Vec<A>,
    each: impl Fn(Python<'py>, A) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let list = PyList::empty(py);
    for answer in answers {
        list.append(each(py, answer)?)?;
    }
    Ok(list.into_any())
}

fn label(py: Python<'_>, it: ScoredLabel) -> PyResult<Bound<'_, PyAny>> {
    Ok(dict!(py, label: it.label, score: it.score)?.into_any())
}

/// Single tokens have an index; joined tokens don't.
fn entity(py: Python<'_>, it: Entity) -> PyResult<Bound<'_, PyAny>> {
    let entity = match it.index {
        Some(index) => dict!(
            py, entity: it.label, score: it.score, index: index, word: it.word, start: it.start, end: it.end
        ),
        None => dict!(
            py, entity_group: it.label, score: it.score, word: it.word, start: it.start, end: it.end
        ),
    };
    Ok(entity?.into_any())
}

fn fill(py: Python<'_>, it: Fill) -> PyResult<Bound<'_, PyAny>> {
    let fill = dict!(
        py, score: it.score, token: it.token, token_str: it.token_str, sequence: it.sequence
    );
    Ok(fill?.into_any())
}

fn fills(py: Python<'_>, gaps: Vec<Vec<Fill>>) -> PyResult<Bound<'_, PyAny>> {
    list(py, gaps, |py, gap| list(py, gap, fill))
}

fn stretch(py: Python<'_>, it: Answer) -> PyResult<Bound<'_, PyAny>> {
    let answer = dict!(py, score: it.score, start: it.start, end: it.end, answer: it.answer);
    Ok(answer?.into_any())
}

fn span(py: Python<'_>, it: Span) -> PyResult<Bound<'_, PyAny>> {
    let span = dict!(
        py, label: it.label, score: it.score, start: it.start, end: it.end, text: it.text
    );
    Ok(span?.into_any())
}

fn word(py: Python<'_>, it: LabelledWord) -> PyResult<Bound<'_, PyAny>> {
    let word = dict!(
        py, word: it.word, label: it.label, score: it.score, start: it.start, end: it.end
    );
    Ok(word?.into_any())
}

impl PythonTask for task::TextClassification {
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Text> {
        text(object)
    }

    fn answer(py: Python<'_>, answer: Vec<ScoredLabel>) -> PyResult<Bound<'_, PyAny>> {
        list(py, answer, label)
    }
}

impl PythonTask for task::TokenClassification {
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Text> {
        text(object)
    }

    fn answer(py: Python<'_>, answer: Vec<Entity>) -> PyResult<Bound<'_, PyAny>> {
        list(py, answer, entity)
    }
}

impl PythonTask for task::SpanClassification {
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Text> {
        text(object)
    }

    fn answer(py: Python<'_>, answer: Vec<Span>) -> PyResult<Bound<'_, PyAny>> {
        list(py, answer, span)
    }
}

impl PythonTask for task::WordClassification {
    /// A list of words, or a text and the way to split it.
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Words> {
        if let Ok(words) = object.cast::<PyList>() {
            let words: Vec<String> = words.extract()?;
            return Ok(Words::from_iter(words));
        }
        let (text, split): (String, PyRef<'_, Split>) = object.extract()?;
        Ok(split.split(&text))
    }

    fn answer(py: Python<'_>, answer: Vec<LabelledWord>) -> PyResult<Bound<'_, PyAny>> {
        list(py, answer, word)
    }
}

impl PythonTask for task::FillMask {
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Text> {
        text(object)
    }

    fn answer(py: Python<'_>, answer: Vec<Vec<Fill>>) -> PyResult<Bound<'_, PyAny>> {
        fills(py, answer)
    }
}

impl PythonTask for task::QuestionAnswering {
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Question> {
        let (question, context) = object.extract()?;
        Ok(Question { question, context })
    }

    fn answer(py: Python<'_>, answer: Vec<Answer>) -> PyResult<Bound<'_, PyAny>> {
        list(py, answer, stretch)
    }
}

impl PythonTask for task::FeatureExtraction {
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Text> {
        text(object)
    }

    fn answer(py: Python<'_>, answer: Array2<f32>) -> PyResult<Bound<'_, PyAny>> {
        Ok(answer.into_pyarray(py).into_any())
    }
}

impl PythonTask for task::Embedding {
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Text> {
        text(object)
    }

    fn answer(py: Python<'_>, answer: Array1<f32>) -> PyResult<Bound<'_, PyAny>> {
        Ok(answer.into_pyarray(py).into_any())
    }
}

impl PythonTask for task::MultipleChoice {
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Choices> {
        let (text, choices) = object.extract()?;
        Ok(Choices { text, choices })
    }

    fn answer(py: Python<'_>, answer: Choice) -> PyResult<Bound<'_, PyAny>> {
        Ok(dict!(py, choice: answer.choice, scores: answer.scores)?.into_any())
    }
}

impl PythonTask for task::NextSentence {
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Text> {
        text(object)
    }

    fn answer(py: Python<'_>, answer: Follows) -> PyResult<Bound<'_, PyAny>> {
        Ok(dict!(py, is_next: answer.is_next)?.into_any())
    }
}

impl PythonTask for task::Pretraining {
    fn input(object: &Bound<'_, PyAny>) -> PyResult<Text> {
        text(object)
    }

    fn answer(py: Python<'_>, answer: Pretrained) -> PyResult<Bound<'_, PyAny>> {
        let fills = fills(py, answer.fills)?;
        Ok(dict!(py, fills: fills, is_next: answer.is_next)?.into_any())
    }
}
