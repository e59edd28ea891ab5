//! Nothing but its dependencies; `Cargo.toml` says what for.
