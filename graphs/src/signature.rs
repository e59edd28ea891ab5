use std::borrow::Cow;
use std::fmt;

use crate::ports::{self, axes};
use crate::proto::{DimensionProto, DimensionValue, ValueInfoProto};
use crate::proto::{TensorShapeProto, TensorTypeProto, TypeProto};
use crate::{Bindings, Config, DType, Dim, GraphOptions, Head, PortNames, Role};

/// An input or an output of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its element type.
    pub dtype: DType,
    /// Its shape, dynamic axes by name.
    pub shape: Vec<Dim>,
    /// A description for readers.
    pub doc: String,
}

impl Port {
    /// A port with this name; the role is the contract's for the name.
    pub fn new(name: impl Into<String>, dtype: DType, shape: &[Dim], doc: &str) -> Self {
        let name = name.into();
        Self {
            role: Role::from_name(&name),
            name,
            dtype,
            shape: shape.to_vec(),
            doc: doc.to_owned(),
        }
    }

    /// A float32 port with the contract's name for its role.
    pub(crate) fn float(role: Role, shape: &[Dim], doc: &str) -> Self {
        Self::of_role(role, DType::F32, shape, doc)
    }

    /// An int64 port with the contract's name for its role.
    pub(crate) fn int(role: Role, shape: &[Dim], doc: &str) -> Self {
        Self::of_role(role, DType::I64, shape, doc)
    }

    fn of_role(role: Role, dtype: DType, shape: &[Dim], doc: &str) -> Self {
        Self {
            name: role.name().into_owned(),
            role,
            dtype,
            shape: shape.to_vec(),
            doc: doc.to_owned(),
        }
    }

    /// The same port with another name.
    pub(crate) fn called(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The contract's name for the role; the port's own name if the contract has none.
    pub fn contract_name(&self) -> Cow<'_, str> {
        match self.role {
            Role::Other | Role::Own(_) => self.name.as_str().into(),
            role => role.name(),
        }
    }

    /// The port as an ONNX message.
    pub fn to_proto(&self) -> ValueInfoProto {
        let dim = |dim: &Dim| DimensionProto {
            value: Some(match dim.as_fixed() {
                Some(number) => DimensionValue::DimValue(number as i64),
                None => DimensionValue::DimParam(dim.to_string()),
            }),
        };
        ValueInfoProto {
            name: self.name.clone(),
            r#type: Some(TypeProto {
                tensor_type: Some(TensorTypeProto {
                    elem_type: self.dtype.onnx(),
                    shape: Some(TensorShapeProto {
                        dim: self.shape.iter().map(dim).collect(),
                    }),
                }),
            }),
            doc_string: self.doc.clone(),
        }
    }

    /// Reads a port from an ONNX message.
    ///
    /// A dimension with neither number nor name is called `{port}.{axis}`. The role is the
    /// contract's for the name.
    ///
    /// # Errors
    /// [`SignatureError::Untyped`] if the message has no shape, or has an element type that no
    /// NEZHA graph has.
    pub fn from_proto(proto: &ValueInfoProto) -> Result<Self, SignatureError> {
        let untyped = || SignatureError::Untyped {
            name: proto.name.clone(),
        };
        let tensor = proto.r#type.as_ref().and_then(|it| it.tensor_type.as_ref());
        let tensor = tensor.ok_or_else(untyped)?;
        let shape = tensor.shape.as_ref().ok_or_else(untyped)?;
        let dim = |(axis, dim): (usize, &DimensionProto)| match &dim.value {
            Some(DimensionValue::DimValue(number)) if *number >= 0 => Dim::from(*number as usize),
            Some(DimensionValue::DimParam(text)) if !text.is_empty() => Dim::parse(text),
            _ => Dim::symbol(&format!("{}.{axis}", proto.name)),
        };
        Ok(Self {
            name: proto.name.clone(),
            role: Role::from_name(&proto.name),
            dtype: DType::from_onnx(tensor.elem_type).ok_or_else(untyped)?,
            shape: shape.dim.iter().enumerate().map(dim).collect(),
            doc: proto.doc_string.clone(),
        })
    }
}

impl fmt::Display for Port {
    /// `name: dtype[dim, dim]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<String> = self.shape.iter().map(Dim::to_string).collect();
        write!(f, "{}: {}[{}]", self.name, self.dtype, shape.join(", "))
    }
}

/// The inputs and outputs of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// The inputs, in the graph's order.
    pub inputs: Vec<Port>,
    /// The outputs, in the graph's order.
    pub outputs: Vec<Port>,
}

/// Why tensors don't match a signature, or a graph has no signature.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// A port of the graph has no type or no shape.
    #[error("'{name}' has no shape, or an element type that a NEZHA graph can't have")]
    Untyped {
        /// The port.
        name: String,
    },
    /// The graph doesn't have this input.
    #[error("there is no input '{name}'; the inputs are {known}")]
    UnknownInput {
        /// The name that was given.
        name: String,
        /// The names the graph has.
        known: String,
    },
    /// An input is missing.
    #[error("input '{name}' is missing: expected {expected}")]
    MissingInput {
        /// The input.
        name: String,
        /// Its dtype and shape.
        expected: String,
    },
    /// An input has another element type.
    #[error("input '{name}' is {found}, expected {expected}")]
    DType {
        /// The input.
        name: String,
        /// The type it should have.
        expected: DType,
        /// The type it has.
        found: DType,
    },
    /// An input has another rank.
    #[error("input '{name}' has shape {found:?}, expected {expected}")]
    Rank {
        /// The input.
        name: String,
        /// The shape it should have.
        expected: String,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// An axis has another size.
    #[error("axis {axis} of input '{name}' is {found}, expected {expected}")]
    Size {
        /// The input.
        name: String,
        /// The axis.
        axis: usize,
        /// The expected size, with the reason if it follows from another input.
        expected: String,
        /// The size that was found.
        found: usize,
    },
    /// An axis has size 0.
    #[error("axis {axis} ({dim}) of input '{name}' is empty: expected at least 1")]
    Empty {
        /// The input.
        name: String,
        /// The axis.
        axis: usize,
        /// The name of the axis.
        dim: String,
    },
}

impl Signature {
    /// The signature of `head` with `config` and `options`.
    pub fn new(config: &Config, head: Head, options: &GraphOptions) -> Self {
        let own = |mut ports: Vec<Port>| {
            for dim in ports.iter_mut().flat_map(|port| &mut port.shape) {
                *dim = dim.substitute(&options.fixed_axes);
            }
            options.rename.give_to(&mut ports);
            ports
        };
        let mut inputs = own(ports::inputs(config, head, options));
        for port in inputs.iter_mut().filter(|it| it.dtype == DType::I64) {
            if options.int32_inputs {
                port.dtype = DType::I32;
            }
        }
        Self {
            inputs,
            outputs: own(ports::outputs(config, head, options)),
        }
    }

    /// Sets the roles of ports that were read from one of our graphs with these names.
    pub fn named_by(&mut self, names: &PortNames) {
        for port in self.inputs.iter_mut().chain(&mut self.outputs) {
            port.role = names.role(&port.name);
        }
    }

    /// The sizes of the dynamic axes, from the tensors given as (name, dtype, shape).
    ///
    /// # Errors
    /// The error of the first tensor that the signature doesn't have, or whose dtype or rank
    /// differs; then that of the first input without a tensor; then that of the first axis whose
    /// size differs or is 0.
    pub fn bind<'t>(
        &self,
        tensors: impl IntoIterator<Item = (&'t str, DType, &'t [usize])>,
    ) -> Result<Bindings, SignatureError> {
        let mut given = Vec::new();
        for (name, dtype, shape) in tensors {
            let port = self.input(name)?;
            check_dtype_and_rank(port, dtype, shape)?;
            given.push((port, shape));
        }
        if let Some(port) = self
            .inputs
            .iter()
            .find(|port| given.iter().all(|(it, _)| it.name != port.name))
        {
            return Err(SignatureError::MissingInput {
                name: port.name.clone(),
                expected: port.to_string(),
            });
        }
        let bindings = bind_axes(&given)?;
        given
            .iter()
            .try_for_each(|(port, shape)| check_sizes(port, shape, &bindings))?;
        Ok(bindings)
    }

    /// The input of this name.
    ///
    /// # Errors
    /// [`SignatureError::UnknownInput`], which lists the graph's inputs.
    pub fn input(&self, name: &str) -> Result<&Port, SignatureError> {
        self.inputs
            .iter()
            .find(|port| port.name == name)
            .ok_or_else(|| {
                let known: Vec<&str> = self.inputs.iter().map(|port| port.name.as_str()).collect();
                SignatureError::UnknownInput {
                    name: name.to_owned(),
                    known: known.join(", "),
                }
            })
    }

    /// The input of this role, if the graph has it.
    pub fn input_of(&self, role: Role) -> Option<&Port> {
        self.inputs.iter().find(|port| port.role == role)
    }

    /// The output of this role, if the graph has it.
    pub fn output_of(&self, role: Role) -> Option<&Port> {
        self.outputs.iter().find(|port| port.role == role)
    }

    /// The name of the input of this role; the contract's name if the graph has no such input.
    pub fn input_name(&self, role: Role) -> Cow<'_, str> {
        self.input_of(role)
            .map_or_else(|| role.name(), |port| port.name.as_str().into())
    }

    /// The number of classes that a label chooses from: the last axis of its scores.
    pub fn classes(&self, label: Role) -> Option<&Dim> {
        let scores = label.scores().iter().find_map(|it| self.output_of(*it));
        scores.and_then(|port| port.shape.last())
    }
}

fn check_dtype_and_rank(port: &Port, dtype: DType, shape: &[usize]) -> Result<(), SignatureError> {
    if dtype != port.dtype {
        return Err(SignatureError::DType {
            name: port.name.clone(),
            expected: port.dtype,
            found: dtype,
        });
    }
    if shape.len() != port.shape.len() {
        return Err(SignatureError::Rank {
            name: port.name.clone(),
            expected: port.to_string(),
            found: shape.to_vec(),
        });
    }
    Ok(())
}

/// Each named axis gets the size of the first tensor that has it.
///
/// Only with a cache may some axes be empty.
fn bind_axes(given: &[(&Port, &[usize])]) -> Result<Bindings, SignatureError> {
    let is_past = |dim: &Dim| dim.as_symbol() == Some(axes::PAST);
    let cached = given.iter().any(|(port, _)| port.shape.iter().any(is_past));
    let mut bindings = Bindings::new();
    for (port, shape) in given {
        for (axis, (dim, size)) in port.shape.iter().zip(*shape).enumerate() {
            let Some(name) = dim.as_symbol() else {
                continue;
            };
            if *size == 0 && !(cached && axes::MAY_BE_EMPTY.contains(&name)) {
                return Err(empty(port, axis));
            }
            bindings.entry(name.to_owned()).or_insert(*size);
        }
    }
    Ok(bindings)
}

fn check_sizes(port: &Port, shape: &[usize], bindings: &Bindings) -> Result<(), SignatureError> {
    for (axis, (dim, size)) in port.shape.iter().zip(shape).enumerate() {
        let Some(expected) = dim.evaluate(bindings) else {
            continue;
        };
        if expected != *size {
            return Err(SignatureError::Size {
                name: port.name.clone(),
                axis,
                expected: match dim.as_fixed() {
                    Some(number) => number.to_string(),
                    None => format!("{expected} ({dim}, from the inputs before it)"),
                },
                found: *size,
            });
        }
        // A sum of past and new keys: each may be empty, but not both.
        if expected == 0 && dim.as_symbol().is_none() {
            return Err(empty(port, axis));
        }
    }
    Ok(())
}

fn empty(port: &Port, axis: usize) -> SignatureError {
    SignatureError::Empty {
        name: port.name.clone(),
        axis,
        dim: port.shape.get(axis).map(Dim::to_string).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
