//! Which heads a checkpoint can give: `architectures` decides whose `classifier` it is, tensors
//! decide the rest.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nezha_graphs::{GraphOptions, Head, OptionError};

use crate::checkpoint::Checkpoint;
use crate::graph::{WeightError, Weights};
use crate::listed::Listed;
use crate::nezha::{self, BuildError, heads};

/// Why a checkpoint can't give a head.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unavailable {
    /// The encoder is there, the head is not.
    NotTrained {
        /// The classes that `architectures` names.
        architectures: Vec<String>,
        /// The tensors that are missing, with the shapes they should have.
        missing: Vec<(String, Vec<usize>)>,
    },
    /// Tensors that every head needs are missing.
    Incomplete {
        /// The tensors that are missing, with the shapes they should have.
        missing: Vec<(String, Vec<usize>)>,
    },
    /// Tensors have other shapes than the config gives them.
    Misshapen {
        /// Those tensors; each a [`WeightError::Shape`].
        tensors: Vec<WeightError>,
        /// The tensors that are missing besides, with the shapes they should have.
        missing: Vec<(String, Vec<usize>)>,
    },
    /// `classifier.weight` was trained for another head.
    Claimed {
        /// The class that `architectures` names.
        by: Head,
    },
    /// `architectures` does not say whose `classifier.weight` is.
    Unclaimed,
    /// An option that was asked for is another head's.
    Option(OptionError),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::NotTrained {
                architectures,
                missing,
            } => {
                let classes = match architectures.as_slice() {
                    [] => "a checkpoint that names no class".to_owned(),
                    classes => format!("a checkpoint of {}", classes.join(", ")),
                };
                write!(f, "not trained in {classes}: no {}", names(missing))
            }
            Unavailable::Incomplete { missing } => write!(
                f,
                "incomplete, or another model's checkpoint: no {}",
                names(missing)
            ),
            Unavailable::Misshapen { tensors, missing } => {
                write!(f, "{}", Listed(tensors, "; "))?;
                match missing.is_empty() {
                    true => Ok(()),
                    false => write!(f, "; and there is no {}", names(missing)),
                }
            }
            Unavailable::Claimed { by } => write!(
                f,
                "'classifier.weight' was trained as {}, says config.json's `architectures`",
                by.transformers_class().unwrap_or(by.name())
            ),
            Unavailable::Option(error) => error.fmt(f),
            Unavailable::Unclaimed => write!(
                f,
                "config.json's `architectures` does not say whether 'classifier.weight' is for {}; \
                 name the head",
                classifiers()
            ),
        }
    }
}

/// Whether a head is one of those that read `classifier.weight`; nothing in its shape tells them apart
/// for sure.
fn reads_classifier(head: Head) -> bool {
    heads::of(head).reads_classifier()
}

/// The heads that read `classifier.weight`, as one reads a list.
fn classifiers() -> String {
    let all = Head::ALL.into_iter().filter(|head| reads_classifier(*head));
    let names: Vec<&str> = all.map(Head::name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The first few of a list of tensors, and how many more there are.
fn names(tensors: &[(String, Vec<usize>)]) -> String {
    let names = tensors
        .iter()
        .map(|(name, shape)| format!("'{name}' {shape:?}"));
    Listed(&names.collect::<Vec<_>>(), ", ").to_string()
}

/// What heads need, and what of it a checkpoint has.
#[derive(Debug)]
pub struct Survey<'c> {
    checkpoint: &'c Checkpoint,
    needs: BTreeMap<Head, Needs>,
}

/// What one head needs.
#[derive(Debug)]
struct Needs {
    weights: BTreeSet<String>,
    faults: Vec<WeightError>,
}

impl<'c> Survey<'c> {
    /// Builds the graph of each of transformers' heads once, on what the checkpoint has, and on the
    /// weights that it lacks as if they were there.
    ///
    /// # Errors
    /// [`BuildError`] where a graph can't be built even so.
    pub fn new(checkpoint: &'c Checkpoint) -> Result<Self, BuildError> {
        Self::with(checkpoint, &[])
    }

    /// The same, with the graphs of these heads too.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(checkpoint: &'c Checkpoint, heads: &[Head]) -> Result<Self, BuildError> {
        let heads: BTreeSet<Head> = Head::ALL.iter().chain(heads).copied().collect();
        let needs = heads
            .into_iter()
            .map(|head| Ok((head, Needs::of(checkpoint, head)?)))
            .collect::<Result<_, BuildError>>()?;
        Ok(Self { checkpoint, needs })
    }

    /// Whether the checkpoint has a head, one of those that the survey is of, and why not.
    ///
    /// The base head does without its pooler.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub fn check(&self, head: Head) -> Result<(), Unavailable> {
        self.check_claims(head)?;
        let needs = &self.needs[&head];
        let faults = needs.faults.iter().filter(|fault| match fault {
            WeightError::Missing { name, .. } => !is_optional(head, name),
            WeightError::Shape { .. } => true,
        });
        let (mut missing, mut misshapen) = (Vec::new(), Vec::new());
        for fault in faults {
            match fault {
                WeightError::Missing { name, expected } => {
                    missing.push((name.clone(), expected.clone()));
                }
                WeightError::Shape { .. } => misshapen.push(fault.clone()),
            }
        }
        if !misshapen.is_empty() {
            return Err(Unavailable::Misshapen {
                tensors: misshapen,
                missing,
            });
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(match missing.iter().any(|(name, _)| is_encoder(name)) {
            true => Unavailable::Incomplete { missing },
            false => Unavailable::NotTrained {
                architectures: self.checkpoint.config().architectures.clone(),
                missing,
            },
        })
    }

    /// Whether a head is one that reads `classifier.weight` and is not named by `architectures`,
    /// which names no other such head either.
    pub fn is_unclaimed(&self, head: Head) -> bool {
        reads_classifier(head) && self.claims().next().is_none()
    }

    /// Those of transformers' heads that the checkpoint has.
    pub fn available(&self) -> Vec<Head> {
        let has = |head: &Head| self.check(*head).is_ok();
        Head::ALL.into_iter().filter(has).collect()
    }

    /// Tensors of the checkpoint that no head needs, but for the prediction head's decoder, of
    /// which checkpoints carry a copy where it is the word embeddings.
    pub fn unknown_tensors(&self) -> Vec<String> {
        let weights = self.checkpoint.weights().iter().map(|it| &it.name);
        let needed = |name: &str| self.needs.values().any(|it| it.weights.contains(name));
        let unknown = weights.filter(|name| !needed(name) && !is_decoder(name));
        unknown.cloned().collect()
    }

    /// Tensors outside of the encoder that no head which the checkpoint has reads.
    pub fn unread_tensors(&self) -> Vec<String> {
        let available = self.available();
        let is_read = |name: &str| {
            available
                .iter()
                .any(|it| self.needs[it].weights.contains(name))
        };
        let weights = self.checkpoint.weights().iter().map(|it| it.name.as_str());
        let unread = weights
            .filter(|name| !is_read(name) && !name.starts_with("nezha.") && !is_decoder(name));
        unread.map(str::to_owned).collect()
    }

    fn check_claims(&self, head: Head) -> Result<(), Unavailable> {
        let claims: Vec<Head> = self.claims().collect();
        match claims.first() {
            Some(&by) if reads_classifier(head) && !claims.contains(&head) => {
                Err(Unavailable::Claimed { by })
            }
            _ => Ok(()),
        }
    }

    fn claims(&self) -> impl Iterator<Item = Head> {
        let named = self.checkpoint.config().heads().into_iter();
        named.filter(|head| reads_classifier(*head))
    }
}

impl Needs {
    /// Builds the head's graph, on the checkpoint's weights as far as they go.
    fn of(checkpoint: &Checkpoint, head: Head) -> Result<Self, BuildError> {
        let read = Read {
            checkpoint,
            names: RefCell::default(),
        };
        let config = checkpoint.config();
        let options = GraphOptions::default();
        let opset = *super::OPSETS.start();
        let faults = match nezha::build(&read, config, head, &options, opset) {
            Ok(_) => Vec::new(),
            Err(BuildError::Weights { faults, .. }) => faults,
            Err(other) => return Err(other),
        };
        let mut weights = read.names.into_inner();
        if let Head::Own(own) = head {
            // Their numbers are in the metadata and not in the graph.
            let crfs = own.spec().outputs.iter().filter_map(|it| it.crf.as_ref());
            weights.extend(crfs.flat_map(|it| it.tensors()).map(str::to_owned));
        }
        Ok(Self { weights, faults })
    }
}

/// A checkpoint that notes what is read.
struct Read<'c> {
    checkpoint: &'c Checkpoint,
    /// The weights that the graph was built from, also those that do nothing for its outputs.
    names: RefCell<BTreeSet<String>>,
}

impl Weights for Read<'_> {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.names.borrow_mut().insert(name.to_owned());
        self.checkpoint.shape(name)
    }
}

/// Whether a checkpoint has a pooler.
pub(super) fn has_pooler(checkpoint: &Checkpoint) -> bool {
    checkpoint.weight("nezha.pooler.dense.weight").is_some()
}

fn is_pooler(name: &str) -> bool {
    name.starts_with("nezha.pooler.")
}

/// Whether the weight `name` is of a module that the head does without.
fn is_optional(head: Head, name: &str) -> bool {
    let rest = heads::of(head).optional_module();
    let rest = rest.and_then(|module| name.strip_prefix(module));
    rest.is_some_and(|rest| rest.starts_with('.'))
}

fn is_encoder(name: &str) -> bool {
    name.starts_with("nezha.") && !is_pooler(name)
}

fn is_decoder(name: &str) -> bool {
    name.starts_with("cls.predictions.decoder.")
}
