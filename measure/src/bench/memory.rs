//! The peak resident memory of this process, on Linux.

use std::fs;

/// Resets the peak.
#[expect(
    clippy::disallowed_methods,
    reason = "no file, but a switch of the kernel"
)]
pub(super) fn forget_peak() {
    // If it can't be reset, the peak is that of the whole process, which is never too low.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The largest resident memory since the process began or the peak was reset, in bytes; `None` if
/// the system doesn't say.
pub(super) fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
