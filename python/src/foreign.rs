//! What needs pointers: memory of Python that this module reads, memory of this module that Python
//! reads, and the end of a process.

use arrow_array::RecordBatchReader;
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_schema::ArrowError;
use bytes::Bytes;
use numpy::{PyArray1, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};

use crate::failure::{Class, Failure};

/// The name of a capsule with a stream of record batches.
const STREAM: &std::ffi::CStr = c"arrow_array_stream";

/// The bytes of an array, which they keep alive.
struct ArrayBytes {
    _array: Py<PyArray1<u8>>,
    start: *const u8,
    length: usize,
}

// SAFETY: the memory is only read, and stays in place while `_array` keeps it alive; `Py` may be
// sent to any thread and dropped there.
unsafe impl Send for ArrayBytes {}

impl AsRef<[u8]> for ArrayBytes {
    fn as_ref(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: `start` and `length` are those of a contiguous array that `_array` keeps alive.
        // If a program writes to a tensor while it is exported, the export mixes old and new
        // numbers, as with a mapped file.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

/// The bytes of a contiguous array, without a copy.
pub(crate) fn bytes_of(array: &Bound<'_, PyArray1<u8>>) -> PyResult<Bytes> {
    if !array.is_contiguous() {
        return Err(Failure::new(Class::Input, "expected a contiguous array of bytes").into());
    }
    Ok(Bytes::from_owner(ArrayBytes {
        start: array.data().cast_const(),
        length: array.len(),
        _array: array.clone().unbind(),
    }))
}

/// The record batches of an object with `__arrow_c_stream__`.
pub(crate) fn batches(object: &Bound<'_, PyAny>) -> PyResult<RecordBatchStreamReader> {
    let capsule = object.call_method0("__arrow_c_stream__")?;
    let capsule = capsule.cast_into::<PyCapsule>()?;
    let stream = capsule.pointer_checked(Some(STREAM))?;
    let stream = stream.cast::<FFI_ArrowArrayStream>().as_ptr();
    // SAFETY: a capsule with this name holds such a stream, and the stream is moved out of it.
    let reader = unsafe { RecordBatchStreamReader::from_raw(stream) };
    reader.map_err(|error| arrow(&error))
}

/// A capsule with a stream of these record batches.
pub(crate) fn capsule(
    py: Python<'_>,
    reader: Box<dyn RecordBatchReader + Send>,
) -> PyResult<Bound<'_, PyCapsule>> {
    // The capsule releases the stream, unless its receiver has taken it.
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), STREAM)
}

/// Ends this process later without the exit handlers that its parent has registered: ONNX Runtime's
/// wait for threads that a fork doesn't copy.
///
/// By then Python has ended, with its own handlers and buffers, and the exit code is kept. Only
/// glibc tells a handler the exit code; nothing is done on other systems.
pub(crate) fn end_without_inherited_handlers() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::ffi::{c_int, c_void};
        use std::ptr::null_mut;

        unsafe extern "C" {
            fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
            fn fflush(stream: *mut c_void) -> c_int;
            fn _exit(status: c_int) -> !;
        }

        extern "C" fn end(status: c_int, _: *mut c_void) {
            // SAFETY: both may be called in an exit handler; null stands for all streams.
            unsafe {
                fflush(null_mut());
                _exit(status)
            }
        }

        // SAFETY: the handler is a function of this module, which stays loaded, and ignores its
        // argument. If memory is too short to register it, the handlers run as usual.
        unsafe {
            on_exit(end, null_mut());
        }
    }
}

/// The error of Arrow as an exception.
pub(crate) fn arrow(error: &ArrowError) -> PyErr {
    Failure::new(Class::Score, error.to_string()).into()
}
