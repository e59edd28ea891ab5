//! `nezha-header FILE` fails if the header differs from what cbindgen generates from
//! `capi/src/border.rs`; with `NEZHA_BLESS=1` in the environment, it writes the header.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let header = env::args_os().nth(1).ok_or("expected the header's path")?;
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let config = cbindgen::Config::from_file(package.join("cbindgen.toml"))?;
    let builder = cbindgen::Builder::new()
        .with_config(config)
        .with_src(package.join("src/border.rs"));
    let mut made = Vec::new();
    builder.generate()?.write(&mut made);
    if env::var_os("NEZHA_BLESS").is_some() {
        return Ok(fs::write(header, made)?);
    }
    match fs::read(&header)? == made {
        true => Ok(()),
        false => Err("the header is not what the code has; NEZHA_BLESS=1 writes it anew".into()),
    }
}
