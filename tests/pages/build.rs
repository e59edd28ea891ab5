//! Makes a function of each Rust block of README and guide.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut functions = String::new();
    for page in pages(&root) {
        println!("cargo::rerun-if-changed={}", page.display());
        for block in blocks(&fs::read_to_string(&page).unwrap()) {
            let number = functions.matches("fn ").count();
            functions.push_str(&format!(
                "/// {}\nfn block_{number}() -> Result<(), Box<dyn std::error::Error>> {{\n{block}Ok(())\n}}\n",
                page.display()
            ));
        }
    }
    assert!(!functions.is_empty(), "no page has a Rust block");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap()).join("blocks.rs");
    #[expect(clippy::disallowed_methods, reason = "cargo's own folder")]
    fs::write(out, functions).unwrap();
}

fn pages(root: &Path) -> Vec<PathBuf> {
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "docs/guide"] {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        pages.extend(entries.map(|it| it.unwrap().path()));
    }
    pages.retain(|it| it.extension().is_some_and(|it| it == "md"));
    pages.sort();
    pages
}

/// What stands between ```` ```rust ```` and the end of the block.
fn blocks(page: &str) -> impl Iterator<Item = &str> {
    let begins = page.split("```rust\n").skip(1);
    begins.filter_map(|it| it.split("```").next())
}
