use nezha_graphs::head_spec::Conv;

use super::Place;
use crate::graph::{Op, Value};

/// A convolution over the tokens of `x` [batch, sequence, inputs], which gives [batch, sequence, outputs].
pub(super) fn conv(place: &Place, conv: &Conv, x: Value) -> Value {
    let s = place.module(&conv.module);
    let kernel = conv.kernel.unwrap_or_default();
    let mut inputs = vec![s.transpose(x, &[0, 2, 1]), s.weight("weight", &kernel)];
    if conv.bias == Some(true) {
        inputs.push(s.weight("bias", &kernel[..1]));
    }
    let op = Op::Conv {
        padding: conv.padding.unwrap_or(0),
        dilation: conv.dilation,
    };
    s.transpose(s.node(op, &inputs), &[0, 2, 1])
}
