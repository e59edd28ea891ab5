//! Converts NumPy's arrays to tensors, and back.

use half::f16;
use nezha_graphs::DType;
use nezha_runtime::{Element, Tensor};
use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::failure::{Class, Failure};

/// The tensor of an array; the elements are copied.
pub(crate) fn tensor(name: &str, array: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    let readers = [
        read::<i64>,
        read::<f32>,
        read::<i32>,
        read::<f16>,
        read::<u8>,
        read::<i8>,
        read::<bool>,
    ];
    if let Some(tensor) = readers.iter().find_map(|read| read(array)) {
        return tensor;
    }
    let found = match array.cast::<PyUntypedArray>() {
        Ok(array) => array.dtype().to_string(),
        Err(_) => array.get_type().to_string(),
    };
    let message = format!(
        "input '{name}': {found} is the element type of no tensor in a NEZHA graph; expected one of int64, \
         float32, int32, float16, uint8, int8, bool"
    );
    Err(Failure::new(Class::Input, message).into())
}

fn read<T: Element + numpy::Element>(array: &Bound<'_, PyAny>) -> Option<PyResult<Tensor>> {
    let array = array.cast::<PyArrayDyn<T>>().ok()?;
    let tensor = array
        .try_readonly()
        .map(|array| array.as_array().to_owned().into())
        .map_err(|error| Failure::new(Class::Input, error.to_string()).into());
    Some(tensor)
}

/// The array of a tensor; the elements are moved.
pub(crate) fn array(py: Python<'_>, tensor: Tensor) -> PyResult<Bound<'_, PyAny>> {
    match tensor.dtype() {
        DType::F32 => write::<f32>(py, tensor),
        DType::F16 => write::<f16>(py, tensor),
        DType::I64 => write::<i64>(py, tensor),
        DType::I32 => write::<i32>(py, tensor),
        DType::U8 => write::<u8>(py, tensor),
        DType::I8 => write::<i8>(py, tensor),
        DType::Bool => write::<bool>(py, tensor),
    }
}

fn write<T: Element + numpy::Element>(
    py: Python<'_>,
    tensor: Tensor,
) -> PyResult<Bound<'_, PyAny>> {
    let array = tensor.into_array::<T>().map_err(Failure::from)?;
    Ok(array.into_pyarray(py).into_any())
}
