use nezha_graphs::{Role, Signature};

/// The axes of a graph's inputs that have a fixed size, as tools such as ONNX Runtime's
/// `make_dynamic_shape_fixed` leave them. nezha-onnx exports dynamic axes by default.
///
/// A pipeline pads its inputs to these sizes and truncates longer ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedAxes {
    /// Rows of a batch.
    pub batch: Option<usize>,
    /// Choices of a row.
    pub choices: Option<usize>,
    /// Tokens of a sequence.
    pub sequence: Option<usize>,
}

impl FixedAxes {
    /// Reads the fixed axes from the first input of the graph that pipelines fill.
    pub fn of(signature: &Signature) -> Self {
        const GIVEN: [Role; 3] = [Role::TokenIds, Role::AttentionMask, Role::TokenTypes];
        let port = GIVEN.into_iter().find_map(|role| signature.input_of(role));
        let shape = port.map(|it| it.shape.as_slice());
        match shape {
            Some([batch, sequence]) => Self {
                batch: batch.as_fixed(),
                choices: None,
                sequence: sequence.as_fixed(),
            },
            Some([batch, choices, sequence]) => Self {
                batch: batch.as_fixed(),
                choices: choices.as_fixed(),
                sequence: sequence.as_fixed(),
            },
            _ => Self::default(),
        }
    }
}
