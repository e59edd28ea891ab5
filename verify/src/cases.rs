//! The inputs that verify an artifact: a fixed set of shapes and masks, around the lengths at which
//! relative positions begin to be clipped, with values for every input of its graph.

use ndarray::{ArrayD, Dimension, IxDyn};
use nezha_exporter::reference::{self, Inputs};
use nezha_graphs::{
    Bindings, Config, DType, GraphOptions, Head, MaskSource, Port, Role, Signature, axes,
};
use nezha_runtime::{Tensor, Tensors};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The longest sequence that is run in the reference, which is slow.
const LONGEST: usize = 1200;

/// Choices of a multiple-choice input, and tokens that are scored by position.
const FEW: usize = 3;

/// One set of inputs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Case {
    /// What is special about it.
    pub name: &'static str,
    /// Texts in the batch.
    pub batch: usize,
    /// Tokens of each text.
    pub sequence: usize,
    /// The inputs, by the contract's names, as for a graph without a cache.
    pub inputs: Inputs,
}

/// Which tokens of a text are real.
#[derive(Clone, Copy)]
enum Mask {
    All,
    /// Left padding, right padding and holes, in different rows.
    Padded,
}

/// The cases for a graph, and why some are omitted.
pub fn cases(config: &Config, head: Head, options: &GraphOptions) -> (Vec<Case>, Vec<String>) {
    let reach = config.max_relative_position;
    let shapes = [
        ("one token", 1, 1, Mask::All),
        ("a batch of texts", 3, 11, Mask::All),
        ("padding and holes", 4, 17, Mask::Padded),
        ("M + 1 tokens", 1, reach + 1, Mask::All),
        ("more than 2M tokens", 1, 2 * reach + 3, Mask::All),
        ("more than 512 tokens", 1, 520, Mask::Padded),
    ];
    let fixed = |axis: &str, size: usize| options.fixed_axes.get(axis).copied().unwrap_or(size);
    let mut left_out = Vec::new();
    let mut cases: Vec<Case> = Vec::new();
    for (number, (name, batch, sequence, mask)) in shapes.into_iter().enumerate() {
        // A graph with fixed axes gets its own sizes, whatever the name of the case says.
        let (batch, sequence) = (fixed(axes::BATCH, batch), fixed(axes::SEQUENCE, sequence));
        if sequence > LONGEST {
            left_out.push(format!(
                "{name}: {sequence} tokens take the reference too long"
            ));
            continue;
        }
        let mut numbers = Numbers::new(number as u64);
        let inputs = inputs(config, head, options, batch, sequence, mask, &mut numbers);
        cases.push(Case {
            name,
            batch,
            sequence,
            inputs,
        });
    }
    (cases, left_out)
}

/// Converts the reference's inputs to those of a graph with this signature.
pub fn tensors(inputs: &Inputs, signature: &Signature) -> Tensors {
    let tensors = inputs.iter().map(|(name, tensor)| {
        let role = Role::from_name(name);
        let dtype = signature
            .input_of(role)
            .map_or(DType::I64, |port| port.dtype);
        let tensor: Tensor = match tensor {
            reference::Tensor::I64(array) => {
                Tensor::of_integers(dtype, array.clone()).unwrap_or_else(|| array.clone().into())
            }
            reference::Tensor::F64(array) => array.mapv(|it| it as f32).into(),
        };
        (signature.input_name(role).into_owned(), tensor)
    });
    tensors.collect()
}

fn inputs(
    config: &Config,
    head: Head,
    options: &GraphOptions,
    batch: usize,
    sequence: usize,
    mask: Mask,
    numbers: &mut Numbers,
) -> Inputs {
    // A cache is tested with the same texts in two steps: see `engines`.
    let whole = options.clone().kv_cache(false).int32_inputs(false);
    let sizes = Bindings::from(
        [
            (axes::BATCH, batch),
            (axes::SEQUENCE, sequence),
            (axes::CHOICES, FEW),
            (axes::ENCODER, sequence + FEW),
            (axes::MASK_POSITIONS, FEW),
        ]
        .map(|(axis, size)| (axis.to_owned(), size)),
    );
    // Fixed axes have no symbols in the signature.
    let choices = options
        .fixed_axes
        .get(axes::CHOICES)
        .copied()
        .unwrap_or(FEW);
    let signature = Signature::new(config, head, &whole);
    let fill = |port: &Port| {
        let shape = port.shape.iter().map(|dim| dim.evaluate(&sizes));
        let shape = IxDyn(&shape.map(|it| it.unwrap_or(1)).collect::<Vec<_>>());
        let tensor: reference::Tensor = match (port.role, port.dtype) {
            (Role::AttentionMask | Role::EncoderMask, _) => {
                ArrayD::from_shape_fn(shape, |at| mask.at(at.slice())).into()
            }
            (Role::SelfAttentionMask, _) => {
                ArrayD::from_shape_fn(shape, |at| mask.of_pair(at.slice(), sequence)).into()
            }
            (Role::TokenIds, _) if options.mask == MaskSource::FromPadding => {
                let bound = config.vocab_size;
                ArrayD::from_shape_fn(shape, |at| match mask.at(at.slice()) {
                    0 => config.pad_token_id as i64,
                    _ => numbers.below(bound),
                })
                .into()
            }
            (Role::MaskPositions, _) => {
                let bounds = [batch, sequence];
                ArrayD::from_shape_fn(shape, |at| numbers.below(bounds[at[1]])).into()
            }
            (_, DType::I64) => {
                let bound = bound(config, &signature, port.role, sequence, choices);
                ArrayD::from_shape_simple_fn(shape, || numbers.below(bound)).into()
            }
            (Role::HeadMask, _) => {
                ArrayD::from_shape_simple_fn(shape, || numbers.between(0.0, 1.0)).into()
            }
            // A multi-label target must be 0 or 1, and a regression takes any number.
            (Role::Labels, _) => {
                ArrayD::from_shape_simple_fn(shape, || numbers.below(2) as f32).into()
            }
            _ => ArrayD::from_shape_simple_fn(shape, || numbers.between(-1.0, 1.0)).into(),
        };
        (port.contract_name().into_owned(), tensor)
    };
    signature.inputs.iter().map(fill).collect()
}

/// The number of classes, tokens or positions that the integers of an input index.
fn bound(
    config: &Config,
    signature: &Signature,
    role: Role,
    sequence: usize,
    choices: usize,
) -> usize {
    match role {
        Role::TokenIds => config.vocab_size,
        Role::TokenTypes => config.type_vocab_size,
        Role::StartPositions | Role::EndPositions => sequence,
        // The classes of multiple choice are the choices, whose number may be symbolic.
        label => {
            let classes = signature.classes(label);
            classes.map_or(2, |dim| dim.as_fixed().unwrap_or(choices))
        }
    }
}

impl Mask {
    /// 1 if the token of the row attends to that of the column, at `[…, text, row, column]`. This
    /// is UniLM's mask of a text: the first half sees all of itself, and a token of the second half
    /// sees all that precedes it.
    fn of_pair(self, place: &[usize], sequence: usize) -> i64 {
        let [text @ .., row, column] = place else {
            return 1;
        };
        let is_before = i64::from(*column <= *row || *column < sequence.div_ceil(2));
        self.at(&[text, &[*column]].concat()) * is_before
    }

    /// 1 if the token at `[…, row, column]` is real; the first text has all its tokens.
    fn at(self, place: &[usize]) -> i64 {
        let [row @ .., column] = place else {
            return 1;
        };
        let row: usize = row.iter().sum();
        i64::from(match (self, row % 4) {
            (Mask::All, _) | (_, 0) => true,
            (_, 1) => *column < 7,
            (_, 2) => *column >= 5 || *column == 0,
            _ => column % 3 != 1,
        })
    }
}

/// Random numbers that are the same every time.
struct Numbers(ChaCha8Rng);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from 0 to `bound` - 1.
    fn below(&mut self, bound: usize) -> i64 {
        (self.0.next_u64() % bound.max(1) as u64) as i64
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        let part = self.0.next_u32() as f32 / u32::MAX as f32;
        low + part * (high - low)
    }
}
