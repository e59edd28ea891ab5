use bytes::Bytes;
use nezha_graphs::DType;

use super::Value;

/// The axis order of a weight in the artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layout {
    /// As in the checkpoint.
    AsStored,
    /// A transposed matrix.
    Transposed,
}

/// Where the elements of an initializer come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// A small constant, row-major and little-endian.
    Inline(Bytes),
    /// A weight that is read when the artifact is written.
    Weight {
        /// Its name in the checkpoint.
        name: String,
        /// Its axis order in the artifact.
        layout: Layout,
        /// The encoding of its elements.
        encoding: Encoding,
    },
}

/// The encoding of a weight's elements in the artifact; see [`quantize`](crate::quantize) for the
/// formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// Single precision.
    F32,
    /// Half precision, rounded to nearest.
    F16,
    /// int8, with one scale for each row as stored.
    Int8,
    /// The scales of [`Int8`](Self::Int8).
    Int8Scales,
    /// Each row in blocks with one scale for each block, `[rows, blocks, bytes of a block]`.
    Blocks(Blocks),
    /// The scales of [`Blocks`](Self::Blocks), `[rows, blocks]`.
    BlockScales(Blocks),
}

/// How a row of a matrix is divided into blocks; the last block is padded with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blocks {
    /// 128 elements of 8 bits.
    Q8,
    /// 32 elements of 4 bits. The first of two elements is in the lower half of a byte.
    Q4,
}

impl Blocks {
    /// Bits of each element.
    pub const fn bits(self) -> usize {
        match self {
            Blocks::Q8 => 8,
            Blocks::Q4 => 4,
        }
    }

    /// Number of elements in a block.
    pub const fn size(self) -> usize {
        match self {
            Blocks::Q8 => 128,
            Blocks::Q4 => 32,
        }
    }

    /// Size of a block, in bytes.
    pub const fn bytes(self) -> usize {
        self.size() * self.bits() / 8
    }

    /// The number that represents 0.
    pub const fn zero(self) -> u8 {
        1 << (self.bits() - 1)
    }

    /// Number of blocks in a row.
    pub fn of_row(self, columns: usize) -> usize {
        columns.div_ceil(self.size())
    }
}

/// A weight or a constant.
#[derive(Clone, Debug)]
pub struct Initializer {
    /// The value that it defines.
    pub value: Value,
    /// Its elements.
    pub content: Content,
}

/// The weights that a graph may read.
pub trait Weights {
    /// The shape of the weight called `name`, if there is one.
    fn shape(&self, name: &str) -> Option<&[usize]>;

    /// Whether the artifact points to the weights in the checkpoint's own files. Then each weight
    /// is used as stored, and a node transposes matrices.
    fn in_place(&self) -> bool {
        false
    }
}

/// No weights at all, for graphs without parameters.
#[derive(Clone, Copy, Debug)]
pub struct NoWeights;

impl Weights for NoWeights {
    fn shape(&self, _name: &str) -> Option<&[usize]> {
        None
    }
}

/// A weight that the graph needs but can't read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightError {
    /// It is missing.
    #[error("tensor '{name}' {expected:?} is missing")]
    Missing {
        /// Its name.
        name: String,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// Its shape differs from the one that the config implies.
    #[error("tensor '{name}' has shape {found:?}, but config.json makes it {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The shape it should have.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },
}

impl Encoding {
    /// The element type in the artifact.
    pub fn dtype(self) -> DType {
        match self {
            Encoding::F32 | Encoding::Int8Scales | Encoding::BlockScales(_) => DType::F32,
            Encoding::F16 => DType::F16,
            Encoding::Int8 => DType::I8,
            Encoding::Blocks(_) => DType::U8,
        }
    }

    /// The suffix of a weight's name in the artifact.
    fn suffix(self) -> &'static str {
        match self {
            Encoding::F32 => "",
            Encoding::F16 => ".float16",
            Encoding::Int8 => ".int8",
            Encoding::Int8Scales => ".scales",
            Encoding::Blocks(Blocks::Q8) => ".q8",
            Encoding::BlockScales(Blocks::Q8) => ".q8.scales",
            Encoding::Blocks(Blocks::Q4) => ".q4",
            Encoding::BlockScales(Blocks::Q4) => ".q4.scales",
        }
    }
}

/// A weight in single precision that an operation reads.
#[derive(Clone, Debug)]
pub(crate) struct Weight {
    pub name: String,
    pub layout: Layout,
    /// Its shape in the graph.
    pub shape: Vec<usize>,
}

impl Weight {
    /// The rows and columns of a matrix as stored in the checkpoint.
    pub(crate) fn stored_matrix(&self) -> Option<[usize; 2]> {
        match (self.shape.as_slice(), self.layout) {
            (&[rows, columns], Layout::AsStored) => Some([rows, columns]),
            (&[columns, rows], Layout::Transposed) => Some([rows, columns]),
            _ => None,
        }
    }
}

/// The name of a weight in the artifact.
pub(super) fn label(name: &str, layout: Layout, encoding: Encoding) -> String {
    let layout = match layout {
        Layout::AsStored => "",
        Layout::Transposed => ".T",
    };
    format!("{name}{layout}{}", encoding.suffix())
}
