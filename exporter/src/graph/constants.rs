use nezha_graphs::DType;

use super::{Element, Scope, Value};

/// The name of a constant with these numbers. Names differ in letters and digits, because burn-onnx
/// drops all other characters and would treat two constants of equal names as one value.
fn name<T: ToString>(dtype: &str, numbers: &[T]) -> String {
    let numbers = numbers
        .iter()
        .map(|it| it.to_string().replace('-', "minus_"));
    let parts: Vec<String> = [dtype.to_owned()].into_iter().chain(numbers).collect();
    format!("constants/{}", parts.join("_"))
}

/// Constants. Equal constants are one value.
impl Scope<'_> {
    /// A float32 of rank 0.
    pub fn float(&self, number: f32) -> Value {
        let bytes = number.to_le_bytes().to_vec().into();
        let name = name("float", &[format!("{number:?}")]);
        self.builder.constant(name, DType::F32, &[], bytes, None)
    }

    /// A float32 tensor called `name` in this scope.
    pub fn floats(&self, name: &str, shape: &[usize], numbers: &[f32]) -> Value {
        let bytes = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
        let name = format!("{}/{name}", self.path);
        self.builder.constant(name, DType::F32, shape, bytes, None)
    }

    /// An int32 of rank 0.
    pub fn int32(&self, number: i32) -> Value {
        let name = name("int32", &[number]);
        let bytes = number.to_le_bytes().to_vec().into();
        let elements = Some(vec![Element::Number(number.into())]);
        self.builder
            .constant(name, DType::I32, &[], bytes, elements)
    }

    /// An int32 vector called `name` in this scope.
    pub fn int32s(&self, name: &str, numbers: &[i32]) -> Value {
        let bytes = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
        let name = format!("{}/{name}", self.path);
        let elements = numbers.iter().map(|it| Element::Number((*it).into()));
        let shape = [numbers.len()];
        self.builder
            .constant(name, DType::I32, &shape, bytes, Some(elements.collect()))
    }

    /// A uint8 of rank 0.
    pub fn uint8(&self, number: u8) -> Value {
        let name = name("uint8", &[number]);
        self.builder
            .constant(name, DType::U8, &[], vec![number].into(), None)
    }

    /// An int64 of rank 0.
    pub fn int64(&self, number: i64) -> Value {
        let name = name("int64", &[number]);
        let elements = Some(vec![Element::Number(number)]);
        let bytes = number.to_le_bytes().to_vec().into();
        self.builder
            .constant(name, DType::I64, &[], bytes, elements)
    }

    /// An int64 vector: a shape, or a list of axes.
    pub fn vector(&self, numbers: &[i64]) -> Value {
        let bytes = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
        let elements = numbers.iter().copied().map(Element::Number).collect();
        let name = name("int64s", numbers);
        let shape = [numbers.len()];
        self.builder
            .constant(name, DType::I64, &shape, bytes, Some(elements))
    }
}
