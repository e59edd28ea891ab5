use nezha_graphs::head_spec::Conv;

use super::Place;
use crate::graph::Value;

/// A convolution over the tokens of `x` [batch, sequence, inputs], to [batch, sequence, outputs].
pub(super) fn conv(place: &Place, conv: &Conv, x: Value) -> Value {
    let s = place.module(&conv.module);
    let kernel = conv.kernel.unwrap_or_default();
    let bias = (conv.bias == Some(true)).then(|| s.weight("bias", &kernel[..1]));
    let weight = s.weight("weight", &kernel);
    let padding = conv.padding.unwrap_or(0);
    let columns = s.transpose(x, &[0, 2, 1]);
    let y = s.conv(columns, weight, bias, padding, conv.dilation);
    s.transpose(y, &[0, 2, 1])
}
