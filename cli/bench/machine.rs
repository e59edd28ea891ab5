//! What this machine is.

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::record::Machine;

/// Asks the system.
pub fn describe() -> Machine {
    let refresh = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(refresh);
    let cpu = system.cpus().first().map(|it| it.brand().trim().to_owned());
    Machine {
        cpu: cpu
            .filter(|it| !it.is_empty())
            .unwrap_or_else(|| "unknown".to_owned()),
        physical_cores: System::physical_core_count(),
        logical_cores: system.cpus().len(),
        memory_bytes: system.total_memory(),
        system: System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned()),
        load_average: System::load_average().one,
    }
}
