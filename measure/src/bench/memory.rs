//! Peak resident memory of this process, where Linux says it.

use std::fs;

/// Starts a new peak.
#[expect(
    clippy::disallowed_methods,
    reason = "no file, but a switch of the kernel"
)]
pub(super) fn forget_peak() {
    // Where it can't be written, the peak is that of the whole process, which is said nowhere
    // smaller than it is.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The largest resident memory since the process began, or the peak was last forgotten; bytes.
pub(super) fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
