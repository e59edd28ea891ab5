//! What is reached by pointers: memory that Python owns and this module reads, the other way round, and the
//! end of a process.

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

/// Bytes of an array, which lives as long as they do.
struct ArrayBytes {
    _array: Py<PyArray1<u8>>,
    start: *const u8,
    length: usize,
}

// SAFETY: the memory is read only and stays where it is while `_array` keeps it; `Py` may be sent and
// dropped anywhere.
unsafe impl Send for ArrayBytes {}

impl AsRef<[u8]> for ArrayBytes {
    fn as_ref(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: `start` and `length` are those of a contiguous array that `_array` keeps alive. Whoever
        // writes to a tensor while it is exported gets a mixture of old and new numbers, as with a file
        // that is mapped.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

/// The bytes of a contiguous array, which are not copied.
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
    // SAFETY: a capsule of this name holds such a stream, and the stream is taken out of it.
    let reader = unsafe { RecordBatchStreamReader::from_raw(stream) };
    reader.map_err(|error| arrow(&error))
}

/// A capsule with a stream of these record batches.
pub(crate) fn capsule(
    py: Python<'_>,
    reader: Box<dyn RecordBatchReader + Send>,
) -> PyResult<Bound<'_, PyCapsule>> {
    // The capsule releases the stream, unless who takes it has.
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), STREAM)
}

/// Has this process end without the exit handlers that were there before, which are its parent's: ONNX
/// Runtime's wait for threads that no fork copies.
///
/// Python has ended by then, with its own handlers and buffers, and the exit code is kept. Other systems
/// than glibc's don't tell a handler the exit code; nothing is done there.
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

        // SAFETY: the handler is a function of this module, which stays loaded, and takes no argument.
        // Where there is no memory to register it, the handlers run as they would without.
        unsafe {
            on_exit(end, null_mut());
        }
    }
}

/// What Arrow says.
pub(crate) fn arrow(error: &ArrowError) -> PyErr {
    Failure::new(Class::Score, error.to_string()).into()
}
