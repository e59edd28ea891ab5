//! The command line as its users see it: whole outputs and exit codes of commands, in `tests/cli`.
//!
//! `cargo xtask bless` writes them anew after a wanted change: read the difference.

#[test]
fn commands_print_what_their_snapshots_say() {
    trycmd::TestCases::new()
        .case("tests/cli/*.trycmd")
        .register_bin("nezha", std::path::Path::new(env!("CARGO_BIN_EXE_nezha")));
}
