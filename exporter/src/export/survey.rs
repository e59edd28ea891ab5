//! Which heads a checkpoint can give: `architectures` decides whose `classifier` it is, tensors
//! decide the rest.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nezha_graphs::{GraphOptions, Head, OptionError, Precision};

use crate::checkpoint::Checkpoint;
use crate::graph::{WeightError, Weights};
use crate::nezha::{self, BuildError};

/// The heads that read `classifier.weight`; nothing in its shape tells them apart for sure.
const CLASSIFIERS: [Head; 3] = [
    Head::SequenceClassification,
    Head::MultipleChoice,
    Head::TokenClassification,
];

/// Faults of one head that are collected before giving up.
const MOST_FAULTS: usize = 64;

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
    /// A tensor has another shape than the config gives it.
    Misshapen {
        /// The tensor.
        name: String,
        /// The shape it should have.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
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
                write!(f, "not trained in {classes}: no {}", List(missing))
            }
            Unavailable::Incomplete { missing } => write!(
                f,
                "incomplete, or another model's checkpoint: no {}",
                List(missing)
            ),
            Unavailable::Misshapen {
                name,
                expected,
                found,
            } => write!(
                f,
                "tensor '{name}' has shape {found:?}, but config.json makes it {expected:?}"
            ),
            Unavailable::Claimed { by } => write!(
                f,
                "'classifier.weight' was trained as {}, says config.json's `architectures`",
                by.transformers_class()
            ),
            Unavailable::Option(error) => error.fmt(f),
            Unavailable::Unclaimed => {
                let [a, b, c] = CLASSIFIERS;
                write!(
                    f,
                    "config.json's `architectures` does not say whether 'classifier.weight' is \
                     for {a}, {b} or {c}; name the head"
                )
            }
        }
    }
}

/// The first few of a list of tensors, and how many more there are.
struct List<'t>(&'t [(String, Vec<usize>)]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        for (i, (name, shape)) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}'{name}' {shape:?}", if i > 0 { ", " } else { "" })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more if self.0.len() == MOST_FAULTS => write!(f, " and {more} or more others"),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What the eight heads need, and what of it a checkpoint has.
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
    /// Builds every head's graph on what the checkpoint has, and on the weights that it lacks as
    /// if they were there.
    ///
    /// # Errors
    /// [`BuildError`] where a graph can't be built even so.
    pub fn new(checkpoint: &'c Checkpoint) -> Result<Self, BuildError> {
        let needs = Head::ALL
            .into_iter()
            .map(|head| Ok((head, Needs::of(checkpoint, head)?)))
            .collect::<Result<_, BuildError>>()?;
        Ok(Self { checkpoint, needs })
    }

    /// Whether the checkpoint has a head, and why not.
    ///
    /// The base head does without its pooler.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub fn check(&self, head: Head) -> Result<(), Unavailable> {
        self.check_claims(head)?;
        let needs = &self.needs[&head];
        let faults = needs.faults.iter().filter(|fault| {
            let missing = matches!(fault, WeightError::Missing { .. });
            !(head == Head::Base && missing && is_pooler(name_and_shape(fault).0))
        });
        let mut missing = Vec::new();
        for fault in faults {
            let (name, expected) = name_and_shape(fault);
            let (name, expected) = (name.to_owned(), expected.to_vec());
            match fault {
                WeightError::Missing { .. } => missing.push((name, expected)),
                WeightError::Shape { found, .. } => {
                    return Err(Unavailable::Misshapen {
                        name,
                        expected,
                        found: found.clone(),
                    });
                }
            }
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
        CLASSIFIERS.contains(&head) && self.claims().next().is_none()
    }

    /// The heads that the checkpoint has.
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

    fn check_claims(&self, head: Head) -> Result<(), Unavailable> {
        let claims: Vec<Head> = self.claims().collect();
        match claims.first() {
            Some(&by) if CLASSIFIERS.contains(&head) && !claims.contains(&head) => {
                Err(Unavailable::Claimed { by })
            }
            _ => Ok(()),
        }
    }

    fn claims(&self) -> impl Iterator<Item = Head> {
        let named = self.checkpoint.config().heads().into_iter();
        named.filter(|head| CLASSIFIERS.contains(head))
    }
}

impl Needs {
    /// Builds the graph again and again, each time with one more weight that is supposed to be
    /// there, until nothing is missing.
    fn of(checkpoint: &Checkpoint, head: Head) -> Result<Self, BuildError> {
        let mut supposed = Supposed {
            checkpoint,
            shapes: BTreeMap::new(),
            read: RefCell::default(),
        };
        let mut faults = Vec::new();
        loop {
            let config = checkpoint.config();
            let options = GraphOptions::default();
            let opset = *super::OPSETS.start();
            let precision = Precision::default();
            match nezha::build(&supposed, config, head, &options, opset, precision) {
                Ok(_) => {
                    return Ok(Self {
                        weights: supposed.read.into_inner(),
                        faults,
                    });
                }
                Err(BuildError::Weight { source, .. }) if faults.len() < MOST_FAULTS => {
                    let (name, shape) = name_and_shape(&source);
                    supposed.shapes.insert(name.to_owned(), shape.to_vec());
                    faults.push(source);
                }
                Err(BuildError::Weight { .. }) => {
                    return Ok(Self {
                        weights: BTreeSet::new(),
                        faults,
                    });
                }
                Err(other) => return Err(other),
            }
        }
    }
}

/// A checkpoint with some weights that it lacks, or has in other shapes.
struct Supposed<'c> {
    checkpoint: &'c Checkpoint,
    shapes: BTreeMap<String, Vec<usize>>,
    /// The weights that the graph was built from, also those that do nothing for its outputs.
    read: RefCell<BTreeSet<String>>,
}

impl Weights for Supposed<'_> {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.read.borrow_mut().insert(name.to_owned());
        match self.shapes.get(name) {
            Some(shape) => Some(shape),
            None => self.checkpoint.shape(name),
        }
    }
}

fn name_and_shape(fault: &WeightError) -> (&str, &[usize]) {
    match fault {
        WeightError::Missing { name, expected } | WeightError::Shape { name, expected, .. } => {
            (name, expected)
        }
    }
}

/// Whether a checkpoint has a pooler.
pub(super) fn has_pooler(checkpoint: &Checkpoint) -> bool {
    checkpoint.weight("nezha.pooler.dense.weight").is_some()
}

fn is_pooler(name: &str) -> bool {
    name.starts_with("nezha.pooler.")
}

fn is_encoder(name: &str) -> bool {
    name.starts_with("nezha.") && !is_pooler(name)
}

fn is_decoder(name: &str) -> bool {
    name.starts_with("cls.predictions.decoder.")
}
