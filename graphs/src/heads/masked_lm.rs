use super::{HeadContract, VOCABULARY, labels_of_tokens, logits};
use crate::ports::{Shapes, axes};
use crate::{Dim, GraphOption, Port, Role};

/// Scores of the vocabulary at every position, or at the positions in `mask_positions`.
pub(super) struct MaskedLm;

impl HeadContract for MaskedLm {
    fn name(&'static self) -> &'static str {
        "masked-lm"
    }

    fn transformers_class(&self) -> Option<&'static str> {
        Some("NezhaForMaskedLM")
    }

    fn options(&self) -> &'static [GraphOption] {
        &[
            GraphOption::Loss,
            GraphOption::KvCache,
            GraphOption::Probabilities,
            GraphOption::MaskPositions,
            GraphOption::TopK,
        ]
    }

    fn has_cross_attention(&self) -> bool {
        true
    }

    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        let vocab_size = shapes.config.vocab_size;
        let scored = match shapes.options.mask_positions {
            true => vec![Dim::symbol(axes::MASK_POSITIONS), vocab_size.into()],
            false => shapes.tokens_by(vocab_size),
        };
        let mut ports = logits(shapes, &scored, VOCABULARY);
        if let Some(k) = shapes.options.top_k {
            let best = [&scored[..scored.len() - 1], &[k.into()]].concat();
            let doc = "the most probable tokens, best first";
            ports.push(Port::int(Role::TopIds, &best, doc));
            ports.push(Port::float(
                Role::TopProbabilities,
                &best,
                "their probabilities",
            ));
        }
        ports
    }

    fn labels(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        vec![labels_of_tokens(shapes)]
    }
}
