use std::fmt;

/// The element type of a tensor in a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// Signed 64-bit integer: token ids, masks, labels and shapes.
    I64,
    /// Signed 32-bit integer: positions inside the graph.
    I32,
    /// Unsigned 8-bit integer.
    U8,
    /// Signed 8-bit integer.
    I8,
    /// Truth value, one byte.
    Bool,
}

impl DType {
    const ALL: [DType; 7] = [
        DType::F32,
        DType::F16,
        DType::I64,
        DType::I32,
        DType::U8,
        DType::I8,
        DType::Bool,
    ];

    fn row(self) -> (&'static str, i32, usize) {
        match self {
            DType::F32 => ("float32", 1, 4),
            DType::F16 => ("float16", 10, 2),
            DType::I64 => ("int64", 7, 8),
            DType::I32 => ("int32", 6, 4),
            DType::U8 => ("uint8", 2, 1),
            DType::I8 => ("int8", 3, 1),
            DType::Bool => ("bool", 9, 1),
        }
    }

    /// numpy's name of the type.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The type's number in ONNX's `TensorProto.DataType`.
    pub fn onnx(self) -> i32 {
        self.row().1
    }

    /// Size of an element, in bytes.
    pub fn size(self) -> usize {
        self.row().2
    }

    /// The type with this number in `TensorProto.DataType`; `None` if no NEZHA graph can have it.
    pub fn from_onnx(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.onnx() == number)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
