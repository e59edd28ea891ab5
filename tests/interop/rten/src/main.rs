//! rten: the folder of cases in, a JSON line for each head out.

use anyhow::{Context, Result, bail};
use nezha_interop_cases::{Case, Tensor, Tensors};
use rten::{Model, Value};
use rten_tensor::prelude::*;

fn main() -> Result<()> {
    nezha_interop_cases::run(|it| Ok(Model::load_file(&it.model)?), answer)
}

fn answer(model: &Model, case: &Case) -> Result<Tensors> {
    let inputs = case.inputs.iter().map(|(name, tensor)| {
        let ids = tensor.ids().into_iter().map(|it| it as i32).collect();
        let value = Value::from_shape(&tensor.shape, ids)?;
        Ok((model.node_id(name)?, value.into()))
    });
    let ids = model.output_ids();
    let found = model.run(inputs.collect::<Result<_>>()?, ids, None)?;
    let found = ids.iter().zip(found).map(|(id, found)| {
        let info = model.node_info(*id);
        let name = info
            .and_then(|it| it.name().map(String::from))
            .context("an output without name")?;
        let Value::FloatTensor(found) = found else {
            bail!("{name} is not float32");
        };
        Ok((name, Tensor::new(found.shape(), &found.to_vec())))
    });
    found.collect()
}
