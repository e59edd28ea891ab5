//! Tensors that stay on the device from one run to the next, through ONNX Runtime's IO binding.

use std::any::Any;
use std::sync::Arc;

use nezha_graphs::{DType, Port};
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::value::{DynValue, Tensor as OrtTensor, TensorValueType};

use super::{OrtEngine, tensor};
use crate::engine::kind::OrtDevice;
use crate::engine::{EngineError, Resident, Residents};
use crate::native::OrtSession as Session;
use crate::tensor::with_array;
use crate::{Tensor, Tensors};

/// An output of a run that stays where it was computed.
struct OnDevice {
    value: DynValue,
    port: Port,
    shape: Vec<usize>,
    device: OrtDevice,
}

impl Resident for OnDevice {
    fn dtype(&self) -> DType {
        self.port.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn to_host(&self) -> Result<Tensor, EngineError> {
        let found = match self.device {
            device if !is_on_gpu(device) => tensor(&self.value, &self.port),
            _ => {
                let on_device = self.value.view().downcast::<TensorValueType<f32>>();
                let copied = on_device.and_then(|it| it.to(AllocationDevice::CPU, 0));
                let copied = copied.map_err(|error| EngineError::Run {
                    engine: self.device.kind(),
                    reason: error.to_string(),
                })?;
                tensor(&copied.into_dyn(), &self.port)
            }
        };
        found.ok_or_else(|| EngineError::Output {
            engine: self.device.kind(),
            name: self.port.name.clone(),
            expected: self.port.dtype,
            found: self.value.dtype().to_string(),
        })
    }
}

impl OrtEngine {
    /// Computes a run. Outputs stay on the device if `keep` returns the name of an input for them.
    pub(super) fn compute_resident(
        &self,
        session: &mut Session,
        inputs: &Tensors,
        residents: &Residents,
        keep: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Tensors, Residents), EngineError> {
        let outputs = self.bound(session, inputs, residents, keep);
        let outputs = outputs.map_err(|error| self.failed(&error))?;
        let mut answer = Tensors::default();
        let mut kept = Residents::default();
        for (port, value) in self.outputs.iter().zip(outputs) {
            match keep(&port.name) {
                Some(name) => {
                    let resident = self.on_device(value, port)?;
                    kept.push(name, Arc::new(resident));
                }
                None => {
                    let found = tensor(&value, port);
                    let found = found.ok_or_else(|| self.unexpected(port, Some(&value)))?;
                    answer.insert(port.name.as_str(), found);
                }
            }
        }
        Ok((answer, kept))
    }

    /// The outputs in the order of the ports.
    fn bound(
        &self,
        session: &mut Session,
        inputs: &Tensors,
        residents: &Residents,
        keep: &dyn Fn(&str) -> Option<String>,
    ) -> ort::Result<Vec<DynValue>> {
        let mut binding = session.create_binding()?;
        for (name, tensor) in inputs.iter() {
            // A view would be copied too, in a session that `ort` creates for it and waits for.
            with_array!(&tensor.0, array => {
                let elements = array.as_slice().unwrap_or_default().to_vec();
                let value = OrtTensor::from_array((array.shape(), elements))?;
                binding.bind_input(name, &value)?;
            });
        }
        for (name, resident) in residents.iter() {
            let resident: &dyn Any = resident.as_ref();
            if let Some(it) = resident.downcast_ref::<OnDevice>() {
                binding.bind_input(name, &it.value)?;
            }
        }
        let host = memory(OrtDevice::Cpu, 0)?;
        let device = memory(self.device, self.gpu)?;
        for port in &self.outputs {
            let place = if keep(&port.name).is_some() {
                &device
            } else {
                &host
            };
            binding.bind_output_to_device(port.name.as_str(), place)?;
        }
        let mut outputs = session.run_binding(&binding)?;
        let values = self.outputs.iter().map(|port| outputs.remove(&port.name));
        Ok(values.flatten().collect())
    }

    fn on_device(&self, value: DynValue, port: &Port) -> Result<OnDevice, EngineError> {
        let sizes = value.shape().iter().map(|it| usize::try_from(*it));
        let shape: Result<Vec<usize>, _> = sizes.collect();
        let shape = shape.map_err(|_| self.unexpected(port, Some(&value)))?;
        Ok(OnDevice {
            value,
            port: port.clone(),
            shape,
            device: self.device,
        })
    }
}

/// Whether values stay in a GPU's memory; only CUDA's do, other devices return them to the host.
fn is_on_gpu(device: OrtDevice) -> bool {
    matches!(device, OrtDevice::Cuda | OrtDevice::TensorRt)
}

/// The memory that a device's values stay in.
fn memory(device: OrtDevice, gpu: u32) -> ort::Result<MemoryInfo<'static>> {
    let (place, index) = match is_on_gpu(device) {
        true => (AllocationDevice::CUDA, gpu),
        false => (AllocationDevice::CPU, 0),
    };
    let index = i32::try_from(index).unwrap_or(i32::MAX);
    MemoryInfo::new(place, index, AllocatorType::Device, MemoryType::Default)
}
