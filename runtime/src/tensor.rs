use std::fmt;

use half::f16;
use ndarray::{Array, ArrayD, Dimension, IxDyn};
use nezha_graphs::DType;

/// A dense tensor in row-major order, of one of the element types of NEZHA graphs.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor(pub(crate) Data);

/// The elements, always in standard (row-major, contiguous) layout.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    F32(ArrayD<f32>),
    F16(ArrayD<f16>),
    I64(ArrayD<i64>),
    I32(ArrayD<i32>),
    U8(ArrayD<u8>),
    I8(ArrayD<i8>),
    Bool(ArrayD<bool>),
}

/// Evaluates `$body` for any element type, with `$array` bound to the array in a tensor's data; if
/// the data is a reference, so is `$array`.
macro_rules! with_array {
    ($data:expr, $array:ident => $body:expr) => {
        match $data {
            $crate::tensor::Data::F32($array) => $body,
            $crate::tensor::Data::F16($array) => $body,
            $crate::tensor::Data::I64($array) => $body,
            $crate::tensor::Data::I32($array) => $body,
            $crate::tensor::Data::U8($array) => $body,
            $crate::tensor::Data::I8($array) => $body,
            $crate::tensor::Data::Bool($array) => $body,
        }
    };
}

/// Evaluates `$body` with the type `$element` set to the Rust type of a [`DType`].
macro_rules! with_element {
    ($dtype:expr, $element:ident => $body:expr) => {
        match $dtype {
            nezha_graphs::DType::F32 => {
                type $element = f32;
                $body
            }
            nezha_graphs::DType::F16 => {
                type $element = half::f16;
                $body
            }
            nezha_graphs::DType::I64 => {
                type $element = i64;
                $body
            }
            nezha_graphs::DType::I32 => {
                type $element = i32;
                $body
            }
            nezha_graphs::DType::U8 => {
                type $element = u8;
                $body
            }
            nezha_graphs::DType::I8 => {
                type $element = i8;
                $body
            }
            nezha_graphs::DType::Bool => {
                type $element = bool;
                $body
            }
        }
    };
}

pub(crate) use {with_array, with_element};

/// A Rust type that is the element type of a [`Tensor`].
pub trait Element: Copy + sealed::Bytes {
    /// The element type that it stands for.
    const DTYPE: DType;

    #[doc(hidden)]
    fn array(tensor: &Tensor) -> Option<&ArrayD<Self>>;

    #[doc(hidden)]
    fn into_array(tensor: Tensor) -> Result<ArrayD<Self>, Tensor>;

    #[doc(hidden)]
    fn tensor(array: ArrayD<Self>) -> Tensor;
}

mod sealed {
    /// Little-endian bytes of one element.
    pub trait Bytes: Sized {
        fn read(bytes: &[u8]) -> Option<Self>;
        fn write(self, bytes: &mut Vec<u8>);
    }
}

macro_rules! element {
    ($($rust:ty, $variant:ident;)*) => {$(
        impl Element for $rust {
            const DTYPE: DType = DType::$variant;

            fn array(tensor: &Tensor) -> Option<&ArrayD<Self>> {
                match &tensor.0 {
                    Data::$variant(array) => Some(array),
                    _ => None,
                }
            }

            fn into_array(tensor: Tensor) -> Result<ArrayD<Self>, Tensor> {
                match tensor.0 {
                    Data::$variant(array) => Ok(array),
                    other => Err(Tensor(other)),
                }
            }

            fn tensor(array: ArrayD<Self>) -> Tensor {
                Tensor(Data::$variant(match array.is_standard_layout() {
                    true => array,
                    false => array.as_standard_layout().into_owned(),
                }))
            }
        }
    )*};
}

element! { f32, F32; f16, F16; i64, I64; i32, I32; u8, U8; i8, I8; bool, Bool; }

macro_rules! number_bytes {
    ($($rust:ty),*) => {$(
        impl sealed::Bytes for $rust {
            fn read(bytes: &[u8]) -> Option<Self> {
                Some(<$rust>::from_le_bytes(bytes.try_into().ok()?))
            }

            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

number_bytes!(f32, f16, i64, i32, u8, i8);

impl sealed::Bytes for bool {
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first().map(|byte| *byte != 0)
    }

    fn write(self, bytes: &mut Vec<u8>) {
        bytes.push(self.into());
    }
}

/// Why tensors can't be read or made as requested.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorError {
    /// The tensor has another element type.
    #[error("the tensor is {found}, expected {expected}")]
    DType {
        /// The type that was asked for.
        expected: DType,
        /// The type it has.
        found: DType,
    },
    /// The number of bytes doesn't fit the shape.
    #[error("{found} bytes can't be {dtype} of shape {shape:?}")]
    Size {
        /// The element type.
        dtype: DType,
        /// The shape.
        shape: Vec<usize>,
        /// The number of bytes.
        found: usize,
    },
    /// There is no tensor of this name.
    #[error("there is no tensor '{name}'; there are {known}")]
    Missing {
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
}

impl Tensor {
    /// The element type.
    pub fn dtype(&self) -> DType {
        match &self.0 {
            Data::F32(_) => DType::F32,
            Data::F16(_) => DType::F16,
            Data::I64(_) => DType::I64,
            Data::I32(_) => DType::I32,
            Data::U8(_) => DType::U8,
            Data::I8(_) => DType::I8,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// The shape; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        with_array!(&self.0, array => array.shape())
    }

    /// The elements, by reference.
    ///
    /// # Errors
    /// [`TensorError::DType`] if the tensor has another element type.
    pub fn array<T: Element>(&self) -> Result<&ArrayD<T>, TensorError> {
        T::array(self).ok_or(TensorError::DType {
            expected: T::DTYPE,
            found: self.dtype(),
        })
    }

    /// Takes the elements out of the tensor.
    ///
    /// # Errors
    /// Those of [`array`](Self::array).
    pub fn into_array<T: Element>(self) -> Result<ArrayD<T>, TensorError> {
        T::into_array(self).map_err(|tensor| TensorError::DType {
            expected: T::DTYPE,
            found: tensor.dtype(),
        })
    }

    /// Makes a tensor of elements in row-major order.
    ///
    /// # Errors
    /// [`TensorError::Size`] if their number doesn't fit the shape.
    pub fn from_elements<T: Element>(
        shape: &[usize],
        elements: Vec<T>,
    ) -> Result<Self, TensorError> {
        let found = elements.len().saturating_mul(T::DTYPE.size());
        let array = Array::from_shape_vec(IxDyn(shape), elements);
        let array = array.map_err(|_| TensorError::Size {
            dtype: T::DTYPE,
            shape: shape.to_vec(),
            found,
        })?;
        Ok(T::tensor(array))
    }

    /// Converts integers to the element type of an input for ids, masks or labels: int64, int32 or
    /// float32. `None` for any other type.
    pub fn of_integers(dtype: DType, numbers: ArrayD<i64>) -> Option<Self> {
        match dtype {
            DType::I64 => Some(numbers.into()),
            DType::I32 => Some(numbers.mapv(|it| it as i32).into()),
            DType::F32 => Some(numbers.mapv(|it| it as f32).into()),
            DType::F16 | DType::U8 | DType::I8 | DType::Bool => None,
        }
    }

    /// Makes a tensor of elements that are given as little-endian bytes in row-major order.
    ///
    /// # Errors
    /// [`TensorError::Size`] if the number of bytes doesn't fit the shape.
    pub fn from_le_bytes(dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<Self, TensorError> {
        let size = || TensorError::Size {
            dtype,
            shape: shape.to_vec(),
            found: bytes.len(),
        };
        if !bytes.len().is_multiple_of(dtype.size()) {
            return Err(size());
        }
        with_element!(dtype, T => {
            let elements = bytes.chunks_exact(dtype.size()).map(<T as sealed::Bytes>::read);
            Self::from_elements(shape, elements.collect::<Option<Vec<T>>>().ok_or_else(size)?)
        })
    }

    /// Selects slices along the first axis, in this order; their indices must be in range.
    #[cfg(feature = "decoder")]
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        with_array!(&self.0, array => array.select(ndarray::Axis(0), rows).into())
    }

    /// The elements as little-endian bytes in row-major order.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        with_array!(&self.0, array => array.iter().for_each(|it| sealed::Bytes::write(*it, &mut bytes)));
        bytes
    }
}

impl<T: Element, D: Dimension> From<Array<T, D>> for Tensor {
    fn from(array: Array<T, D>) -> Self {
        T::tensor(array.into_dyn())
    }
}

impl fmt::Display for Tensor {
    /// Writes `dtype[size, size]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.dtype(), self.shape())
    }
}

/// Tensors by name, in the order in which they were added.
///
/// ```
/// use ndarray::array;
/// use nezha_runtime::Tensors;
///
/// let inputs = Tensors::from([("input_ids", array![[101_i64, 102]].into())]);
/// assert_eq!(inputs.array::<i64>("input_ids")?[[0, 1]], 102);
/// # Ok::<(), nezha_runtime::TensorError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors(Vec<(String, Tensor)>);

impl Tensors {
    /// Adds a tensor, or replaces the one with this name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: impl Into<Tensor>) {
        let (name, tensor) = (name.into(), tensor.into());
        match self.0.iter_mut().find(|(it, _)| *it == name) {
            Some((_, slot)) => *slot = tensor,
            None => self.0.push((name, tensor)),
        }
    }

    /// Removes and returns the tensor with this name.
    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        let place = self.0.iter().position(|(it, _)| it == name)?;
        Some(self.0.remove(place).1)
    }

    /// The tensor with this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.iter().find(|(it, _)| *it == name).map(|(_, it)| it)
    }

    /// The elements of the tensor with this name.
    ///
    /// # Errors
    /// [`TensorError::Missing`]; [`TensorError::DType`] if it has another element type.
    pub fn array<T: Element>(&self, name: &str) -> Result<&ArrayD<T>, TensorError> {
        match self.get(name) {
            Some(tensor) => tensor.array(),
            None => Err(TensorError::Missing {
                name: name.to_owned(),
                known: self.iter().map(|(it, _)| it).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Iterates over names and tensors, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

impl<N: Into<String>> FromIterator<(N, Tensor)> for Tensors {
    fn from_iter<I: IntoIterator<Item = (N, Tensor)>>(pairs: I) -> Self {
        let mut tensors = Self::default();
        pairs
            .into_iter()
            .for_each(|(name, tensor)| tensors.insert(name, tensor));
        tensors
    }
}

impl<const N: usize> From<[(&str, Tensor); N]> for Tensors {
    fn from(pairs: [(&str, Tensor); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl IntoIterator for Tensors {
    type Item = (String, Tensor);
    type IntoIter = std::vec::IntoIter<(String, Tensor)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests;
