//! The crate's only unsafe code: mapping a file, and asking a library for its version.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use memmap2::Mmap;

/// A file's content, mapped.
pub(crate) fn map(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    // SAFETY: the map is read-only and private. Nobody may shorten the file while it is mapped;
    // that is part of the contract of `Model::open`.
    let map = unsafe { Mmap::map(&file) }?;
    Ok(Bytes::from_owner(map))
}

/// The version that an ONNX Runtime library gives itself, such as `1.31.1`.
///
/// The library stays loaded: its threads and static destructors don't expect to be unloaded.
#[cfg(feature = "ort")]
pub(crate) fn onnxruntime_version(path: &Path) -> Result<String, String> {
    use std::ffi::{CStr, c_char, c_void};

    /// The head of ONNX Runtime's C API, unchanged since its first release.
    #[repr(C)]
    struct ApiBase {
        get_api: unsafe extern "system" fn(u32) -> *const c_void,
        get_version_string: unsafe extern "system" fn() -> *const c_char,
    }

    // SAFETY: loading runs the library's initialisers. The path was named by the user or lies in
    // a folder that libraries are loaded from anyway.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| error.to_string())?;
    let library = std::mem::ManuallyDrop::new(library);
    // SAFETY: every ONNX Runtime exports `OrtGetApiBase` with this type.
    let api_base =
        unsafe { library.get::<unsafe extern "system" fn() -> *const ApiBase>(b"OrtGetApiBase\0") }
            .map_err(|_| "it does not export OrtGetApiBase, so it is no ONNX Runtime".to_owned())?;
    // SAFETY: the function takes nothing and returns a pointer to a static, checked before use.
    let version = unsafe { api_base().as_ref().map(|base| (base.get_version_string)()) };
    match version {
        // SAFETY: a pointer that is not null is a static, zero-terminated text.
        Some(text) if !text.is_null() => Ok(unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned()),
        _ => Err("it does not say its version".to_owned()),
    }
}
