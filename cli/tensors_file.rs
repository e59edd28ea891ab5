//! Tensors in a safetensors file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nezha_graphs::DType;
use nezha_graphs::files::write_file;
use nezha_runtime::{Tensor, Tensors};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// The element types that both formats have.
const DTYPES: [(Dtype, DType); 7] = [
    (Dtype::F32, DType::F32),
    (Dtype::F16, DType::F16),
    (Dtype::I64, DType::I64),
    (Dtype::I32, DType::I32),
    (Dtype::U8, DType::U8),
    (Dtype::I8, DType::I8),
    (Dtype::BOOL, DType::Bool),
];

/// All tensors of a file, by name.
pub fn read(path: &Path) -> Result<Tensors> {
    let at = || path.display().to_string();
    let bytes = fs::read(path).with_context(|| format!("{}: can't be read", at()))?;
    let file = SafeTensors::deserialize(&bytes)
        .with_context(|| format!("{}: not a safetensors file", at()))?;
    file.iter()
        .map(|(name, view)| Ok((name.to_owned(), tensor(&at(), name, &view)?)))
        .collect()
}

fn tensor(file: &str, name: &str, view: &TensorView) -> Result<Tensor> {
    let Some((_, dtype)) = DTYPES.iter().find(|(stored, _)| *stored == view.dtype()) else {
        bail!(
            "{file}: tensor '{name}' is {:?}, which no input can be",
            view.dtype()
        );
    };
    Ok(Tensor::from_le_bytes(*dtype, view.shape(), view.data())?)
}

/// Writes all tensors; the file is the old one or the new one, whole.
pub fn write(path: &Path, tensors: &Tensors) -> Result<()> {
    let bytes: Vec<(&str, &Tensor, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| (name, tensor, tensor.to_le_bytes()))
        .collect();
    let views = bytes.iter().map(|(name, tensor, bytes)| {
        let (dtype, _) = DTYPES
            .iter()
            .find(|(_, ours)| *ours == tensor.dtype())
            .with_context(|| format!("output '{name}' is {tensor}, which safetensors lacks"))?;
        Ok((
            *name,
            TensorView::new(*dtype, tensor.shape().to_vec(), bytes)?,
        ))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, None)?;
    Ok(write_file(path, file)?)
}
