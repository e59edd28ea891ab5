//! Lets the module leave Python's symbols to the interpreter that loads it; macOS wants that said.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
