use std::path::{Path, PathBuf};

use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::FileHeader;
use object::{Endianness, ReadRef};

use super::MissingLibrary;
use crate::engine::OrtDevice;
use crate::native;

/// CUDA's provider isn't linked with cuDNN, but opens it in its first run; without it, Softmax
/// fails there.
const CUDNN: &str = "libcudnn.so.9";

/// The libraries that a device's execution providers need and that the loader doesn't find.
///
/// They are known on Linux only, which is where the GPU build runs.
pub(super) fn missing(device: OrtDevice, onnxruntime: &Path) -> Vec<MissingLibrary> {
    let needed: Vec<String> = providers(device)
        .iter()
        .filter_map(|name| needed(&beside(onnxruntime, name)).ok())
        .flatten()
        .collect();
    let mut missing: Vec<String> = needed.clone();
    if !needed.is_empty() {
        missing.push(CUDNN.to_owned());
    }
    missing.sort();
    missing.dedup();
    missing.retain(|name| !name.starts_with("libonnxruntime") && !native::loads(name));
    missing
        .into_iter()
        .map(|name| MissingLibrary {
            remedy: remedy(&name, &needed),
            name,
        })
        .collect()
}

/// TensorRT leaves to CUDA what it can't run, so it needs both providers.
fn providers(device: OrtDevice) -> &'static [&'static str] {
    const CUDA: &str = "libonnxruntime_providers_cuda.so";
    match device {
        OrtDevice::Cuda => &[CUDA],
        OrtDevice::TensorRt => &[CUDA, "libonnxruntime_providers_tensorrt.so"],
        _ => &[],
    }
}

fn beside(onnxruntime: &Path, name: &str) -> PathBuf {
    onnxruntime.with_file_name(name)
}

/// The names of the needed libraries in a library's dynamic section; an error if it can't be read.
fn needed(library: &Path) -> Result<Vec<String>, String> {
    let content = nezha_graphs::map_file(library).map_err(|error| error.to_string())?;
    needed_in(&content[..]).map_err(|error| error.to_string())
}

fn needed_in<'data>(library: impl ReadRef<'data>) -> object::Result<Vec<String>> {
    let header = FileHeader64::<Endianness>::parse(library)?;
    let endian = header.endian()?;
    let table = header
        .sections(endian, library)?
        .dynamic_table(endian, library)?;
    let needed = table.into_iter().filter(|entry| entry.tag == DT_NEEDED);
    needed
        .map(|entry| Ok(String::from_utf8_lossy(table.string(entry)?).into_owned()))
        .collect()
}

/// What to install for a library. The version of CUDA is read from the names of the other needed
/// libraries.
fn remedy(library: &str, needed: &[String]) -> String {
    let major = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let cuda = needed.iter().find(|name| name.starts_with("libcudart.so."));
    let cuda = cuda.map_or(String::new(), |name| major(name));
    let family = |stems: &[&str]| stems.iter().any(|stem| library.starts_with(stem));
    let product = match library {
        _ if family(&["libcuda.so"]) => return "install the NVIDIA driver".to_owned(),
        _ if family(&["libcudnn"]) => format!("cuDNN {}", major(library)),
        _ if family(&["libnvinfer", "libnvonnxparser"]) => {
            format!("TensorRT {} for CUDA {cuda}", major(library))
        }
        _ if family(&["libcu", "libnvrtc", "libnvJitLink"]) => format!("CUDA {cuda}"),
        _ => return "install the package that has it".to_owned(),
    };
    format!("install {product}, and name the folder of its libraries in LD_LIBRARY_PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_names_the_product_and_its_major_version() {
        let needed = ["libcublas.so.13", "libcudart.so.13", "libcurand.so.10"].map(String::from);
        for (library, expected) in [
            ("libcuda.so.1", "install the NVIDIA driver"),
            ("libcublasLt.so.13", "install CUDA 13,"),
            ("libcurand.so.10", "install CUDA 13,"),
            ("libcudnn.so.9", "install cuDNN 9,"),
            ("libnvinfer.so.10", "install TensorRT 10 for CUDA 13,"),
            ("libnvonnxparser.so.10", "install TensorRT 10 for CUDA 13,"),
            ("libstdc++.so.6", "install the package that has it"),
        ] {
            let found = remedy(library, &needed);
            assert!(found.starts_with(expected), "{library}: {found}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_libraries_that_a_program_needs_are_read_from_its_file_and_load() {
        let program = std::env::current_exe().unwrap();
        let needed = needed(&program).unwrap();
        assert!(needed.iter().any(|name| name == "libc.so.6"), "{needed:?}");
        for name in needed {
            assert!(native::loads(&name), "{name}");
        }
        assert!(!native::loads("libnowhere.so.1"));
    }

    #[test]
    fn a_file_that_is_no_library_is_an_error() {
        for content in [
            &b""[..],
            b"not a library",
            b"\x7fELF\x02\x01\x01\x00cut short",
        ] {
            assert!(needed_in(content).is_err(), "{content:?}");
        }
    }
}
