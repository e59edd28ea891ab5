//! Compares the outputs of an artifact in each engine with those of the reference.

use std::path::Path;

use ndarray::{ArrayD, Axis, Slice};
use nezha_exporter::checkpoint::Checkpoint;
use nezha_exporter::reference::{self, Inputs, Outputs};
use nezha_exporter::verify::Verified;
use nezha_graphs::{AttentionKind, Port, Role, axes, error_chain};
use nezha_runtime::{
    EngineChoice, EngineError, EngineKind, EngineOptions, Session, SessionError, Tensors,
};
use serde::Serialize;

use crate::cases::{Case, cases, tensors};
use crate::difference::{Differences, Scales, add_scales, difference, output, worst};
use crate::error::{AnswerError, VerificationError};

/// The result for one engine.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EngineReport {
    /// Its name on the command line.
    pub engine: &'static str,
    /// The engine's name, version and device; if it can't be started, why.
    pub description: String,
    /// Whether it could be started.
    pub available: bool,
    /// The error that is allowed, as a share of the largest magnitude of an output.
    pub tolerance: f64,
    /// The cases that it ran.
    pub cases: Vec<CaseReport>,
    /// The cases that were omitted, and why.
    pub left_out: Vec<String>,
}

/// The result of one case.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CaseReport {
    /// What is special about it.
    pub name: &'static str,
    /// Texts in the batch.
    pub batch: usize,
    /// Tokens of each text.
    pub sequence: usize,
    /// The output that is furthest off.
    pub output: String,
    /// The error of that output, as a share of its largest magnitude in all cases; null if it is
    /// not finite.
    pub error: Option<f64>,
    /// Why there is no output, if the run failed.
    pub failure: Option<String>,
    /// Whether all outputs are within the tolerance.
    pub passed: bool,
}

impl EngineReport {
    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|it| it.passed)
    }

    /// The largest error of all cases that have one.
    pub fn worst(&self) -> Option<f64> {
        self.cases.iter().filter_map(|it| it.error).reduce(f64::max)
    }
}

/// An engine that runs the cases, and how far its outputs are off in each.
struct Asked {
    session: Session,
    report: EngineReport,
    answers: Vec<Result<Differences, AnswerError>>,
}

/// Runs the artifact at `model` in the engines of `named`, each of which must start; if none is
/// named, in those that are available. `verified` is the comparison of its weights with the
/// checkpoint.
///
/// # Errors
/// [`VerificationError`] if an engine of `named`, or none at all, can be started, or the reference
/// fails. An engine that fails in a case has not passed it, which is in its report.
pub fn compare(
    model: impl AsRef<Path>,
    checkpoint: &Checkpoint,
    verified: &Verified,
    named: &[EngineKind],
    options: &EngineOptions,
) -> Result<Vec<EngineReport>, VerificationError> {
    let (model, auto) = (model.as_ref(), EngineChoice::Auto);
    let kinds = match named {
        [] => auto.candidates(),
        named => named,
    };
    options.check(kinds)?;
    let report = |kind: EngineKind, description: &str, available| {
        let tolerance = options.tolerance(kind, verified.metadata.precision, verified.head());
        report(kind, tolerance, description, available)
    };
    let (mut asked, mut absent) = (Vec::new(), Vec::new());
    for &kind in kinds {
        match Session::builder()
            .engine(kind)
            .engine_options(options.of(kind))
            .load(model)
        {
            Ok(session) => asked.push(Asked {
                report: report(kind, session.engine().description(), true),
                session,
                answers: Vec::new(),
            }),
            Err(SessionError::Engine(error)) if named.is_empty() && is_absent(&error) => {
                absent.push(report(kind, &error_chain(&error), false));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if asked.is_empty() {
        let reasons = absent.into_iter().map(|it| it.description).collect();
        return Err(VerificationError::NoEngine { reasons });
    }
    let graph = &verified.metadata.options;
    let (cases, left_out) = cases(checkpoint.config(), verified.head(), graph);
    let reference = verified.reference(checkpoint)?;
    let mut scales = Scales::new();
    for case in &cases {
        let expected = reference
            .run_graph(verified.head(), graph, &case.inputs)
            .map_err(|source| VerificationError::Reference {
                case: case.name,
                source,
            })?;
        add_scales(&mut scales, &expected);
        for asked in &mut asked {
            let answer = match graph.kv_cache {
                true => in_two_steps(&asked.session, case, &expected),
                false => at_once(&asked.session, case, &expected),
            };
            asked.answers.push(answer);
        }
    }
    let asked = asked.into_iter();
    let asked = asked.map(|it| EngineReport {
        left_out: left_out.clone(),
        ..it.finish(&cases, &scales)
    });
    Ok(asked.chain(absent).collect())
}

fn report(kind: EngineKind, tolerance: f64, description: &str, available: bool) -> EngineReport {
    EngineReport {
        engine: kind.name(),
        description: description.to_owned(),
        available,
        tolerance,
        cases: Vec::new(),
        left_out: Vec::new(),
    }
}

/// Whether the artifact isn't to blame for the error: the engine is not on this machine, or lacks
/// an operator.
fn is_absent(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Library { .. } | EngineError::NotBuilt { .. } | EngineError::Operator { .. }
    )
}

impl Asked {
    fn finish(self, cases: &[Case], scales: &Scales) -> EngineReport {
        let tolerance = self.report.tolerance;
        let reports = cases.iter().zip(self.answers);
        let reports = reports.map(|(case, answer)| case_report(case, answer, scales, tolerance));
        EngineReport {
            cases: reports.collect(),
            ..self.report
        }
    }
}

fn case_report(
    case: &Case,
    answer: Result<Differences, AnswerError>,
    scales: &Scales,
    tolerance: f64,
) -> CaseReport {
    let mut report = CaseReport {
        name: case.name,
        batch: case.batch,
        sequence: case.sequence,
        output: String::new(),
        error: None,
        failure: None,
        passed: false,
    };
    match answer {
        Ok(differences) => {
            let (output, error) = worst(differences, scales);
            report.output = output;
            report.error = error.is_finite().then_some(error);
            report.passed = error <= tolerance;
        }
        Err(error) => report.failure = Some(error_chain(&error)),
    }
    report
}

fn at_once(session: &Session, case: &Case, expected: &Outputs) -> Result<Differences, AnswerError> {
    let found = session.run(tensors(&case.inputs, session.signature()))?;
    let ports = session.signature().outputs.iter();
    ports
        .map(|port| {
            let name = port.contract_name().into_owned();
            Ok((name, difference(port, expected, &found)?))
        })
        .collect()
}

/// Runs the texts in two steps through the cache, and compares each step with its part of the
/// whole.
fn in_two_steps(
    session: &Session,
    case: &Case,
    expected: &Outputs,
) -> Result<Differences, AnswerError> {
    let signature = session.signature();
    let mut differences = Differences::new();
    let middle = case.sequence.div_ceil(2);
    let steps = [(0, middle), (middle, case.sequence)];
    let mut past = Tensors::default();
    for (from, to) in steps.into_iter().filter(|(from, to)| from < to) {
        let mut inputs = tensors(&step(&case.inputs, from, to), signature);
        for (name, tensor) in std::mem::take(&mut past) {
            inputs.insert(name, tensor);
        }
        let mut found = session.run(inputs)?;
        for port in &signature.outputs {
            if let Role::Present(cached) = port.role {
                if let Some(tensor) = found.remove(&port.name) {
                    past.insert(signature.input_name(Role::Past(cached)).as_ref(), tensor);
                }
                continue;
            }
            let expected = rows(port, expected, from, to)?;
            let apart = difference(port, &expected, &found)?;
            let name = port.contract_name().into_owned();
            let worst = differences.entry(name).or_default();
            *worst = apart.max(*worst);
        }
    }
    Ok(differences)
}

/// The inputs of the step with the tokens `from..to`. Masks also cover what came before; the
/// encoder's hidden states belong to the first step.
fn step(inputs: &Inputs, from: usize, to: usize) -> Inputs {
    let cut = |tensor: &reference::Tensor, from: usize, to: usize| match tensor {
        reference::Tensor::I64(array) => slice(array, 1, from, to).into(),
        reference::Tensor::F64(array) => slice(array, 1, from, to).into(),
    };
    let parts = inputs.iter().filter_map(|(name, tensor)| {
        let part = match Role::from_name(name) {
            Role::AttentionMask => cut(tensor, 0, to),
            Role::SelfAttentionMask => match cut(tensor, from, to) {
                reference::Tensor::I64(array) => slice(&array, 2, 0, to).into(),
                floats @ reference::Tensor::F64(_) => floats,
            },
            Role::HeadMask | Role::EncoderMask => tensor.clone(),
            Role::EncoderStates if from > 0 => return None,
            Role::EncoderStates => tensor.clone(),
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

/// The rows of the tokens `from..to` in the output `port`; the keys that they attend to end at
/// `to`.
fn rows(port: &Port, expected: &Outputs, from: usize, to: usize) -> Result<Outputs, AnswerError> {
    let mut array = output(port, expected)?.clone();
    for (axis, dim) in port.shape.iter().enumerate() {
        let is = |name: &str| dim.as_symbol() == Some(name);
        let own = matches!(port.role, Role::Attentions(_, AttentionKind::Own));
        let is_keys = own && axis == 3;
        if is(axes::SEQUENCE) {
            array = slice(&array, axis, from, to);
        } else if is_keys {
            array = slice(&array, axis, 0, to);
        }
    }
    Ok(Outputs::from([(port.contract_name().into_owned(), array)]))
}
