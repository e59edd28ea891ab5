//! Which names heads and their outputs may have.

use super::place::Place;
use super::{HeadSpec, HeadSpecError, OutputTask};
use crate::{Head, Role};

/// Names that other files beside `<head>.onnx` have.
const TAKEN: [&str; 4] = ["all", "config", "model", "weights"];

/// The longest name of a head.
const LONGEST: usize = 64;

/// The roles whose names an output may have. The other roles belong to inputs, or to outputs that
/// options add.
const ROLES: [Role; 5] = [
    Role::Other,
    Role::Logits,
    Role::StartLogits,
    Role::EndLogits,
    Role::Embeddings,
];

/// Fails if the head's name is invalid or taken.
pub(super) fn check(spec: &HeadSpec) -> Result<(), HeadSpecError> {
    let name = spec.name.as_str();
    let place = Place::root().at("name");
    let fits = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    let starts = name.starts_with(|it: char| it.is_ascii_lowercase());
    if !starts || !name.chars().all(fits) || name.len() > LONGEST {
        return Err(place.fault(format_args!(
            "'{name}' can't be a head's name: expected lower-case letters, digits and hyphens, a letter first, \
             at most {LONGEST} characters"
        )));
    }
    if TAKEN.contains(&name) || Head::ALL.iter().any(|head| head.name() == name) {
        return Err(place.fault(format_args!(
            "'{name}' is already taken; choose another name"
        )));
    }
    match spec.outputs.is_empty() {
        true => Err(Place::root()
            .at("outputs")
            .fault("expected at least one output")),
        false => Ok(()),
    }
}

/// The names of the outputs. A single output without a name is called as in the contract:
/// `embeddings` for feature extraction, else `logits`.
pub(super) fn output_names(spec: &HeadSpec) -> Result<Vec<String>, HeadSpecError> {
    let mut names: Vec<String> = Vec::new();
    for (i, output) in spec.outputs.iter().enumerate() {
        let place = Place::root().at("outputs").index(i).at("name");
        let default = match (spec.outputs.len(), output.task) {
            (1, Some(OutputTask::FeatureExtraction)) => Some("embeddings"),
            (1, _) => Some("logits"),
            _ => None,
        };
        let name = output.name.as_deref().or(default).ok_or_else(|| {
            place.fault("one of several outputs needs a name, such as intent_logits")
        })?;
        let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
        if name.is_empty() || !name.chars().all(fits) {
            return Err(place.fault(format_args!(
                "'{name}' can't be an output's name: expected letters, digits, _, - and ."
            )));
        }
        if !ROLES.contains(&Role::from_name(name)) {
            return Err(place.fault(format_args!("'{name}' is the name of another port")));
        }
        if names.iter().any(|it| it == name) {
            return Err(place.fault(format_args!("there are two outputs '{name}'")));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}
