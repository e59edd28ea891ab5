//! A model's answers to all texts, each text by itself, and the share of them that changed.

use std::collections::BTreeMap;

use nezha_graphs::Head;
use nezha_runtime::{EngineOptions, Model, Session, Tensors, Way};
use nezha_verify::texts;
use nezha_verify::{OutputAgreement, common};

use super::TuneError;

/// The answers to all texts.
pub(super) struct Answers {
    head: Option<Head>,
    of_texts: Vec<Tensors>,
}

impl Answers {
    /// Runs a model in one way on all texts.
    pub(super) fn of(
        model: &Model,
        way: Way,
        options: &EngineOptions,
        texts: &[Vec<u32>],
    ) -> Result<Self, TuneError> {
        let session = Session::builder()
            .engine(way.engine)
            .engine_options(way.options(options))
            .load(model.path())?;
        let ports = &session.signature().inputs;
        let answer = |text: &Vec<u32>| {
            let inputs = texts::tensors(ports, &vec![text.clone()])?;
            Ok(session.run(inputs)?)
        };
        Ok(Self {
            head: model.metadata().map(|it| it.head),
            of_texts: texts.iter().map(answer).collect::<Result<_, TuneError>>()?,
        })
    }

    /// The share of answers that differ from the expected ones: for scores, the rows whose largest
    /// element is at another place; for vectors and single numbers, 1 minus the cosine similarity.
    /// With several outputs, the largest share.
    pub(super) fn change(&self, expected: &Self) -> f64 {
        let mut outputs: BTreeMap<String, (OutputAgreement, usize)> = BTreeMap::new();
        for (found, expected) in self.of_texts.iter().zip(&expected.of_texts) {
            for (name, found, expected) in common(found, expected) {
                let output = outputs.entry(name.to_owned()).or_default();
                output.0.add(found, expected);
                output.1 = found.shape().last().copied().unwrap_or(1);
            }
        }
        let changes = outputs.values().map(|(output, width)| {
            let (rows, same) = output.rows();
            match self.head {
                Some(Head::Base) | None => 1.0 - output.cosine_similarity(),
                Some(_) if *width == 1 => 1.0 - output.cosine_similarity(),
                Some(_) => 1.0 - same as f64 / rows.max(1) as f64,
            }
        });
        // NaN counts as the largest possible change.
        changes
            .map(|it| if it.is_nan() { 1.0 } else { it })
            .fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;

    /// A head's answers, in which each row is an output of one text.
    fn answers(head: Head, rows: &[&[f32]]) -> Answers {
        let of_texts = rows.iter().map(|row| {
            let logits = ArrayD::from_shape_vec(vec![1, row.len()], row.to_vec()).unwrap();
            Tensors::from([("logits", logits.into())])
        });
        Answers {
            head: Some(head),
            of_texts: of_texts.collect(),
        }
    }

    #[test]
    fn labels_change_where_another_score_is_the_largest() {
        let of = |rows: &[&[f32]]| answers(Head::SequenceClassification, rows);
        let expected = of(&[&[1.0, 2.0], &[3.0, 1.0], &[0.0, 9.0], &[5.0, 4.0]]);
        let found = of(&[&[1.0, 1.5], &[0.0, 1.0], &[8.0, 9.0], &[5.0, 4.9]]);
        assert_eq!(found.change(&expected), 0.25);
        assert_eq!(expected.change(&expected), 0.0);
    }

    #[test]
    fn vectors_and_single_numbers_change_by_their_direction() {
        let vectors = |rows: &[&[f32]]| answers(Head::Base, rows);
        let turned = vectors(&[&[1.0, 0.0]]).change(&vectors(&[&[0.0, 1.0]]));
        assert!((turned - 1.0).abs() < 1e-9, "{turned}");
        let numbers = |rows: &[&[f32]]| answers(Head::SequenceClassification, rows);
        let changed = numbers(&[&[1.0], &[2.0]]).change(&numbers(&[&[2.0], &[1.0]]));
        assert!((changed - 0.2).abs() < 1e-6, "{changed}");
    }

    #[test]
    fn not_a_number_is_the_largest_change() {
        let of = |value| answers(Head::Base, &[&[value, 1.0]]);
        assert_eq!(of(f32::NAN).change(&of(1.0)), 1.0);
    }
}
