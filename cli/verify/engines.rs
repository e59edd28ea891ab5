//! An artifact's answers in each engine, against the reference's.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ndarray::{ArrayD, Axis, Slice};
use nezha_exporter::checkpoint::Checkpoint;
use nezha_exporter::reference::{self, Inputs, Outputs, Reference};
use nezha_exporter::verify::Verified;
use nezha_graphs::{DType, Port, axes};
use nezha_runtime::{
    EngineChoice, EngineError, EngineKind, EngineOptions, Session, SessionError, Tensor, Tensors,
};
use serde::Serialize;

use super::cases::{Case, cases};
use super::tolerance::tolerance;

/// What comparing one engine found.
#[derive(Serialize)]
pub struct EngineReport {
    /// Its name on the command line.
    pub engine: &'static str,
    /// What computed: name, version, device; why it doesn't run, where it is not there.
    pub description: String,
    /// Whether it could be asked.
    pub available: bool,
    /// How far it may be off, as a share of the largest magnitude in a tensor.
    pub tolerance: f64,
    /// What it was asked.
    pub cases: Vec<CaseReport>,
    /// The questions that were not asked, and why.
    pub left_out: Vec<String>,
}

/// How one question was answered.
#[derive(Serialize)]
pub struct CaseReport {
    /// What is special about it.
    pub name: &'static str,
    /// Texts.
    pub batch: usize,
    /// Tokens of each.
    pub sequence: usize,
    /// The output that is furthest off.
    pub output: String,
    /// How far, as a share of the largest magnitude in it; null where no number says.
    pub error: Option<f64>,
    /// What went wrong, where no answer came.
    pub failure: Option<String>,
    /// Whether all is within the tolerance.
    pub passed: bool,
}

impl EngineReport {
    /// Whether every answer was right.
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|it| it.passed)
    }

    /// The worst error of all cases that have one.
    pub fn worst(&self) -> Option<f64> {
        self.cases.iter().filter_map(|it| it.error).reduce(f64::max)
    }
}

/// An engine that is asked.
struct Asked {
    session: Session,
    report: EngineReport,
}

/// Asks the engines of `named`, each of which has to start, or those that there are.
pub fn compare(
    model: &Path,
    checkpoint: &Checkpoint,
    verified: &Verified,
    named: &[EngineKind],
    options: &EngineOptions,
) -> Result<Vec<EngineReport>> {
    let kinds = match named {
        [] => &[EngineKind::OrtCpu, EngineKind::Tract],
        named => named,
    };
    let (mut asked, mut absent) = (Vec::new(), Vec::new());
    for &kind in kinds {
        match Session::load(model, &EngineChoice::Only(kind), options) {
            Ok(session) => asked.push(Asked {
                report: report(kind, session.engine().description(), true),
                session,
            }),
            Err(SessionError::Engine(error)) if named.is_empty() && is_absent(&error) => {
                absent.push(report(kind, &error.to_string(), false));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if asked.is_empty() {
        bail!("no engine is there to verify with: {}", reasons(&absent));
    }
    let graph = &verified.metadata.options;
    let (cases, left_out) = cases(checkpoint.config(), verified.head(), graph);
    let reference = Reference::load(checkpoint)?;
    for case in &cases {
        let expected = reference
            .run_graph(verified.head(), graph, &case.inputs)
            .with_context(|| format!("the reference, {}", case.name))?;
        for asked in &mut asked {
            asked.ask(case, &expected, graph.kv_cache);
        }
    }
    let asked = asked.into_iter().map(|it| EngineReport {
        left_out: left_out.clone(),
        ..it.report
    });
    Ok(asked.chain(absent).collect())
}

fn report(kind: EngineKind, description: &str, available: bool) -> EngineReport {
    EngineReport {
        engine: kind.name(),
        description: description.to_owned(),
        available,
        tolerance: tolerance(kind),
        cases: Vec::new(),
        left_out: Vec::new(),
    }
}

/// Whether an engine is not on this machine, rather than unable to run the model.
fn is_absent(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Library { .. } | EngineError::NotBuilt { .. }
    )
}

fn reasons(absent: &[EngineReport]) -> String {
    let reasons = absent.iter().map(|it| it.description.as_str());
    reasons.collect::<Vec<_>>().join("; ")
}

impl Asked {
    fn ask(&mut self, case: &Case, expected: &Outputs, cached: bool) {
        let answered = match cached {
            true => in_two_steps(&self.session, case, expected),
            false => at_once(&self.session, case, expected),
        };
        let (worst, failure) = match answered {
            Ok(worst) => (worst, None),
            Err(error) => (Worst::default(), Some(error.to_string())),
        };
        self.report.cases.push(CaseReport {
            name: case.name,
            batch: case.batch,
            sequence: case.sequence,
            passed: failure.is_none() && worst.error <= self.report.tolerance,
            error: (failure.is_none() && worst.error.is_finite()).then_some(worst.error),
            output: worst.output,
            failure,
        });
    }
}

/// The output that is furthest off.
#[derive(Default)]
struct Worst {
    output: String,
    error: f64,
}

impl Worst {
    fn add(&mut self, output: &str, error: f64) {
        if self.output.is_empty() || error > self.error {
            self.output = output.to_owned();
            self.error = error;
        }
    }
}

fn at_once(session: &Session, case: &Case, expected: &Outputs) -> Result<Worst> {
    let found = session.run(tensors(&case.inputs))?;
    let mut worst = Worst::default();
    for port in &session.signature().outputs {
        worst.add(&port.name, difference(port, expected, &found)?);
    }
    Ok(worst)
}

/// The texts in two steps through the cache, each compared with its part of the whole.
fn in_two_steps(session: &Session, case: &Case, expected: &Outputs) -> Result<Worst> {
    let mut worst = Worst::default();
    let middle = case.sequence.div_ceil(2);
    let steps = [(0, middle), (middle, case.sequence)];
    let mut past = Tensors::default();
    for (from, to) in steps.into_iter().filter(|(from, to)| from < to) {
        let mut inputs = tensors(&step(&case.inputs, from, to));
        for (name, tensor) in past {
            inputs.insert(name.replace("present.", "past_key_values."), tensor);
        }
        let mut found = session.run(inputs)?;
        for port in &session.signature().outputs {
            if !port.name.starts_with("present.") {
                let expected = rows(port, expected, from, to)?;
                worst.add(&port.name, difference(port, &expected, &found)?);
            }
        }
        past = Tensors::default();
        for port in &session.signature().outputs {
            if port.name.starts_with("present.")
                && let Some(tensor) = found.remove(&port.name)
            {
                past.insert(port.name.as_str(), tensor);
            }
        }
    }
    Ok(worst)
}

/// The inputs of the step that brings the tokens `from..to`: masks span what came before too, and the
/// encoder's hidden states come once.
fn step(inputs: &Inputs, from: usize, to: usize) -> Inputs {
    let cut = |tensor: &reference::Tensor, from: usize, to: usize| match tensor {
        reference::Tensor::I64(array) => slice(array, 1, from, to).into(),
        reference::Tensor::F64(array) => slice(array, 1, from, to).into(),
    };
    let parts = inputs.iter().filter_map(|(name, tensor)| {
        let part = match name.as_str() {
            "attention_mask" => cut(tensor, 0, to),
            "head_mask" | "encoder_attention_mask" => tensor.clone(),
            "encoder_hidden_states" if from > 0 => return None,
            "encoder_hidden_states" => tensor.clone(),
            _ => cut(tensor, from, to),
        };
        Some((name.clone(), part))
    });
    parts.collect()
}

fn slice<T: Clone>(array: &ArrayD<T>, axis: usize, from: usize, to: usize) -> ArrayD<T> {
    array
        .slice_axis(Axis(axis), Slice::from(from..to))
        .to_owned()
}

/// The rows of the tokens `from..to` of the output `port`; what a step attends to ends with them.
fn rows(port: &Port, expected: &Outputs, from: usize, to: usize) -> Result<Outputs> {
    let mut array = output(port, expected)?.clone();
    for (axis, dim) in port.shape.iter().enumerate() {
        let is = |name: &str| dim.as_symbol() == Some(name);
        let is_keys = port.name.starts_with("attentions.") && axis == 3;
        if is(axes::SEQUENCE) {
            array = slice(&array, axis, from, to);
        } else if is_keys {
            array = slice(&array, axis, 0, to);
        }
    }
    Ok(Outputs::from([(port.name.clone(), array)]))
}

fn output<'o>(port: &Port, expected: &'o Outputs) -> Result<&'o ArrayD<f64>> {
    expected
        .get(&port.name)
        .with_context(|| format!("the reference has no output '{}'", port.name))
}

/// How far an output is off, as a share of the largest magnitude that it should have, and a loss of
/// at least 1; infinite where it has another shape, or a number that is none.
fn difference(port: &Port, expected: &Outputs, found: &Tensors) -> Result<f64> {
    if port.dtype == DType::I64 {
        return ids_difference(port, expected, found);
    }
    let expected = output(port, expected)?;
    let found = found.array::<f32>(&port.name)?;
    if expected.shape() != found.shape() {
        return Ok(f64::INFINITY);
    }
    let largest = expected.fold(0.0, |largest: f64, it| largest.max(it.abs()));
    let worst = expected.iter().zip(found).map(|(expected, found)| {
        let difference = (f64::from(*found) - expected).abs();
        // A loss of labels that are all ignored is 0/0.
        match difference.is_nan() {
            true if expected.is_nan() && found.is_nan() => 0.0,
            true => f64::INFINITY,
            false => difference,
        }
    });
    // A loss is small where logits and labels are close, and no more exact than they are.
    let least = match port.name.as_str() {
        "loss" => 1.0,
        _ => f64::MIN_POSITIVE,
    };
    Ok(worst.fold(0.0, f64::max) / largest.max(least))
}

/// How far the probabilities of the ids that were found are from the best ones: engines may put two
/// tokens in either order that are all but equally probable.
fn ids_difference(port: &Port, expected: &Outputs, found: &Tensors) -> Result<f64> {
    let found = found.array::<i64>(&port.name)?;
    let [probabilities, best] = ["probabilities", "top_probabilities"].map(|it| expected.get(it));
    let (probabilities, best) = probabilities
        .zip(best)
        .with_context(|| format!("the reference has no output '{}'", port.name))?;
    if best.shape() != found.shape() {
        return Ok(f64::INFINITY);
    }
    let last = Axis(best.ndim().saturating_sub(1));
    let rows = probabilities.lanes(last).into_iter();
    let rows = rows.zip(best.lanes(last)).zip(found.lanes(last));
    let mut worst: f64 = 0.0;
    for ((probabilities, best), ids) in rows {
        for (best, id) in best.iter().zip(ids) {
            let found = usize::try_from(*id)
                .ok()
                .and_then(|id| probabilities.get(id));
            worst = worst.max(found.map_or(f64::INFINITY, |found| (best - found).abs()));
        }
    }
    Ok(worst)
}

/// The reference's inputs, as the runtime takes them.
fn tensors(inputs: &Inputs) -> Tensors {
    let tensors = inputs.iter().map(|(name, tensor)| {
        let tensor: Tensor = match tensor {
            reference::Tensor::I64(array) => array.clone().into(),
            reference::Tensor::F64(array) => array.mapv(|it| it as f32).into(),
        };
        (name.as_str(), tensor)
    });
    tensors.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ndarray::arr1;
    use nezha_exporter::checkpoint::OpenOptions;
    use nezha_exporter::{ExportOptions, export, verify};
    use nezha_graphs::Dim;

    use super::*;

    #[test]
    fn an_engine_that_answers_for_other_weights_fails_every_case() {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/reach-4/masked-lm"
        ));
        let open = |folder: &Path| Checkpoint::open(folder, &OpenOptions::default()).unwrap();
        let (other, target) = (folder.path().join("other"), folder.path().join("out"));
        fs::create_dir(&other).unwrap();
        fs::copy(source.join("config.json"), other.join("config.json")).unwrap();
        let mut weights = fs::read(source.join("model.safetensors")).unwrap();
        // The last number of the last tensor, a bias of the last layer.
        let last = weights.len() - 4;
        weights[last..].copy_from_slice(&0.5_f32.to_le_bytes());
        fs::write(other.join("model.safetensors"), weights).unwrap();

        let exported = export(&open(&other), &target, &ExportOptions::default()).unwrap();
        let model = &exported.artifacts[0].file.path;
        let verified = verify::verify(model, &open(&other)).unwrap();
        let ask = |checkpoint: &Path| {
            let engines = [EngineKind::OrtCpu, EngineKind::Tract];
            let options = EngineOptions::default();
            compare(model, &open(checkpoint), &verified, &engines, &options).unwrap()
        };
        for report in ask(&other) {
            assert!(report.passed(), "{}", report.engine);
        }
        for report in ask(source) {
            assert_eq!(report.cases.len(), 6);
            for case in report.cases {
                assert!(!case.passed, "{}, {}", report.engine, case.name);
                assert_eq!(case.output, "logits");
            }
        }
    }

    #[test]
    fn another_shape_and_a_number_that_is_none_are_infinitely_far_off() {
        let port = Port::new("y", DType::F32, &[Dim::from(2)], "");
        let far = |expected: [f64; 2], found: &[f32]| {
            let expected = Outputs::from([("y".to_owned(), arr1(&expected).into_dyn())]);
            let found = Tensors::from([("y", arr1(found).into())]);
            difference(&port, &expected, &found).unwrap()
        };
        assert_eq!(far([4.0, -8.0], &[4.0, -8.0]), 0.0);
        assert_eq!(far([4.0, -8.0], &[6.0, -8.0]), 0.25);
        assert_eq!(far([4.0, -8.0], &[4.0]), f64::INFINITY);
        assert_eq!(far([4.0, -8.0], &[4.0, f32::NAN]), f64::INFINITY);
        assert_eq!(far([4.0, -8.0], &[4.0, f32::INFINITY]), f64::INFINITY);
        assert_eq!(far([4.0, f64::NAN], &[4.0, f32::NAN]), 0.0);
    }

    #[test]
    fn the_best_ids_may_change_places_where_they_are_equally_probable() {
        let port = Port::new("top_ids", DType::I64, &[Dim::from(2)], "");
        let array = |values: &[f64]| arr1(values).into_dyn();
        let expected = Outputs::from([
            ("probabilities".to_owned(), array(&[0.1, 0.4, 0.4, 0.1])),
            ("top_probabilities".to_owned(), array(&[0.4, 0.4])),
        ]);
        let far = |ids: [i64; 2]| {
            let found = Tensors::from([("top_ids", arr1(&ids).into())]);
            ids_difference(&port, &expected, &found).unwrap()
        };
        assert_eq!(far([1, 2]), 0.0);
        assert_eq!(far([2, 1]), 0.0);
        assert!((far([1, 0]) - 0.3).abs() < 1e-12);
        assert_eq!(far([1, 4]), f64::INFINITY);
        assert_eq!(far([-1, 2]), f64::INFINITY);
    }
}
