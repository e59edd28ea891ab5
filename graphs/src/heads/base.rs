use super::HeadContract;
use crate::ports::Shapes;
use crate::{GraphOption, Port, Role};

/// The encoder with the pooler, or, with [`Pooling`](crate::Pooling), one vector for each text.
pub(super) struct Base;

impl HeadContract for Base {
    fn name(&'static self) -> &'static str {
        "base"
    }

    fn transformers_class(&self) -> Option<&'static str> {
        Some("NezhaModel")
    }

    fn options(&self) -> &'static [GraphOption] {
        &[GraphOption::Pooling, GraphOption::KvCache]
    }

    fn has_cross_attention(&self) -> bool {
        true
    }

    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        let hidden_size = shapes.config.hidden_size;
        let text = shapes.texts_by(hidden_size);
        if shapes.options.pooling.is_some() {
            let doc = "one vector for each text";
            return vec![Port::float(Role::Embeddings, &text, doc)];
        }
        let states = shapes.tokens_by(hidden_size);
        let doc = "output of the last layer";
        let mut ports = vec![Port::float(Role::LastHiddenState, &states, doc)];
        if shapes.options.pooler {
            let doc = "tanh of the dense layer over the first token";
            ports.push(Port::float(Role::PoolerOutput, &text, doc));
        }
        ports
    }

    fn labels(&self, _: &Shapes<'_>) -> Vec<Port> {
        Vec::new()
    }
}
