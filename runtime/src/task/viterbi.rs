//! Finds the best path of labels under a conditional random field (CRF).

use ndarray::{ArrayView2, ArrayView3, Axis};
use nezha_graphs::head_spec::CrfScores;

/// Finds the labels for which the sum of their scores and of the scores of their transitions is
/// highest.
///
/// It decodes as pytorch-crf does, in f64.
#[derive(Clone, Copy, Debug)]
pub struct Viterbi<'c> {
    crf: &'c CrfScores,
}

/// The labels of a path, one for each token.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelPath {
    /// The labels' indices.
    pub labels: Vec<usize>,
    /// The sum of the labels' scores, of the transitions between them, and of the start and the
    /// end.
    pub score: f32,
}

impl<'c> Viterbi<'c> {
    /// Creates a decoder with these scores.
    pub fn new(crf: &'c CrfScores) -> Self {
        Self { crf }
    }

    /// The best path over the scores of each token, `[tokens, labels]`; without tokens, an empty
    /// path.
    ///
    /// Of equal paths, the one with the lower labels is returned.
    pub fn decode(&self, emissions: ArrayView2<'_, f32>) -> LabelPath {
        let mut rows = emissions.rows().into_iter();
        let Some(first) = rows.next() else {
            return LabelPath {
                labels: Vec::new(),
                score: 0.0,
            };
        };
        let start = first.iter().zip(&self.crf.start);
        let mut scores: Vec<f64> = start.map(|(score, start)| sum(*score, *start)).collect();
        let mut before: Vec<Vec<usize>> = Vec::new();
        for row in rows {
            let arrived = row.iter().enumerate().map(|(to, emission)| {
                let ways = scores.iter().zip(&self.crf.transitions);
                let ways = ways.map(|(score, from)| score + f64::from(from[to]));
                let (from, score) = largest(ways);
                (from, score + f64::from(*emission))
            });
            let (from, arrived) = arrived.unzip();
            before.push(from);
            scores = arrived;
        }
        let ends = scores.iter().zip(&self.crf.end);
        let (last, score) = largest(ends.map(|(score, end)| score + f64::from(*end)));
        let mut labels = vec![last];
        for from in before.iter().rev() {
            labels.push(from[labels[labels.len() - 1]]);
        }
        labels.reverse();
        LabelPath {
            labels,
            score: score as f32,
        }
    }

    /// The best path of each text, for scores `[batch, tokens, labels]`, over the tokens whose
    /// `mask`, `[batch, tokens]`, is 1.
    pub fn decode_batch(
        &self,
        emissions: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, i64>,
    ) -> Vec<LabelPath> {
        let texts = emissions.outer_iter().zip(mask.outer_iter());
        let path = |(emissions, mask): (ArrayView2<'_, f32>, ndarray::ArrayView1<'_, i64>)| {
            let tokens = mask.iter().enumerate().filter(|(_, it)| **it == 1);
            let tokens: Vec<usize> = tokens.map(|(token, _)| token).collect();
            self.decode(emissions.select(Axis(0), &tokens).view())
        };
        texts.map(path).collect()
    }
}

fn sum(a: f32, b: f32) -> f64 {
    f64::from(a) + f64::from(b)
}

/// The first of the largest values, with its index.
fn largest(values: impl Iterator<Item = f64>) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (at, value) in values.enumerate() {
        if value > best.1 {
            best = (at, value);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use nezha_graphs::head_spec::{Crf, HeadSpec, Linear, OutputSpec, Read, Tensors};
    use nezha_graphs::{Config, Head};

    use super::*;

    /// Numbers between −2 and 2, without a pattern.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> f32 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 40) as f32 / (1u32 << 22) as f32 - 2.0
        }
    }

    /// The width of the encoder, which has no effect on the path.
    const HIDDEN: usize = 4;

    struct Drawn {
        labels: usize,
        seed: u64,
    }

    impl Tensors for Drawn {
        fn shape(&self, name: &str) -> Option<Vec<usize>> {
            match name {
                "fc.weight" => Some(vec![self.labels, HIDDEN]),
                "fc.bias" | "crf.start_transitions" | "crf.end_transitions" => {
                    Some(vec![self.labels])
                }
                "crf.transitions" => Some(vec![self.labels; 2]),
                _ => None,
            }
        }

        fn values(&self, name: &str) -> Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>> {
            let mut numbers = Numbers(self.seed + name.len() as u64);
            let count = self.shape(name).ok_or("no such tensor")?;
            Ok((0..count.iter().product())
                .map(|_| numbers.next())
                .collect())
        }
    }

    /// A CRF with random numbers, read as that of a checkpoint is.
    fn crf(labels: usize, seed: u64) -> CrfScores {
        let text = format!(r#"{{"hidden_size": {HIDDEN}, "num_attention_heads": 1}}"#);
        let config = Config::from_json(&text).unwrap();
        let scored = OutputSpec::new([Read::Tokens]).step(Linear::new("fc"));
        let spec = HeadSpec::new("drawn").output(scored.crf(Crf::new("crf")));
        let Head::Own(own) = spec.resolve(&config, &Drawn { labels, seed }).unwrap() else {
            panic!("no head of its own");
        };
        let output = own.outputs().next().unwrap();
        output.spec.crf.as_ref().unwrap().scores.clone().unwrap()
    }

    fn score(crf: &CrfScores, emissions: &Array2<f32>, path: &[usize]) -> f64 {
        let emitted = path.iter().enumerate();
        let emitted: f64 = emitted
            .map(|(t, label)| f64::from(emissions[[t, *label]]))
            .sum();
        let pairs = path.iter().zip(path.iter().skip(1));
        let between: f64 = pairs.map(|(a, b)| f64::from(crf.transitions[*a][*b])).sum();
        let ends = sum(crf.start[path[0]], crf.end[path[path.len() - 1]]);
        emitted + between + ends
    }

    #[test]
    fn the_path_is_the_best_of_all_paths() {
        for (labels, tokens, seed) in [(2, 1, 1), (3, 4, 2), (4, 5, 3), (5, 5, 4), (1, 3, 5)] {
            let crf = crf(labels, seed);
            let mut numbers = Numbers(seed * 77);
            let emissions = Array2::from_shape_simple_fn((tokens, labels), || numbers.next());
            let all = (0..labels.pow(tokens as u32)).map(|number| {
                let label = |t: usize| number / labels.pow(t as u32) % labels;
                (0..tokens).map(label).collect::<Vec<_>>()
            });
            let best = all
                .max_by(|a, b| score(&crf, &emissions, a).total_cmp(&score(&crf, &emissions, b)));
            let best = best.unwrap();
            let found = Viterbi::new(&crf).decode(emissions.view());
            assert_eq!(found.labels, best, "{labels} labels, {tokens} tokens");
            let expected = score(&crf, &emissions, &best) as f32;
            assert!(
                (found.score - expected).abs() < 1e-5,
                "{} for {expected}",
                found.score
            );
        }
    }

    #[test]
    fn no_tokens_have_an_empty_path() {
        let crf = crf(3, 1);
        let found = Viterbi::new(&crf).decode(Array2::zeros((0, 3)).view());
        assert_eq!((found.labels, found.score), (Vec::new(), 0.0));
    }
}
