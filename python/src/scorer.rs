//! Record batches in, the same batches with answers out.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchIterator};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use nezha_score::{Asked, Cell, WINDOW};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::engine::{EngineRequest, request};
use crate::failure::{Class, Failure};
use crate::foreign::{self, arrow};
use crate::fork::{Reopened, detached};

/// A model that answers rows.
#[pyclass(frozen, module = "nezha_onnx._nezha")]
pub(crate) struct Scorer {
    scorer: Reopened<Box<dyn nezha_score::Scorer>>,
    columns: Vec<String>,
}

#[pymethods]
impl Scorer {
    /// `asked` is the task, or None for the one that the model was trained for; if `columns` is
    /// empty, the task's default columns are read.
    #[new]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        asked: Option<&Bound<'_, PyAny>>,
        columns: Vec<String>,
        engine: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let asked = match asked {
            Some(asked) => request(asked)?,
            None => Asked::of_model(&path).map_err(Failure::from)?,
        };
        let (choice, engine) = request::<EngineRequest>(engine)?.resolved()?;
        let columns = match columns.is_empty() {
            true => asked.default_columns(),
            false => columns,
        };
        let open = move || Ok(nezha_score::load(&path, &asked, &choice, &engine)?);
        Ok(Self {
            scorer: Reopened::new(py, open)?,
            columns,
        })
    }

    /// Scores the stream of an object with `__arrow_c_stream__`. Returns a capsule with the stream
    /// of the answers, behind the columns named in `keep`, or behind all columns without it.
    fn score<'py>(
        &self,
        py: Python<'py>,
        batches: &Bound<'py, PyAny>,
        keep: Option<Vec<String>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let scorer = self.scorer.get(py)?;
        let reader = foreign::batches(batches)?;
        let schema = arrow_array::RecordBatchReader::schema(&reader);
        let kept = kept(&schema, keep.as_deref())?;
        let schema = answered_schema(&schema, &kept, scorer.fields())?;
        let mut scored = Vec::new();
        for batch in reader {
            let batch = batch.map_err(|error| arrow(&error))?;
            let mut windows = Vec::new();
            for start in (0..batch.num_rows()).step_by(WINDOW) {
                let window = batch.slice(start, WINDOW.min(batch.num_rows() - start));
                let columns = detached(py, || {
                    Ok(scorer.score(&texts(&window, &self.columns)?)?.columns)
                });
                let given = kept.iter().map(|index| Arc::clone(window.column(*index)));
                let columns: Vec<ArrayRef> = given.chain(columns?).collect();
                let window = RecordBatch::try_new(Arc::clone(&schema), columns);
                windows.push(window.map_err(|error| arrow(&error))?);
                py.check_signals()?;
            }
            let whole = concat_batches(&schema, &windows);
            scored.push(whole.map_err(|error| arrow(&error))?);
        }
        let reader = RecordBatchIterator::new(scored.into_iter().map(Ok), schema);
        foreign::capsule(py, Box::new(reader))
    }

    /// The names and types of the answers' columns.
    fn fields(&self, py: Python<'_>) -> PyResult<Vec<(String, String)>> {
        let fields = self.scorer.get(py)?.fields();
        Ok(fields
            .iter()
            .map(|it| (it.name().clone(), it.data_type().to_string()))
            .collect())
    }

    /// The columns with text.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.columns.clone()
    }

    /// The engine, with its version and device.
    #[getter]
    fn engine(&self, py: Python<'_>) -> PyResult<String> {
        let scorer = self.scorer.get(py)?;
        Ok(scorer.session().engine().description().to_owned())
    }

    /// Frees the engine.
    fn close(&self, py: Python<'_>) {
        self.scorer.close(py);
    }
}

/// The columns to keep, by their indices.
fn kept(schema: &Schema, keep: Option<&[String]>) -> Result<Vec<usize>, Failure> {
    match keep {
        None => Ok((0..schema.fields().len()).collect()),
        Some(names) => names.iter().map(|name| column(schema, name)).collect(),
    }
}

fn column(schema: &Schema, name: &str) -> Result<usize, Failure> {
    schema.index_of(name).map_err(|_| {
        let found: Vec<&str> = schema
            .fields()
            .iter()
            .map(|it| it.name().as_str())
            .collect();
        let message = format!("no column '{name}', only {}", found.join(", "));
        Failure::new(Class::Input, message)
    })
}

fn answered_schema(
    schema: &Schema,
    kept: &[usize],
    answers: Vec<Field>,
) -> Result<SchemaRef, Failure> {
    let mut fields: Vec<Field> = kept.iter().map(|it| schema.field(*it).clone()).collect();
    for answer in answers {
        if fields.iter().any(|it| it.name() == answer.name()) {
            let message = format!(
                "the answers have a column '{}', as the rows have: rename it, or leave it out of \
                 what is kept",
                answer.name()
            );
            return Err(Failure::new(Class::Input, message));
        }
        fields.push(answer);
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The texts of some rows, for each text column.
fn texts(rows: &RecordBatch, columns: &[String]) -> Result<Vec<Vec<Cell>>, Failure> {
    let cells = |name: &String| {
        let array = rows.column(column(&rows.schema(), name)?);
        let owned = |text: Option<&str>| Ok(text.map(str::to_owned));
        Ok(match array.data_type() {
            DataType::Utf8 => array.as_string::<i32>().iter().map(owned).collect(),
            DataType::LargeUtf8 => array.as_string::<i64>().iter().map(owned).collect(),
            DataType::Utf8View => array.as_string_view().iter().map(owned).collect(),
            DataType::Null => vec![Ok(None); array.len()],
            other => {
                let message =
                    format!("column '{name}' holds {other}, expected text: cast it first");
                return Err(Failure::new(Class::Input, message));
            }
        })
    };
    columns.iter().map(cells).collect()
}
