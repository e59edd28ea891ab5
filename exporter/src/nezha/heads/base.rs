use nezha_graphs::{GraphOptions, Pooling, Role};

use super::parts::{POOLER, pooler};
use super::{Given, HeadGraph, Stack};
use crate::graph::Value;
use crate::nezha::pooling;

/// The last hidden state and the pooler's output, or one vector for each text.
pub(super) struct Base;

impl HeadGraph for Base {
    fn reads_first_token(&self, options: &GraphOptions) -> bool {
        options.pooling == Some(Pooling::Cls)
    }

    fn outputs(&self, given: &Given) -> Vec<(Role, Value)> {
        let x = given.last_hidden_state;
        let mut outputs = vec![(Role::LastHiddenState, x)];
        if let Some(way) = given.options.pooling {
            let s = &given.builder.scope("pooling");
            let pooled = pooling::pool(s, way, x, given.inputs.attention_mask);
            let embeddings = match given.options.normalize {
                true => pooling::normalize(s, pooled),
                false => pooled,
            };
            outputs.push((Role::Embeddings, embeddings));
        } else if given.options.pooler {
            outputs.push((Role::PoolerOutput, pooler(given)));
        }
        outputs
    }

    fn optional_module(&self) -> Option<&'static str> {
        Some(POOLER)
    }

    fn stacks(&self) -> &'static [Stack] {
        &[Stack::Optimum, Stack::TransformersJs, Stack::Tei]
    }
}
