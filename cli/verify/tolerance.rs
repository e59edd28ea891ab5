use nezha_runtime::EngineKind;

/// How far an engine may be off in float32, as a share of the largest magnitude of an output.
///
/// On the CPU these are some times the worst that was measured (README, "What works today"). GPUs
/// multiply in TF32 where nobody forbids it: 10 bits of mantissa.
pub fn tolerance(engine: EngineKind) -> f64 {
    match engine {
        EngineKind::OrtCpu => 1e-5,
        EngineKind::Tract => 1e-4,
        EngineKind::OrtCuda | EngineKind::OrtTensorRt => 5e-3,
    }
}
