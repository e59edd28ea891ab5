//! burn-onnx: the folder of cases in, a JSON line for each head out.

use anyhow::{Context, Result, bail};
use burn::tensor::{Int, Tensor as Found, TensorData};
use nezha_interop_cases::{Case, Tensor, Tensors};

include!(concat!(env!("OUT_DIR"), "/models.rs"));

fn main() -> Result<()> {
    nezha_interop_cases::run(|it| Ok(it.head.clone()), |head, case| answer(head, case))
}

fn ids<const RANK: usize>(case: &Case, name: &str) -> Result<Found<RANK, Int>> {
    let tensor = case.inputs.get(name).context("no such input")?;
    let data = TensorData::new(tensor.ids(), tensor.shape.clone());
    Ok(Found::from_data(data, &Default::default()))
}

fn floats<const RANK: usize>(found: Found<RANK>) -> Result<Tensor> {
    let shape = found.dims();
    Ok(Tensor::new(&shape, &found.into_data().try_to_vec()?))
}
