use std::fs;
use std::path::Path;

use nezha_graphs::{Bindings, Port, Signature};
use ort::ep::TensorRT;

use crate::{AxisRange, TensorRtOptions};

/// The TensorRT execution provider, configured for a model.
pub(super) fn provider(
    options: &TensorRtOptions,
    signature: &Signature,
) -> Result<TensorRT, String> {
    let mut provider = TensorRT::default().with_fp16(options.fp16);
    if let Some(folder) = &options.engine_cache {
        let folder = cache(folder)?;
        provider = provider
            .with_engine_cache(true)
            .with_engine_cache_path(&folder)
            .with_timing_cache(true)
            .with_timing_cache_path(&folder);
    }
    if !options.shapes.is_empty() {
        let shapes = |size: fn(&AxisRange) -> usize| shapes(options, signature, size);
        provider = provider
            .with_profile_min_shapes(shapes(|range| range.min)?)
            .with_profile_opt_shapes(shapes(|range| range.optimal)?)
            .with_profile_max_shapes(shapes(|range| range.max)?);
    }
    Ok(provider)
}

/// The path of the folder, which is created if it doesn't exist, as the text that ONNX Runtime
/// takes.
fn cache(folder: &Path) -> Result<String, String> {
    let at = |reason: &str| format!("engine cache {}: {reason}", folder.display());
    fs::create_dir_all(folder).map_err(|error| at(&error.to_string()))?;
    let text = folder
        .to_str()
        .ok_or_else(|| at("expected a name in UTF-8"))?;
    Ok(text.to_owned())
}

/// Checks the ranges of axes against the model's inputs, which needs no TensorRT.
pub(super) fn check(options: &TensorRtOptions, signature: &Signature) -> Result<(), String> {
    if options.shapes.is_empty() {
        return Ok(());
    }
    let named: Vec<&str> = named_axes(signature).collect();
    for (axis, range) in &options.shapes {
        if !named.contains(&axis.as_str()) {
            let axes = named.join(", ");
            return Err(format!(
                "no input has the axis '{axis}'; the inputs have {axes}"
            ));
        }
        let AxisRange { min, optimal, max } = *range;
        if min > optimal || optimal > max || max == 0 {
            return Err(format!(
                "axis '{axis}' ranges from {min} over {optimal} to {max}: expected min ≤ optimal \
                 ≤ max, and max at least 1"
            ));
        }
    }
    match named
        .iter()
        .find(|axis| !options.shapes.contains_key(**axis))
    {
        Some(axis) => Err(format!(
            "axis '{axis}' has no range: TensorRT takes ranges of all axes or of none"
        )),
        None => Ok(()),
    }
}

/// The symbolic axes of the inputs, each once.
fn named_axes(signature: &Signature) -> impl Iterator<Item = &str> {
    let dims = signature.inputs.iter().flat_map(|port| &port.shape);
    let mut axes: Vec<&str> = dims.filter_map(|dim| dim.as_symbol()).collect();
    axes.sort_unstable();
    axes.dedup();
    axes.into_iter()
}

/// A shape for every input that has a dynamic axis: `input_ids:1x16,attention_mask:1x16`.
fn shapes(
    options: &TensorRtOptions,
    signature: &Signature,
    size: fn(&AxisRange) -> usize,
) -> Result<String, String> {
    let ranges = options.shapes.iter();
    let sizes: Bindings = ranges
        .map(|(axis, range)| (axis.clone(), size(range)))
        .collect();
    let dynamic = |port: &&Port| port.shape.iter().any(|dim| dim.as_fixed().is_none());
    let shape = |port: &Port| {
        let dims = port.shape.iter().map(|dim| {
            let size = dim.evaluate(&sizes);
            size.ok_or_else(|| format!("the size of input '{}' is not known", port.name))
        });
        let dims: Vec<String> = dims
            .map(|dim| Ok(dim?.to_string()))
            .collect::<Result<_, String>>()?;
        Ok(format!("{}:{}", port.name, dims.join("x")))
    };
    let shapes: Result<Vec<String>, String> =
        signature.inputs.iter().filter(dynamic).map(shape).collect();
    Ok(shapes?.join(","))
}

#[cfg(test)]
mod tests {
    use nezha_graphs::{DType, Dim};

    use super::*;

    /// Token ids, a mask that spans a cache, and a head mask of fixed shape.
    fn signature() -> Signature {
        let port = |name: &str, shape: &str| {
            let dims: Vec<Dim> = shape.split(',').map(Dim::parse).collect();
            Port::new(name, DType::I64, &dims, "")
        };
        Signature {
            inputs: vec![
                port("input_ids", "batch_size,sequence_length"),
                port(
                    "attention_mask",
                    "batch_size,past_sequence_length + sequence_length",
                ),
                port("past", "batch_size,12,past_sequence_length,64"),
                port("head_mask", "12,12"),
            ],
            outputs: Vec::new(),
        }
    }

    fn options(ranges: &[(&str, [usize; 3])]) -> TensorRtOptions {
        let range = |(axis, [min, optimal, max]): &(&str, [usize; 3])| {
            let range = AxisRange {
                min: *min,
                optimal: *optimal,
                max: *max,
            };
            ((*axis).to_owned(), range)
        };
        TensorRtOptions {
            shapes: ranges.iter().map(range).collect(),
            ..TensorRtOptions::default()
        }
    }

    const ALL: [(&str, [usize; 3]); 3] = [
        ("batch_size", [1, 8, 32]),
        ("sequence_length", [1, 128, 512]),
        ("past_sequence_length", [0, 16, 64]),
    ];

    #[test]
    fn every_input_of_varying_shape_gets_one_and_sums_of_axes_are_added_up() {
        let found = shapes(&options(&ALL), &signature(), |range| range.optimal);
        assert_eq!(
            found.as_deref(),
            Ok("input_ids:8x128,attention_mask:8x144,past:8x12x16x64")
        );
    }

    #[test]
    fn ranges_that_tensorrt_would_misread_are_refused_by_axis() {
        let with = |axis, range| {
            let mut ranges = ALL.to_vec();
            ranges.retain(|it| it.0 != axis);
            ranges.extend(range);
            options(&ranges)
        };
        for (options, expected) in [
            (
                with("sequence_length", None),
                "axis 'sequence_length' has no range",
            ),
            (
                with("", Some(("tokens", [1, 2, 3]))),
                "no input has the axis 'tokens'; the inputs have batch_size, past_sequence_length, \
                 sequence_length",
            ),
            (
                with("batch_size", Some(("batch_size", [4, 2, 8]))),
                "axis 'batch_size' ranges from 4 over 2 to 8",
            ),
            (
                with("batch_size", Some(("batch_size", [0, 0, 0]))),
                "axis 'batch_size' ranges from 0 over 0 to 0",
            ),
        ] {
            let error = check(&options, &signature()).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert_eq!(check(&options(&ALL), &signature()), Ok(()));
    }

    #[test]
    fn an_engine_cache_that_is_a_file_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = cache(file.path()).unwrap_err();
        assert!(
            error.contains(&file.path().display().to_string()),
            "{error}"
        );
    }
}
