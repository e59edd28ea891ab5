use nezha_graphs::Precision;
use nezha_runtime::EngineKind;

/// How far an engine may be off, as a share of the largest magnitude of an output.
///
/// In float32 these are some times the worst that was measured on the CPU (README, "What works
/// today"); GPUs multiply in TF32 where nobody forbids it: 10 bits of mantissa. The reference has the
/// checkpoint's weights, so in fewer bits the answers are off by what rounding the weights costs, on
/// small random models up to 1.1e-2 in half precision, 0.24 in int8, 0.12 in q8 and 0.9 in q4. There
/// the comparison of the weights is what is exact, and that of the answers finds gross faults.
pub fn tolerance(engine: EngineKind, precision: Precision) -> f64 {
    match (precision, engine) {
        (Precision::Fp32, EngineKind::OrtCpu) => 1e-5,
        (Precision::Fp32, EngineKind::Tract) => 1e-4,
        (Precision::Fp32, EngineKind::OrtCuda | EngineKind::OrtTensorRt) => 5e-3,
        (Precision::Fp16Storage | Precision::Fp16, _) => 2e-2,
        (Precision::Int8 | Precision::Q8, _) => 0.3,
        (Precision::Q4, _) => 1.0,
    }
}
