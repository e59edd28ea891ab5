use super::*;

fn signature(head: Head) -> Signature {
    let config = Config::from_json(r#"{"num_hidden_layers": 1}"#).unwrap();
    let options = GraphOptions {
        hidden_states: true,
        attentions: true,
        ..GraphOptions::default()
    };
    Signature::new(&config, head, &options)
}

#[test]
fn multiple_choice_flattens_hidden_states_and_attentions() {
    let outputs = signature(Head::MultipleChoice).outputs;
    let printed: Vec<String> = outputs.iter().map(Port::to_string).collect();
    assert_eq!(
        printed,
        [
            "logits: float32[batch_size, num_choices]",
            "hidden_states.0: float32[batch_size*num_choices, sequence_length, 768]",
            "hidden_states.1: float32[batch_size*num_choices, sequence_length, 768]",
            "attentions.0: float32[batch_size*num_choices, 12, sequence_length, sequence_length]",
        ]
    );
}

#[test]
fn a_port_survives_the_onnx_message() {
    for head in Head::ALL {
        let signature = signature(head);
        for port in signature.inputs.iter().chain(&signature.outputs) {
            assert_eq!(Port::from_proto(&port.to_proto()).as_ref(), Ok(port));
        }
    }
}

#[test]
fn binding_names_the_tensor_that_does_not_fit() {
    let signature = signature(Head::Base);
    let bind = |mask: (DType, &[usize])| {
        signature
            .bind([
                ("input_ids", DType::I64, [2, 5].as_slice()),
                ("attention_mask", mask.0, mask.1),
                ("token_type_ids", DType::I64, [2, 5].as_slice()),
            ])
            .map_err(|error| error.to_string())
    };
    let bindings = bind((DType::I64, &[2, 5])).unwrap();
    assert_eq!(
        (bindings["batch_size"], bindings["sequence_length"]),
        (2, 5)
    );
    for (mask, expected) in [
        (
            (DType::F32, [2, 5].as_slice()),
            "input 'attention_mask' is float32, expected int64",
        ),
        (
            (DType::I64, [5].as_slice()),
            "input 'attention_mask' has shape [5], expected \
             attention_mask: int64[batch_size, sequence_length]",
        ),
        (
            (DType::I64, [2, 4].as_slice()),
            "axis 1 of input 'attention_mask' is 4, expected 5 (sequence_length, from the \
             inputs before it)",
        ),
        (
            (DType::I64, [2, 0].as_slice()),
            "axis 1 (sequence_length) of input 'attention_mask' is empty: expected at least 1",
        ),
    ] {
        assert_eq!(bind(mask).unwrap_err(), expected);
    }
}

#[test]
fn a_missing_and_an_unknown_input_are_named() {
    let signature = signature(Head::Base);
    let ids = ("input_ids", DType::I64, [1, 1].as_slice());
    assert_eq!(
        signature.bind([ids]).unwrap_err().to_string(),
        "input 'attention_mask' is missing: expected \
         attention_mask: int64[batch_size, sequence_length]"
    );
    assert_eq!(
        signature
            .bind([("ids", DType::I64, [1, 1].as_slice())])
            .unwrap_err()
            .to_string(),
        "there is no input 'ids'; the inputs are input_ids, attention_mask, token_type_ids"
    );
}
