//! A safe interface to OpenVINO's C API: values that free themselves, errors with OpenVINO's
//! message, and a run that borrows its inputs for as long as OpenVINO reads them.
//!
//! The crate `openvino` has most of this, but doesn't expose the pointer that is needed to read the
//! times of nodes. So this is written on `openvino-sys`. Its functions panic if no library is
//! loaded or if the library lacks one of them: [`load`] must be called first, and the library must
//! be new enough.

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::time::Duration;
use std::{io, slice};

use nezha_graphs::{DType, Port};
use openvino_sys as sys;
use sys::{ov_element_type_e as ElementType, ov_status_e as Status};

use crate::Tensor;
use crate::tensor::{Element, with_array, with_element};

/// An error, with OpenVINO's message.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

type Result<T> = std::result::Result<T, Failure>;

/// Loads the library that all calls go to; does nothing if one is loaded already.
pub(crate) fn load(library: &Path) -> Result<()> {
    sys::library::load_from(library).map_err(Failure)
}

/// Turns a status into a result; the message is that of the last call in this process that failed.
fn check(status: Status) -> Result<()> {
    if status == Status::OK {
        return Ok(());
    }
    // SAFETY: the function takes nothing, and gives null or a text.
    let message = NonNull::new(unsafe { sys::ov_get_last_err_msg() }.cast_mut());
    let message = message.map(taken).filter(|it| !it.is_empty());
    Err(Failure(message.unwrap_or_else(|| format!("{status:?}"))))
}

/// Takes over a text that OpenVINO has allocated, and frees it.
fn taken(value: NonNull<c_char>) -> String {
    // SAFETY: OpenVINO gave a zero-terminated text that is ours until it is freed.
    let text = unsafe { CStr::from_ptr(value.as_ptr()) }
        .to_string_lossy()
        .into_owned();
    // SAFETY: it came from OpenVINO and is not used again.
    unsafe { sys::ov_free(value.as_ptr()) };
    text
}

/// A text as OpenVINO takes it.
fn text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Failure(format!("'{text}' has a zero in it")))
}

/// Calls a function that returns its value through a pointer.
fn made<T>(make: impl FnOnce(*mut *mut T) -> Status) -> Result<NonNull<T>> {
    let mut value = ptr::null_mut();
    check(make(&raw mut value))?;
    NonNull::new(value).ok_or_else(|| Failure("OpenVINO made nothing".to_owned()))
}

/// A value of OpenVINO that frees itself.
macro_rules! owned {
    ($(#[$doc:meta])* $name:ident, $type:ident, $free:ident) => {
        $(#[$doc])*
        pub(crate) struct $name(NonNull<sys::$type>);

        // SAFETY: OpenVINO's values are not bound to a thread.
        unsafe impl Send for $name {}

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: the pointer came from OpenVINO and is freed once.
                unsafe { sys::$free(self.0.as_ptr()) };
            }
        }
    };
}

owned!(
    /// The devices and their settings.
    Core, ov_core_t, ov_core_free
);
owned!(
    /// A graph that was read from a file or from memory.
    Graph, ov_model_t, ov_model_free
);
owned!(
    /// A graph compiled for a device.
    Compiled, ov_compiled_model_t, ov_compiled_model_free
);
owned!(
    /// An infer request: one run at a time uses it.
    Request, ov_infer_request_t, ov_infer_request_free
);
owned!(
    /// A tensor of OpenVINO, or its view of one of ours.
    Values, ov_tensor_t, ov_tensor_free
);

// SAFETY: its functions may be called from several threads at the same time.
unsafe impl Sync for Core {}
// SAFETY: as for the core.
unsafe impl Sync for Compiled {}

impl Core {
    /// A new core, without settings.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: the pointer is valid for writing.
        made(|core| unsafe { sys::ov_core_create(core) }).map(Self)
    }

    /// The devices that are there: `CPU`, `GPU.0`.
    pub(crate) fn devices(&self) -> Result<Vec<String>> {
        let mut list = sys::ov_available_devices_t {
            devices: ptr::null_mut(),
            size: 0,
        };
        // SAFETY: core and list are valid.
        check(unsafe { sys::ov_core_get_available_devices(self.0.as_ptr(), &raw mut list) })?;
        let names = (0..list.size)
            // SAFETY: there are `size` zero-terminated texts, until the list is freed below.
            .map(|index| unsafe { CStr::from_ptr(*list.devices.add(index)) })
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        // SAFETY: the list came from OpenVINO and is freed once.
        unsafe { sys::ov_available_devices_free(&raw mut list) };
        Ok(names)
    }

    /// Reads a property of a device.
    pub(crate) fn property(&self, device: &str, key: &str) -> Result<String> {
        let (device, key) = (text(device)?, text(key)?);
        let value = made(|value| {
            // SAFETY: core and texts are valid, and the value can be written.
            unsafe {
                sys::ov_core_get_property(self.0.as_ptr(), device.as_ptr(), key.as_ptr(), value)
            }
        });
        value.map(taken)
    }

    /// Sets a property of a device, for what is compiled later.
    pub(crate) fn set(&mut self, device: &str, key: &str, value: &str) -> Result<()> {
        let (device, key, value) = (text(device)?, text(key)?, text(value)?);
        #[cfg(not(target_os = "macos"))]
        // SAFETY: core and texts are valid. C takes key and value as variable arguments, which are
        // passed like any others on these systems.
        let status = unsafe {
            sys::ov_core_set_property(
                self.0.as_ptr(),
                device.as_ptr(),
                key.as_ptr(),
                value.as_ptr(),
            )
        };
        #[cfg(target_os = "macos")]
        // SAFETY: core and texts are valid, and so is one pair of them.
        let status = unsafe {
            let pair = sys::ov_property_t {
                key: key.as_ptr(),
                value: value.as_ptr().cast(),
            };
            sys::ov_core_set_properties(self.0.as_ptr(), device.as_ptr(), 1, &pair)
        };
        check(status)
    }

    /// Reads a model from a file; external weights must be beside it.
    pub(crate) fn read(&self, model: &Path) -> Result<Graph> {
        let utf8 = model.to_str();
        let model = text(utf8.ok_or_else(|| Failure("expected a path in UTF-8".to_owned()))?)?;
        // SAFETY: core and path are valid, null says that no separate weights file is given, and
        // the graph can be written.
        made(|graph| unsafe {
            sys::ov_core_read_model(self.0.as_ptr(), model.as_ptr(), ptr::null(), graph)
        })
        .map(Graph)
    }

    /// Reads a model with embedded weights from memory; OpenVINO copies them.
    pub(crate) fn read_bytes(&self, model: &[u8]) -> Result<Graph> {
        // SAFETY: core and bytes are valid for their length, null says that no separate weights
        // are given, and the graph can be written. It keeps no reference to the bytes: only
        // weights in a tensor would be shared.
        made(|graph| unsafe {
            sys::ov_core_read_model_from_memory_buffer(
                self.0.as_ptr(),
                model.as_ptr().cast(),
                model.len(),
                ptr::null(),
                graph,
            )
        })
        .map(Graph)
    }

    /// Compiles a graph for a device.
    pub(crate) fn compile(&self, graph: &Graph, device: &str) -> Result<Compiled> {
        let device = text(device)?;
        // SAFETY: all pointers are valid, no settings follow, and the compiled graph can be
        // written.
        made(|compiled| unsafe {
            sys::ov_core_compile_model(
                self.0.as_ptr(),
                graph.0.as_ptr(),
                device.as_ptr(),
                0,
                compiled,
            )
        })
        .map(Compiled)
    }
}

impl Compiled {
    /// A property that the graph was compiled with.
    pub(crate) fn property(&self, key: &str) -> Result<String> {
        let key = text(key)?;
        // SAFETY: all pointers are valid, and the value can be written.
        let value = made(|value| unsafe {
            sys::ov_compiled_model_get_property(self.0.as_ptr(), key.as_ptr(), value)
        });
        value.map(taken)
    }

    /// A new infer request.
    pub(crate) fn request(&self) -> Result<Request> {
        // SAFETY: the compiled graph is valid, and the request can be written.
        made(|request| unsafe {
            sys::ov_compiled_model_create_infer_request(self.0.as_ptr(), request)
        })
        .map(Request)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    /// It was stopped because its time was up.
    Late,
}

/// How long a node took, as the mean of all runs of the compiled graph.
pub(crate) struct NodeTime {
    pub(crate) name: String,
    pub(crate) op_type: String,
    pub(crate) mean: Duration,
}

impl Request {
    /// Runs on these inputs. If a time is given, the run ends at most one node after it.
    pub(crate) fn run<'t>(
        &mut self,
        inputs: impl Iterator<Item = (&'t str, &'t Tensor)>,
        time: Option<Duration>,
    ) -> Result<End> {
        // These are views of our tensors, which live until this function returns; the run has ended
        // by then.
        for (name, tensor) in inputs {
            let (name, values) = (text(name)?, Values::view(tensor)?);
            // SAFETY: all pointers are valid; the request keeps the tensor alive by itself.
            check(unsafe {
                sys::ov_infer_request_set_tensor(self.0.as_ptr(), name.as_ptr(), values.0.as_ptr())
            })?;
        }
        let Some(time) = time else {
            // SAFETY: the request is valid, and its inputs live.
            check(unsafe { sys::ov_infer_request_infer(self.0.as_ptr()) })?;
            return Ok(End::Done);
        };
        let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        // SAFETY: as above; from here on nothing returns before the run has ended.
        check(unsafe { sys::ov_infer_request_start_async(self.0.as_ptr()) })?;
        // SAFETY: the request is valid.
        match unsafe { sys::ov_infer_request_wait_for(self.0.as_ptr(), milliseconds) } {
            Status::RESULT_NOT_READY => {
                // SAFETY: the request is valid. The status of the wait doesn't matter: the run was
                // canceled, or it ended in the meantime, which is too late.
                unsafe {
                    sys::ov_infer_request_cancel(self.0.as_ptr());
                    sys::ov_infer_request_wait(self.0.as_ptr());
                }
                Ok(End::Late)
            }
            status => check(status).map(|()| End::Done),
        }
    }

    /// A copy of an output of the last run; `None` if it doesn't fit the port.
    pub(crate) fn output(&self, port: &Port) -> Result<Option<Tensor>> {
        let name = text(&port.name)?;
        // SAFETY: all pointers are valid, and the tensor can be written.
        let values = made(|values| unsafe {
            sys::ov_infer_request_get_tensor(self.0.as_ptr(), name.as_ptr(), values)
        });
        Values(values?).copy(port.dtype, port.shape.len())
    }

    /// How long the nodes take, in their order, if the graph was compiled to report it.
    pub(crate) fn times(&self) -> Result<Vec<NodeTime>> {
        let mut list = sys::ov_profiling_info_list_t {
            profiling_infos: ptr::null_mut(),
            size: 0,
        };
        // SAFETY: request and list are valid.
        check(unsafe { sys::ov_infer_request_get_profiling_info(self.0.as_ptr(), &raw mut list) })?;
        let owned = |text: *const c_char| {
            // SAFETY: the texts of the list are zero-terminated until it is freed.
            unsafe { CStr::from_ptr(text) }
                .to_string_lossy()
                .into_owned()
        };
        let times = (0..list.size)
            // SAFETY: there are `size` entries, until the list is freed below.
            .map(|index| unsafe { *list.profiling_infos.add(index) })
            .filter(|it| it.status == sys::ov_profiling_info_t_Status::EXECUTED)
            .map(|it| NodeTime {
                name: owned(it.node_name),
                op_type: owned(it.node_type),
                mean: Duration::from_micros(u64::try_from(it.real_time).unwrap_or(0)),
            })
            .collect();
        // SAFETY: the list came from OpenVINO and is freed once.
        unsafe { sys::ov_profiling_info_list_free(&raw mut list) };
        Ok(times)
    }
}

impl Values {
    /// OpenVINO's view of a tensor, which must outlive all that OpenVINO does with it.
    fn view(tensor: &Tensor) -> Result<Self> {
        let mut sizes = sizes(tensor.shape())?;
        let shape = sys::ov_shape_t {
            rank: sizes.len() as i64,
            dims: sizes.as_mut_ptr(),
        };
        let elements = with_array!(&tensor.0, array => array.as_ptr().cast::<c_void>());
        // SAFETY: the shape is valid during the call. A tensor's layout is standard, so its
        // elements are all that the shape says, one after the other; OpenVINO only reads inputs.
        made(|values| unsafe {
            sys::ov_tensor_create_from_host_ptr(
                element_type(tensor.dtype()),
                shape,
                elements.cast_mut(),
                values,
            )
        })
        .map(Self)
    }

    /// The size of each axis; not for a tensor of rank 0.
    fn shape(&self) -> Result<Option<Vec<usize>>> {
        let mut shape = sys::ov_shape_t {
            rank: 0,
            dims: ptr::null_mut(),
        };
        // SAFETY: the tensor is valid, and its shape can be written.
        check(unsafe { sys::ov_tensor_get_shape(self.0.as_ptr(), &raw mut shape) })?;
        let rank = usize::try_from(shape.rank).unwrap_or(0);
        let sizes = (0..rank)
            // SAFETY: there are `rank` sizes, until the shape is freed below.
            .map(|axis| usize::try_from(unsafe { *shape.dims.add(axis) }).ok())
            .collect();
        // SAFETY: the shape came from OpenVINO and is freed once.
        unsafe { sys::ov_shape_free(&raw mut shape) };
        Ok(sizes)
    }

    fn copy(&self, dtype: DType, rank: usize) -> Result<Option<Tensor>> {
        let values = self.0.as_ptr();
        let mut found = ElementType::DYNAMIC;
        // SAFETY: the tensor is valid, and its type can be written.
        check(unsafe { sys::ov_tensor_get_element_type(values, &raw mut found) })?;
        if found != element_type(dtype) {
            return Ok(None);
        }
        // OpenVINO's C interface has no shape for a tensor of rank 0.
        let sizes = match rank {
            0 => Some(Vec::new()),
            _ => self.shape()?,
        };
        let (mut bytes, mut data) = (0, ptr::null_mut());
        // SAFETY: the tensor is valid, and both values can be written.
        check(unsafe { sys::ov_tensor_get_byte_size(values, &raw mut bytes) })?;
        // SAFETY: as above.
        check(unsafe { sys::ov_tensor_data(values, &raw mut data) })?;
        // SAFETY: a tensor has as many bytes as it says, and lives as long as `self`.
        let bytes = match NonNull::new(data.cast::<u8>()) {
            Some(data) => unsafe { slice::from_raw_parts(data.as_ptr(), bytes) },
            None => &[],
        };
        let tensor = |sizes: Vec<usize>| with_element!(dtype, T => Tensor::from_elements(&sizes, elements::<T>(bytes)?).ok());
        Ok(sizes.and_then(tensor))
    }
}

/// The elements in these bytes, which have this machine's byte order.
fn elements<T: Element>(bytes: &[u8]) -> Option<Vec<T>> {
    if T::DTYPE == DType::Bool {
        // Bytes that are neither 0 nor 1 are not a `bool`.
        let tensor = Tensor::from_le_bytes(DType::Bool, &[bytes.len()], bytes).ok()?;
        return Some(tensor.array::<T>().ok()?.iter().copied().collect());
    }
    let count = bytes.len() / size_of::<T>();
    let mut elements: Vec<T> = Vec::with_capacity(count);
    // SAFETY: elements other than `bool` are numbers, for which any bits are valid. The vector has
    // room for `count` of them, and doesn't overlap with OpenVINO's memory.
    unsafe {
        ptr::copy_nonoverlapping(
            bytes.as_ptr(),
            elements.as_mut_ptr().cast(),
            count * size_of::<T>(),
        );
        elements.set_len(count);
    }
    Some(elements)
}

fn sizes(shape: &[usize]) -> Result<Vec<i64>> {
    let sizes = shape.iter().map(|it| i64::try_from(*it));
    let sizes: std::result::Result<_, _> = sizes.collect();
    sizes.map_err(|_| Failure(io::Error::from(io::ErrorKind::OutOfMemory).to_string()))
}

fn element_type(dtype: DType) -> ElementType {
    match dtype {
        DType::F32 => ElementType::F32,
        DType::F16 => ElementType::F16,
        DType::I64 => ElementType::I64,
        DType::I32 => ElementType::I32,
        DType::U8 => ElementType::U8,
        DType::I8 => ElementType::I8,
        DType::Bool => ElementType::OV_BOOLEAN,
    }
}
