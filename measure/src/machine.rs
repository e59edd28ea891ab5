use std::fmt;

use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

const GIB: f64 = 1_073_741_824.0;

/// The machine that measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Physical cores; `None` if the system doesn't say.
    pub physical_cores: Option<usize>,
    /// Threads that run at the same time.
    pub logical_cores: usize,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The operating system.
    pub system: String,
    /// Processes that wanted a processor when the machine was described, as the average over a
    /// minute.
    pub load_average: f64,
}

impl Machine {
    /// Reads the properties of this machine from the system.
    pub fn describe() -> Self {
        let refresh = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(refresh);
        let cpu = system.cpus().first().map(|it| it.brand().trim().to_owned());
        Self {
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
}

impl fmt::Display for Machine {
    /// Writes processor, memory, system and load.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = match self.physical_cores {
            Some(cores) => format!("{cores} cores"),
            None => format!("{} logical cores", self.logical_cores),
        };
        write!(
            f,
            "{}, {cores}, {:.0} GiB, {}, load {:.1}",
            self.cpu,
            self.memory_bytes as f64 / GIB,
            self.system,
            self.load_average,
        )
    }
}

/// The present time, in RFC 3339, UTC.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%FT%TZ").to_string()
}
