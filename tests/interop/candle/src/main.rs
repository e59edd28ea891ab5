//! candle-onnx: the folder of cases in, a JSON line for each head out.

use anyhow::Result;
use candle_core::{Device, Tensor as Found};
use candle_onnx::onnx::ModelProto;
use nezha_interop_cases::{Case, Tensor, Tensors};

fn main() -> Result<()> {
    nezha_interop_cases::run(|it| Ok(candle_onnx::read_file(&it.model)?), answer)
}

fn answer(model: &ModelProto, case: &Case) -> Result<Tensors> {
    let inputs = case.inputs.iter().map(|(name, tensor)| {
        let ids = Found::from_vec(tensor.ids(), &*tensor.shape, &Device::Cpu)?;
        Ok((name.clone(), ids))
    });
    let found = candle_onnx::simple_eval(model, inputs.collect::<Result<_>>()?)?;
    let found = found.into_iter().map(|(name, tensor)| {
        let data = tensor.flatten_all()?.to_vec1()?;
        Ok((name, Tensor::new(tensor.dims(), &data)))
    });
    found.collect()
}
