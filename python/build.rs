//! Leaves Python's symbols to the interpreter that loads the module, for which macOS needs linker
//! flags.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
