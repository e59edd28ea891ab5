//! What goes wrong around a program: kills at any moment, disks that are full.

use std::path::Path;
use std::process::{Command, Output};

/// Moments that look random and are the same in every run, as fractions of 1.
pub fn moments() -> impl Iterator<Item = f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as f64 / u64::MAX as f64
    })
}

/// Runs a shell script that may mount what it likes: nobody else sees it, and it is gone afterwards.
///
/// # Panics
/// Where mounting is not allowed, or `unshare` is missing.
pub fn with_mounts(script: &str, arguments: &[&Path]) -> Output {
    // As root, or else in a user namespace of its own, where everybody is root.
    for flags in [&["--mount"][..], &["--mount", "--map-root-user"]] {
        let output = Command::new("unshare")
            .args(flags)
            .args(["sh", "-euc", &format!("echo entered; {script}"), "sh"])
            .args(arguments)
            .output()
            .expect("this test needs unshare, of util-linux");
        if output.stdout.starts_with(b"entered") {
            return output;
        }
    }
    panic!("this test mounts file systems: run it as root, or where user namespaces are allowed");
}
