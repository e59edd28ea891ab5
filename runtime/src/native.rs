//! The crate's only unsafe code: it asks libraries and the CPU for their properties, and calls
//! OpenVINO's C interface.

#![allow(
    unsafe_code,
    reason = "maps, loaded libraries and CPUID have no safe interface"
)]

#[cfg(feature = "openvino")]
pub(crate) mod openvino;

#[cfg(feature = "setup")]
use std::path::Path;

/// The version that an ONNX Runtime library reports, such as `1.31.1`.
///
/// The library stays loaded: its threads and static destructors don't expect to be unloaded.
#[cfg(feature = "ort")]
pub(crate) fn onnxruntime_version(path: &Path) -> Result<String, String> {
    use std::ffi::{CStr, c_char, c_void};

    /// The beginning of ONNX Runtime's C API, unchanged since its first release.
    #[repr(C)]
    struct ApiBase {
        get_api: unsafe extern "system" fn(u32) -> *const c_void,
        get_version_string: unsafe extern "system" fn() -> *const c_char,
    }

    // SAFETY: loading runs the library's initializers. The path was named by the user or lies in
    // a folder that libraries are loaded from anyway.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| error.to_string())?;
    let library = std::mem::ManuallyDrop::new(library);
    // SAFETY: every ONNX Runtime exports `OrtGetApiBase` with this type.
    let api_base =
        unsafe { library.get::<unsafe extern "system" fn() -> *const ApiBase>(b"OrtGetApiBase\0") }
            .map_err(|_| {
                "it does not export OrtGetApiBase, so it is not ONNX Runtime".to_owned()
            })?;
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

/// The version that an OpenVINO library reports, such as `2026.4.1`.
///
/// The library stays loaded, like ONNX Runtime's.
#[cfg(feature = "openvino")]
pub(crate) fn openvino_version(path: &Path) -> Result<String, String> {
    use std::ffi::{CStr, c_char, c_int};

    /// Two texts, as in every release that has the function.
    #[repr(C)]
    struct Version {
        build_number: *const c_char,
        description: *const c_char,
    }

    // SAFETY: loading runs the library's initializers. The path was named by the user or lies in
    // a folder that libraries are loaded from anyway.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| error.to_string())?;
    let library = std::mem::ManuallyDrop::new(library);
    // SAFETY: every OpenVINO since 2022 exports the function with this type.
    let get = unsafe {
        library.get::<unsafe extern "C" fn(*mut Version) -> c_int>(b"ov_get_openvino_version\0")
    };
    let get = get.map_err(|_| {
        "it does not export ov_get_openvino_version, so it is not OpenVINO, or older than 2023"
            .to_owned()
    })?;
    let mut version = Version {
        build_number: std::ptr::null(),
        description: std::ptr::null(),
    };
    // SAFETY: the version is valid for writing. Its texts are never freed, which costs a few bytes
    // once per process.
    let status = unsafe { get(&raw mut version) };
    if status != 0 || version.build_number.is_null() {
        return Err("it does not say its version".to_owned());
    }
    // SAFETY: a pointer that is not null is a zero-terminated text.
    let text = unsafe { CStr::from_ptr(version.build_number) }.to_string_lossy();
    // The build, the commit and the branch follow the version.
    Ok(text.split('-').next().unwrap_or_default().to_owned())
}

/// The execution providers that the loaded ONNX Runtime was built with, in its order.
///
/// A library must have been loaded before: see the `ort` crate.
#[cfg(feature = "ort")]
pub(crate) fn available_providers() -> Result<Vec<String>, String> {
    use std::ffi::CStr;
    use std::ptr;

    let api = ort::api();
    let (mut names, mut count) = (ptr::null_mut(), 0);
    // SAFETY: both pointers are valid for writing.
    let status = unsafe { (api.GetAvailableProviders)(&raw mut names, &raw mut count) };
    // SAFETY: the status comes from ONNX Runtime and is used once.
    unsafe { ort::Error::result_from_status(status) }.map_err(|error| error.to_string())?;
    let providers = (0..usize::try_from(count).unwrap_or(0))
        // SAFETY: there are `count` zero-terminated texts, until they are released below.
        .map(|index| unsafe { CStr::from_ptr(*names.add(index)) })
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    // SAFETY: these are the pointer and the count that came from `GetAvailableProviders`.
    let status = unsafe { (api.ReleaseAvailableProviders)(names, count) };
    // SAFETY: the status comes from ONNX Runtime and is used once.
    unsafe { ort::Error::result_from_status(status) }.map_err(|error| error.to_string())?;
    Ok(providers)
}

/// A session of ONNX Runtime, and the files in memory from which it reads weights as long as it
/// lives.
#[cfg(feature = "ort")]
pub(crate) struct OrtSession {
    /// Declared first, so that it is dropped before the files.
    session: ort::session::Session,
    _files: Vec<bytes::Bytes>,
}

#[cfg(feature = "ort")]
impl From<ort::session::Session> for OrtSession {
    fn from(session: ort::session::Session) -> Self {
        Self {
            session,
            _files: Vec::new(),
        }
    }
}

#[cfg(feature = "ort")]
impl std::ops::Deref for OrtSession {
    type Target = ort::session::Session;

    fn deref(&self) -> &Self::Target {
        &self.session
    }
}

#[cfg(feature = "ort")]
impl std::ops::DerefMut for OrtSession {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.session
    }
}

/// A session of a model in memory, whose external weights are in these files. `ort` itself would
/// copy the files.
#[cfg(feature = "ort")]
pub(crate) fn session(
    mut builder: ort::session::builder::SessionBuilder,
    model: &[u8],
    files: Vec<(String, bytes::Bytes)>,
) -> ort::Result<OrtSession> {
    use ort::AsPointer;

    #[cfg(windows)]
    let name = |name: &str| -> Vec<u16> { name.encode_utf16().chain([0]).collect() };
    #[cfg(not(windows))]
    let name = |name: &str| -> Vec<std::ffi::c_char> {
        let bytes = name.bytes().chain([0]);
        bytes
            .map(|it| it.cast_signed() as std::ffi::c_char)
            .collect()
    };
    for (file, bytes) in &files {
        let name = name(file);
        // SAFETY: all pointers are valid, the name ends with a zero, and each array has one
        // element. ONNX Runtime only reads the bytes, which the returned session keeps until it is
        // dropped.
        let status = unsafe {
            (ort::api().AddExternalInitializersFromMemory)(
                builder.ptr_mut(),
                &name.as_ptr(),
                &bytes.as_ptr().cast::<std::ffi::c_char>().cast_mut(),
                &bytes.len(),
                1,
            )
        };
        // SAFETY: the status comes from ONNX Runtime and is used once.
        unsafe { ort::Error::result_from_status(status) }?;
    }
    Ok(OrtSession {
        session: builder.commit_from_memory(model)?,
        _files: files.into_iter().map(|(_, bytes)| bytes).collect(),
    })
}

/// Whether the loader finds a library of this name, and can load it.
#[cfg(feature = "ort")]
pub(crate) fn loads(library: &str) -> bool {
    // SAFETY: loading runs the library's initializers. The name is one that a library of ONNX
    // Runtime needs, and the same loader would load it for that library.
    unsafe { libloading::Library::new(library) }.is_ok()
}

/// The registers of a CPUID leaf, in the order EAX, EBX, ECX, EDX; zeros if there is no such leaf.
#[cfg(target_arch = "x86_64")]
pub(crate) fn cpuid(leaf: u32) -> [u32; 4] {
    use std::arch::x86_64::{__cpuid, __cpuid_count};

    #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
    // SAFETY: every x86-64 has the instruction.
    let (highest, registers) = unsafe { (__cpuid(0).eax, __cpuid_count(leaf, 0)) };
    match leaf <= highest {
        true => [registers.eax, registers.ebx, registers.ecx, registers.edx],
        false => [0; 4],
    }
}
