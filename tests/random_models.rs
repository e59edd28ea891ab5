//! Models that nobody chose: random configs, weights, shapes and masks, the reference against every
//! engine.
//!
//! The fixtures anchor the reference to transformers; from there it vouches for the engines wherever
//! proptest goes. A failure prints the model and the inputs, made as small as they get.
//!
//! Now and then a LayerNorm of few numbers makes much of the last bits of numbers that are nearly
//! equal. What that does to an answer is measured in the reference, and allowed to the engines up to
//! [`MOST`]; models that make more of them say nothing about an engine and are passed over.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]
#![allow(
    clippy::print_stdout,
    reason = "--nocapture shows how many models were passed over"
)]

use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;

use ndarray::{Array2, ArrayD};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::reference::{Inputs, Outputs, Reference, ReferenceOptions};
use nezha_exporter::{ExportOptions, Heads, OPSETS, export};
use nezha_graphs::{Activation, Gather, GraphOptions, Head};
use nezha_runtime::Tensors;
use proptest::prelude::*;
use proptest::test_runner::TestRng;
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;
use testkit::compare::{assert_close, pairs};
use testkit::engines::ENGINES;
use testkit::random;

/// An engine may be off by so many times as much more as the reference's answers are where all
/// weights differ in their last bit.
const ROUNDINGS: f64 = 16.0;

/// The most that this may come to, of the largest magnitude in a tensor.
const MOST: f64 = 1e-3;

/// Random cases of a run, and how many of them may be models that make more of it.
const CASES: u32 = 48;
const MOST_PASSED_OVER: u32 = 4;

const VOCAB_SIZE: usize = 23;

/// A model and what it is asked.
#[derive(Clone, Debug)]
struct Model {
    num_hidden_layers: usize,
    num_attention_heads: usize,
    head_size: usize,
    intermediate_size: usize,
    hidden_act: &'static str,
    max_relative_position: usize,
    is_decoder: bool,
    seed: u64,
    batch: usize,
    sequence: usize,
    masks: Vec<Mask>,
}

/// Which tokens of a row are there.
#[derive(Clone, Copy, Debug)]
enum Mask {
    All,
    LeftPadding,
    RightPadding,
    Holes,
    Nothing,
}

fn models() -> impl Strategy<Value = Model> {
    let spellings = Activation::SPELLINGS.map(|(name, _)| name).to_vec();
    let masks = prop::sample::select(vec![
        Mask::All,
        Mask::LeftPadding,
        Mask::RightPadding,
        Mask::Holes,
        Mask::Nothing,
    ]);
    let architecture = (
        1..=2usize,
        1..=4usize,
        prop::sample::select(vec![1usize, 2, 4, 6]),
        1..=9usize,
        prop::sample::select(spellings),
        0..=9usize,
        prop::bool::weighted(0.2),
    );
    let inputs = (
        any::<u64>(),
        1..=3usize,
        -2..=12i32,
        prop::collection::vec(masks, 3),
    );
    (architecture, inputs).prop_map(|(architecture, (seed, batch, beyond, masks))| {
        let (layers, heads, head_size, intermediate, hidden_act, reach, is_decoder) = architecture;
        Model {
            num_hidden_layers: layers,
            num_attention_heads: heads,
            head_size,
            intermediate_size: intermediate,
            hidden_act,
            max_relative_position: reach,
            is_decoder,
            seed,
            batch,
            // Around M and M + 1, where clipping begins, and well beyond.
            sequence: (reach as i32 + beyond).max(1) as usize,
            masks,
        }
    })
}

/// Numbers that only depend on the seed.
struct Numbers(TestRng);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(random::numbers(seed))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit)
    }

    fn around(&mut self, middle: f32, spread: f32) -> f32 {
        middle + self.0.random_range(-spread..spread)
    }
}

impl Model {
    fn hidden_size(&self) -> usize {
        self.num_attention_heads * self.head_size
    }

    /// Names and shapes of a masked language model's weights.
    fn weights(&self) -> Vec<(String, Vec<usize>)> {
        let (hidden, wide) = (self.hidden_size(), self.intermediate_size);
        let norm = |name: &str| {
            ["weight", "bias"].map(|part| (format!("{name}.LayerNorm.{part}"), vec![hidden]))
        };
        let linear = |name: &str, outputs, inputs| {
            [
                (format!("{name}.weight"), vec![outputs, inputs]),
                (format!("{name}.bias"), vec![outputs]),
            ]
        };
        let mut weights = vec![
            (
                "nezha.embeddings.word_embeddings.weight".into(),
                vec![VOCAB_SIZE, hidden],
            ),
            (
                "nezha.embeddings.token_type_embeddings.weight".into(),
                vec![2, hidden],
            ),
            ("cls.predictions.bias".into(), vec![VOCAB_SIZE]),
        ];
        weights.extend(norm("nezha.embeddings"));
        weights.extend(linear("cls.predictions.transform.dense", hidden, hidden));
        weights.extend(norm("cls.predictions.transform"));
        for i in 0..self.num_hidden_layers {
            let layer = format!("nezha.encoder.layer.{i}");
            for name in ["query", "key", "value"] {
                let name = format!("{layer}.attention.self.{name}");
                weights.extend(linear(&name, hidden, hidden));
            }
            weights.extend(linear(
                &format!("{layer}.attention.output.dense"),
                hidden,
                hidden,
            ));
            weights.extend(norm(&format!("{layer}.attention.output")));
            weights.extend(linear(&format!("{layer}.intermediate.dense"), wide, hidden));
            weights.extend(linear(&format!("{layer}.output.dense"), hidden, wide));
            weights.extend(norm(&format!("{layer}.output")));
        }
        weights
    }

    /// Writes the checkpoint as transformers would, with each weight changed by `change`.
    fn save(&self, folder: &Path, mut change: impl FnMut(f32) -> f32) {
        let mut numbers = Numbers::new(self.seed);
        let config = serde_json::json!({
            "architectures": ["NezhaForMaskedLM"],
            "model_type": "nezha",
            "vocab_size": VOCAB_SIZE,
            "hidden_size": self.hidden_size(),
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "intermediate_size": self.intermediate_size,
            "hidden_act": self.hidden_act,
            "max_relative_position": self.max_relative_position,
            "max_position_embeddings": 4,
            "layer_norm_eps": 1e-5,
            "is_decoder": self.is_decoder,
        });
        std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .weights()
            .into_iter()
            .map(|(name, shape)| {
                let middle = if name.ends_with("LayerNorm.weight") {
                    1.0
                } else {
                    0.0
                };
                let elements = shape.iter().product::<usize>();
                let weights = (0..elements).map(|_| change(numbers.around(middle, 0.6)));
                let bytes = weights.flat_map(f32::to_le_bytes);
                (name, shape, bytes.collect())
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (
                name,
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        let file = safetensors::serialize(views, None).unwrap();
        std::fs::write(folder.join("model.safetensors"), file).unwrap();
    }

    fn inputs(&self) -> HashMap<&'static str, ArrayD<i64>> {
        let mut numbers = Numbers::new(!self.seed);
        let shape = (self.batch, self.sequence);
        let mut any =
            |limit| Array2::from_shape_simple_fn(shape, || numbers.below(limit) as i64).into_dyn();
        let (ids, types) = (any(VOCAB_SIZE), any(2));
        let mask = Array2::from_shape_fn(shape, |(row, column)| {
            let padding = self.sequence / 3;
            i64::from(match self.masks[row] {
                Mask::All => true,
                Mask::LeftPadding => column >= padding,
                Mask::RightPadding => column < self.sequence - padding,
                Mask::Holes => column % 3 != 1,
                Mask::Nothing => false,
            })
        });
        HashMap::from([
            ("input_ids", ids),
            ("token_type_ids", types),
            ("attention_mask", mask.into_dyn()),
        ])
    }

    /// What the reference says.
    fn expected(checkpoint: &Checkpoint, inputs: &HashMap<&str, ArrayD<i64>>) -> Outputs {
        let inputs: Inputs = inputs
            .iter()
            .map(|(name, array)| (name.to_string(), array.clone().into()))
            .collect();
        let reference = Reference::load(checkpoint).unwrap();
        let options = ReferenceOptions::default();
        reference.run(Head::MaskedLm, &options, &inputs).unwrap()
    }

    /// What the reference says of three models whose weights differ from these in their last bit.
    fn neighbours(&self, inputs: &HashMap<&str, ArrayD<i64>>) -> [Outputs; 3] {
        [1, 2, 3].map(|neighbour| {
            let mut numbers = Numbers::new(self.seed.wrapping_add(neighbour));
            let folder = TempDir::new().unwrap();
            self.save(folder.path(), |weight| match numbers.below(2) {
                0 => weight.next_down(),
                _ => weight.next_up(),
            });
            let checkpoint = Checkpoint::open(folder.path(), &OpenOptions::default()).unwrap();
            Self::expected(&checkpoint, inputs)
        })
    }

    /// Compares every engine's answers with the reference's; `false` where the model makes so much
    /// of the last bits that this would say nothing.
    fn check(&self, opset: u32, gather: Gather) -> bool {
        let source = TempDir::new().unwrap();
        self.save(source.path(), |weight| weight);
        let checkpoint = Checkpoint::open(source.path(), &OpenOptions::default()).unwrap();
        let inputs = self.inputs();
        let expected = Self::expected(&checkpoint, &inputs);
        let neighbours = self.neighbours(&inputs);
        let rounding = |name: &String, expected: &ArrayD<f64>| {
            let distances = neighbours.iter().map(|it| distance(expected, &it[name]));
            ROUNDINGS * distances.fold(0.0, f64::max)
        };
        let roundings: HashMap<&String, f64> = expected
            .iter()
            .map(|(name, expected)| (name, rounding(name, expected)))
            .collect();
        if roundings.values().any(|it| *it > MOST) {
            return false;
        }

        let target = TempDir::new().unwrap();
        let options = ExportOptions::default()
            .heads(Heads::Named(vec![Head::MaskedLm]))
            .graph(
                GraphOptions::default()
                    .hidden_states(true)
                    .attentions(true)
                    .gather(gather),
            )
            .opset(opset);
        let exported = export(&checkpoint, target.path(), &options).unwrap();
        let path = &exported.artifacts[0].file.path;
        for engine in ENGINES {
            let session = engine.session(path);
            let tensors = inputs
                .iter()
                .map(|(name, array)| (*name, array.clone().into()));
            let outputs = session.run(tensors.collect::<Tensors>()).unwrap();
            for (name, expected) in &expected {
                let actual = outputs.array::<f32>(name).unwrap();
                let allowed = engine.tolerance() + roundings[name];
                assert_close(engine.name(), name, expected, actual, allowed);
            }
        }
        true
    }
}

/// The largest difference, of the largest magnitude in `a`; both are numbers.
fn distance(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    let (mut difference, mut largest) = (0.0, f64::MIN_POSITIVE);
    for (a, b) in pairs("a neighbour's answer", a, b) {
        assert!(
            a.is_finite() && b.is_finite(),
            "the reference gives {a} and {b}"
        );
        difference = f64::max(difference, (a - b).abs());
        largest = f64::max(largest, a.abs());
    }
    difference / largest
}

#[test]
fn engines_agree_with_the_reference_on_random_models() {
    let mut runner = random::runner(CASES, "tests/random_models.regressions");
    let opsets = prop::sample::select(OPSETS.collect::<Vec<u32>>());
    let passed_over = Cell::new(0);
    let gathers = prop::sample::select(Gather::ALL.to_vec());
    let result = runner.run(&(models(), opsets, gathers), |(model, opset, gather)| {
        let compared = model.check(opset, gather);
        passed_over.set(passed_over.get() + u32::from(!compared));
        prop_assume!(compared);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    let passed_over = passed_over.get();
    println!("{passed_over} models made too much of the last bits, and {CASES} did not");
    assert!(
        passed_over <= MOST_PASSED_OVER,
        "{passed_over} models made too much of the last bits, {MOST_PASSED_OVER} are allowed"
    );
}

#[test]
fn sequences_far_beyond_the_position_embeddings_of_bert_are_fine() {
    for max_relative_position in [3, 64] {
        let model = Model {
            num_hidden_layers: 1,
            num_attention_heads: 2,
            head_size: 4,
            intermediate_size: 9,
            hidden_act: "gelu",
            max_relative_position,
            is_decoder: false,
            seed: 5,
            batch: 2,
            sequence: 700,
            masks: vec![Mask::All, Mask::RightPadding],
        };
        for gather in Gather::ALL {
            let compared = model.check(17, gather);
            assert!(compared, "M = {max_relative_position} was passed over");
        }
    }
}
