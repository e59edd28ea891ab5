use ndarray::array;

use super::*;

#[test]
fn a_transposed_array_is_stored_in_row_major_order() {
    let tensor = Tensor::from(array![[1_i32, 2], [3, 4]].reversed_axes());
    assert_eq!(
        tensor.to_le_bytes(),
        [1, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0]
    );
}

#[test]
fn bytes_come_back_for_every_element_type() {
    let bytes: Vec<u8> = (0..16).map(|it| it % 2).collect();
    for dtype in [1, 2, 3, 6, 7, 9, 10]
        .map(DType::from_onnx)
        .into_iter()
        .flatten()
    {
        let shape = [2, 8 / dtype.size()];
        let tensor = Tensor::from_le_bytes(dtype, &shape, &bytes).unwrap();
        assert_eq!((tensor.dtype(), tensor.shape()), (dtype, shape.as_slice()));
        assert_eq!(tensor.to_le_bytes(), bytes, "{dtype}");
    }
}

#[test]
fn bytes_that_do_not_fit_the_shape_are_refused() {
    for (shape, bytes) in [(vec![2], 7), (vec![3], 8), (vec![usize::MAX, 2], 8)] {
        let found = Tensor::from_le_bytes(DType::F32, &shape, &vec![0; bytes]);
        let expected = TensorError::Size {
            dtype: DType::F32,
            shape,
            found: bytes,
        };
        assert_eq!(found, Err(expected));
    }
}

#[test]
fn another_element_type_and_a_missing_name_are_named() {
    let tensors = Tensors::from([("a", array![1_i64].into()), ("b", array![1_f32].into())]);
    assert_eq!(
        tensors.array::<f32>("a").unwrap_err().to_string(),
        "the tensor is int64, expected float32"
    );
    assert_eq!(
        tensors.array::<f32>("c").unwrap_err().to_string(),
        "there is no tensor 'c'; there are a, b"
    );
}
