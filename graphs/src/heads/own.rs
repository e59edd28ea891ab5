use super::HeadContract;
use crate::head_spec::{Form, OwnOutput};
use crate::ports::Shapes;
use crate::{Dim, GraphOption, OwnHead, Port, axes};

/// A head of the user's own: its outputs are those of its spec.
impl HeadContract for OwnHead {
    fn name(&'static self) -> &'static str {
        &self.spec().name
    }

    fn transformers_class(&self) -> Option<&'static str> {
        None
    }

    fn options(&self) -> &'static [GraphOption] {
        &[]
    }

    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        let port = |output: OwnOutput<'_>| {
            let doc = format!("of the head {}", self.spec().name);
            let shape = shape(shapes, output.form);
            Port::float(output.role, &shape, &doc).called(output.name)
        };
        self.outputs().map(port).collect()
    }

    fn labels(&self, _: &Shapes<'_>) -> Vec<Port> {
        Vec::new()
    }
}

fn shape(shapes: &Shapes<'_>, form: Form) -> Vec<Dim> {
    match form {
        Form::Text(width) => shapes.texts_by(width),
        Form::Tokens(width) => shapes.tokens_by(width),
        Form::TextNumber => shapes.texts(),
        Form::TokenNumber => shapes.tokens(),
        Form::Pairs(labels) => {
            let sequence = Dim::symbol(axes::SEQUENCE);
            let batch = Dim::symbol(axes::BATCH);
            vec![batch, labels.into(), sequence.clone(), sequence]
        }
    }
}
