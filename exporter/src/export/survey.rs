//! Which heads a checkpoint can provide: `architectures` decides to which head `classifier`
//! belongs, and tensors decide the rest.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nezha_graphs::{GraphOptions, Head, OptionError};

use crate::checkpoint::Checkpoint;
use crate::graph::{WeightError, Weights};
use crate::listed::Listed;
use crate::nezha::{self, BuildError, heads};

/// Why a checkpoint can't provide a head.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unavailable {
    /// The checkpoint has the encoder, but not the head.
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
    /// Tensors have other shapes than the config says.
    Misshapen {
        /// These tensors; each is a [`WeightError::Shape`].
        tensors: Vec<WeightError>,
        /// The tensors that are missing, too, with the shapes they should have.
        missing: Vec<(String, Vec<usize>)>,
    },
    /// `classifier.weight` was trained for another head.
    Claimed {
        /// The class that `architectures` names.
        by: Head,
    },
    /// `architectures` doesn't say to which head `classifier.weight` belongs.
    Unclaimed,
    /// An option that was chosen belongs to other heads.
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

/// Whether a head reads `classifier.weight`. The shape of this weight doesn't reliably show the
/// head.
fn reads_classifier(head: Head) -> bool {
    heads::of(head).reads_classifier()
}

/// The heads that read `classifier.weight`, as an enumeration in words.
fn classifiers() -> String {
    let all = Head::ALL.into_iter().filter(|head| reads_classifier(*head));
    let names: Vec<&str> = all.map(Head::name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The first tensors of a list, and the number of the others.
fn names(tensors: &[(String, Vec<usize>)]) -> String {
    let names = tensors
        .iter()
        .map(|(name, shape)| format!("'{name}' {shape:?}"));
    Listed(&names.collect::<Vec<_>>(), ", ").to_string()
}

/// The weights that heads need, compared with those of a checkpoint.
#[derive(Debug)]
pub struct Survey<'c> {
    checkpoint: &'c Checkpoint,
    needs: BTreeMap<Head, Needs>,
}

/// The weights that one head needs.
#[derive(Debug)]
struct Needs {
    weights: BTreeSet<String>,
    faults: Vec<WeightError>,
}

impl<'c> Survey<'c> {
    /// Builds the graph of each of transformers' heads once. Weights that the checkpoint lacks are
    /// treated as if they existed.
    ///
    /// # Errors
    /// [`BuildError`] if a graph can't be built even so.
    pub fn new(checkpoint: &'c Checkpoint) -> Result<Self, BuildError> {
        Self::with(checkpoint, &[])
    }

    /// Like [`Self::new`], and also builds the graphs of these heads.
    ///
    /// # Errors
    /// Those of [`Self::new`].
    pub fn with(checkpoint: &'c Checkpoint, heads: &[Head]) -> Result<Self, BuildError> {
        let heads: BTreeSet<Head> = Head::ALL.iter().chain(heads).copied().collect();
        let needs = heads
            .into_iter()
            .map(|head| Ok((head, Needs::of(checkpoint, head)?)))
            .collect::<Result<_, BuildError>>()?;
        Ok(Self { checkpoint, needs })
    }

    /// Checks that the checkpoint has a head, which must be one of the survey's.
    ///
    /// The base head doesn't need its pooler.
    ///
    /// # Errors
    /// The reason, as an [`Unavailable`].
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

    /// Whether a head reads `classifier.weight`, and `architectures` names no head that does.
    pub fn is_unclaimed(&self, head: Head) -> bool {
        reads_classifier(head) && self.claims().next().is_none()
    }

    /// The heads of transformers that the checkpoint has.
    pub fn available(&self) -> Vec<Head> {
        let has = |head: &Head| self.check(*head).is_ok();
        Head::ALL.into_iter().filter(has).collect()
    }

    /// Tensors of the checkpoint that no head needs. The prediction head's decoder doesn't count:
    /// checkpoints contain it as a copy if it is tied to the word embeddings.
    pub fn unknown_tensors(&self) -> Vec<String> {
        let weights = self.checkpoint.weights().iter().map(|it| &it.name);
        let needed = |name: &str| self.needs.values().any(|it| it.weights.contains(name));
        let unknown = weights.filter(|name| !needed(name) && !is_decoder(name));
        unknown.cloned().collect()
    }

    /// Tensors outside of the encoder that none of the checkpoint's heads reads.
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
    /// Builds the head's graph on the weights that the checkpoint has.
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
            // Their values are in the metadata, not in the graph.
            let crfs = own.spec().outputs.iter().filter_map(|it| it.crf.as_ref());
            weights.extend(crfs.flat_map(|it| it.tensors()).map(str::to_owned));
        }
        Ok(Self { weights, faults })
    }
}

/// A checkpoint that records which weights are read.
struct Read<'c> {
    checkpoint: &'c Checkpoint,
    /// The weights that were read to build the graph, including those that don't affect its
    /// outputs.
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

/// Whether the weight `name` belongs to the module that the head can do without.
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
