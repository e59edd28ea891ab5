use std::fmt;
use std::str::FromStr;

/// How a graph stores its weights and computes with them. Inputs and outputs are the same for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// Single precision for everything.
    #[default]
    Fp32,
    /// Weights in half precision, computation in single precision: half the file size, with the
    /// answers of the rounded weights.
    Fp16Storage,
    /// Weights and matrix products in half precision; the sums in softmax and LayerNorm in single
    /// precision.
    Fp16,
    /// int8 weights with one scale for each output, and int8 activations with one scale for each
    /// token, in standard operators.
    Int8,
    /// int8 weights with one scale for each output. Standard operators dequantize them before an
    /// ordinary product. An engine that recognizes these operators may quantize activations to 8
    /// bits too: OpenVINO does so in groups and reports it, ONNX Runtime does so in blocks. tract
    /// computes in single precision. The vocabulary is stored as in [`Int8`](Self::Int8).
    W8,
    /// Weights in blocks of 8 bits with one scale for each block, in an operator of ONNX Runtime.
    /// On a CPU, activations are quantized in the same way.
    Q8,
    /// Weights in blocks of 4 bits, activations in single precision. The vocabulary is stored as in
    /// [`Q8`](Self::Q8).
    Q4,
}

/// An unknown precision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a precision: expected fp32, fp16-storage, fp16, int8, w8, q8, q4")]
pub struct UnknownPrecision(String);

impl Precision {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Precision::Fp32,
        Precision::Fp16Storage,
        Precision::Fp16,
        Precision::Int8,
        Precision::W8,
        Precision::Q8,
        Precision::Q4,
    ];

    /// The name in an artifact's metadata.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Fp32 => "fp32",
            Precision::Fp16Storage => "fp16-storage",
            Precision::Fp16 => "fp16",
            Precision::Int8 => "int8",
            Precision::W8 => "w8",
            Precision::Q8 => "q8",
            Precision::Q4 => "q4",
        }
    }

    /// The file name of a graph, such as `model_int8.onnx`; in single precision it is
    /// `{stem}.onnx`.
    pub fn file_name(self, stem: &str) -> String {
        format!("{}.onnx", self.stem(stem, '_'))
    }

    /// `stem` for precisions that compute in single precision with float weights; for the others,
    /// `stem` with the precision's name appended, such as `model_int8`.
    pub fn stem(self, stem: &str, separator: char) -> String {
        match self {
            Precision::Fp32 | Precision::Fp16Storage => stem.to_owned(),
            other => format!("{stem}{separator}{other}"),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| UnknownPrecision(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precision_reads_its_own_name_and_names_its_file() {
        for precision in Precision::ALL {
            assert_eq!(precision.name().parse(), Ok(precision));
        }
        assert_eq!(Precision::Int8.file_name("model"), "model_int8.onnx");
        assert_eq!(Precision::Fp16Storage.file_name("base"), "base.onnx");
    }

    #[test]
    fn another_name_is_refused_with_those_that_are_known() {
        let error = "int4".parse::<Precision>().unwrap_err().to_string();
        assert!(error.contains("'int4'"), "{error}");
        for precision in Precision::ALL {
            assert!(error.contains(precision.name()), "{error}");
        }
    }
}
