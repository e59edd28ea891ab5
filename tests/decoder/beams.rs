//! Beam search against a search that computes every sequence anew, in double precision.

use ndarray::{Array2, Ix3, s};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::reference::{Inputs, Reference, ReferenceOptions};
use nezha_graphs::Head;
use nezha_runtime::{Decoder, Finish, GenerationOptions};
use testkit::compare::pairs;
use testkit::engines::ENGINES;
use testkit::fixtures::fixture;

use super::{beam, cached, masked_lm};

/// The decoder in double precision, without a cache.
struct Oracle {
    reference: Reference,
}

impl Oracle {
    fn new(configuration: &str) -> Self {
        let folder = fixture(&format!("{configuration}/masked-lm")).folder;
        let checkpoint = Checkpoint::open(&folder, &OpenOptions::default()).unwrap();
        Self {
            reference: Reference::load(&checkpoint).unwrap(),
        }
    }

    /// Log-probabilities of the token after each of the sequences, which are of one length.
    fn next(&self, sequences: &[Vec<u32>]) -> Array2<f64> {
        let shape = (sequences.len(), sequences[0].len());
        let ids = Array2::from_shape_fn(shape, |(row, column)| i64::from(sequences[row][column]));
        let inputs = Inputs::from([("input_ids".to_owned(), ids.into_dyn().into())]);
        let options = ReferenceOptions::default();
        let outputs = self
            .reference
            .run(Head::MaskedLm, &options, &inputs)
            .unwrap();
        let logits = outputs["logits"]
            .view()
            .into_dimensionality::<Ix3>()
            .unwrap();
        let mut last = logits.slice(s![.., -1, ..]).to_owned();
        for mut row in last.outer_iter_mut() {
            let sum = row.mapv(f64::exp).sum();
            row -= sum.ln();
        }
        last
    }

    /// Every sequence of at most `length` tokens that ends at `eos` or there, with its
    /// log-probability.
    fn all(&self, prompt: &[u32], length: usize, eos: Option<u32>) -> Vec<(Vec<u32>, f64)> {
        let mut ended = Vec::new();
        let mut open = vec![(Vec::new(), 0.0)];
        for step in 1..=length {
            let whole: Vec<Vec<u32>> = open
                .iter()
                .map(|(new, _): &(Vec<u32>, f64)| [prompt, new].concat())
                .collect();
            let next = self.next(&whole);
            let rows = pairs("sequences of the oracle", &open, next.outer_iter());
            let grown = rows.flat_map(|((new, sum), next)| {
                let grow = |(token, log): (usize, &f64)| {
                    ([new.as_slice(), &[token as u32]].concat(), sum + log)
                };
                next.iter().enumerate().map(grow).collect::<Vec<_>>()
            });
            let is_end = |(new, _): &(Vec<u32>, f64)| step == length || new.last().copied() == eos;
            let (done, rest): (Vec<_>, Vec<_>) = grown.partition(is_end);
            ended.extend(done);
            open = rest;
        }
        ended
    }

    /// Beam search as transformers 4.46.3 has it in `BeamSearchScorer`, over full runs.
    fn beam(
        &self,
        prompt: &[u32],
        width: usize,
        length: usize,
        eos: u32,
        penalty: f64,
    ) -> Vec<u32> {
        let score = |(new, sum): &(Vec<u32>, f64)| sum / (new.len() as f64).powf(penalty);
        let mut beams = vec![(Vec::new(), 0.0)];
        let mut hypotheses: Vec<(Vec<u32>, f64)> = Vec::new();
        for _ in 0..length {
            let whole: Vec<Vec<u32>> = beams
                .iter()
                .map(|(new, _): &(Vec<u32>, f64)| [prompt, new].concat())
                .collect();
            let next = self.next(&whole);
            let mut grown = Vec::new();
            let rows = pairs("beams of the oracle", &beams, next.outer_iter());
            for ((new, sum), next) in rows {
                for (token, log) in next.iter().enumerate() {
                    grown.push(([new.as_slice(), &[token as u32]].concat(), sum + log));
                }
            }
            grown.sort_by(|a, b| b.1.total_cmp(&a.1));
            grown.truncate(2 * width);
            let best = score(&grown[0]);
            beams = Vec::new();
            for (rank, candidate) in grown.into_iter().enumerate() {
                match candidate.0.last() == Some(&eos) {
                    true if rank < width => hypotheses.push(candidate),
                    true => (),
                    false if beams.len() < width => beams.push(candidate),
                    false => (),
                }
            }
            hypotheses.sort_by(|a, b| score(b).total_cmp(&score(a)));
            hypotheses.truncate(width);
            if hypotheses.len() == width && score(&hypotheses[width - 1]) >= best {
                beams.clear();
                break;
            }
        }
        hypotheses.extend(beams);
        let best = hypotheses
            .into_iter()
            .max_by(|a, b| score(a).total_cmp(&score(b)));
        best.unwrap().0
    }
}

#[test]
fn as_many_beams_as_there_are_sequences_find_the_best_of_all() {
    let oracle = Oracle::new("decoder-causal");
    let (_folder, path) = masked_lm("decoder-causal", &cached());
    let prompt = vec![9, 29, 1];
    for engine in ENGINES {
        let session = engine.session(&path);
        for (length, eos, penalty) in [(2, None, 1.0), (2, Some(27), 0.0), (2, Some(27), 2.0)] {
            let all = oracle.all(&prompt, length, eos);
            let score = |it: &&(Vec<u32>, f64)| it.1 / (it.0.len() as f64).powf(penalty);
            let best = all
                .iter()
                .max_by(|a, b| score(a).total_cmp(&score(b)))
                .unwrap();
            let options = GenerationOptions::default()
                .max_new_tokens(length)
                .eos(eos.map(|it| vec![it]))
                .strategy(beam(59, penalty));
            let mut decoder = Decoder::new(&session).unwrap();
            let context = format!("{engine}, {length} tokens, eos {eos:?}, penalty {penalty}");
            let found = decoder.generate(std::slice::from_ref(&prompt), &options);
            let found = found.unwrap();
            for ((ids, log_probability), found) in pairs(&context, [best], found) {
                assert_eq!(found.ids, *ids, "{context}");
                let apart = (found.log_probability - log_probability).abs();
                assert!(
                    apart < 10.0 * engine.tolerance(),
                    "{context}: log-probability {}, expected {log_probability}",
                    found.log_probability
                );
            }
        }
    }
}

#[test]
fn beams_are_those_of_a_search_that_recomputes_everything() {
    let oracle = Oracle::new("decoder-causal");
    let (_folder, path) = masked_lm("decoder-causal", &cached());
    let prompts = vec![vec![9, 29, 1], vec![55, 58, 4, 30, 2], vec![7]];
    let mut ended_early = 0;
    for engine in ENGINES {
        let session = engine.session(&path);
        for (width, penalty, eos) in [
            (2, 1.0, 27),
            (3, 0.0, 28),
            (4, 1.0, 38),
            (5, -1.0, 11),
            (3, 2.0, 32),
        ] {
            let options = GenerationOptions::default()
                .max_new_tokens(6)
                .eos(vec![eos])
                .strategy(beam(width, penalty));
            let found = Decoder::new(&session)
                .unwrap()
                .generate(&prompts, &options)
                .unwrap();
            let context = format!("{engine}, {width} beams, penalty {penalty}, eos {eos}");
            for (prompt, found) in pairs(&context, &prompts, found) {
                let expected = oracle.beam(prompt, width, 6, eos, penalty);
                assert_eq!(found.ids, expected, "{context}, prompt {prompt:?}");
                ended_early += usize::from(found.finish == Finish::Eos);
            }
        }
    }
    assert!(
        ended_early > 2,
        "only {ended_early} sequences met their eos"
    );
}
