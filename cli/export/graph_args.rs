use clap::ValueEnum;
use nezha_graphs::{Gather, GraphOptions, MaskSource, Pooling, PortNames, ProblemType, axes};

/// What the graph takes and gives beyond the head's own.
#[derive(clap::Args)]
pub(super) struct GraphArgs {
    /// Outputs to add to those of the head.
    #[arg(long, value_delimiter = ',')]
    outputs: Vec<ExtraOutput>,
    /// Inputs to add to those of the head, or to take instead.
    #[arg(long, value_delimiter = ',')]
    inputs: Vec<ExtraInput>,
    /// Take labels as inputs and give the loss as an output.
    #[arg(long)]
    loss: bool,
    /// What a sequence classifier was trained for, instead of what the config says: regression,
    /// `single_label_classification` or `multi_label_classification`.
    #[arg(long, value_name = "TYPE")]
    problem_type: Option<ProblemType>,
    /// Take the keys and values of earlier tokens, and return them with those of the new tokens; for
    /// decoders.
    #[arg(long)]
    kv_cache: bool,
    /// Give one vector for each text instead of the base head's outputs: cls, mean or max.
    #[arg(long, value_name = "HOW")]
    pooling: Option<Pooling>,
    /// Scale these vectors to length 1.
    #[arg(long)]
    normalize: bool,
    /// Give probabilities in addition to the logits.
    #[arg(long)]
    probabilities: bool,
    /// Take `mask_positions` as an input and score the vocabulary at these positions only; for masked-lm.
    #[arg(long)]
    mask_positions: bool,
    /// Give the N most probable tokens; for masked-lm.
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
    /// Rename inputs and outputs to what a service sends and reads:
    /// `input_ids=ids,token_type_ids=segment_ids,logits=scores`.
    #[arg(long, value_name = "NAME=NEW", value_delimiter = ',', value_parser = renamed)]
    rename: Vec<(String, String)>,
    /// The element type of ids, masks and labels.
    #[arg(long, value_name = "DTYPE", default_value = "int64")]
    input_dtype: InputDType,
    /// Where the attention mask comes from: tokens (the input `attention_mask`), from-padding (the ids:
    /// every token but the config's `pad_token_id`) or pairs (the input `self_attention_mask`, [batch,
    /// sequence, sequence], as in `UniLM`).
    #[arg(long, value_name = "SOURCE", default_value_t)]
    mask: MaskSource,
    /// Leave out the input `token_type_ids`: every token belongs to the first text.
    #[arg(long)]
    no_token_types: bool,
    /// Fix axes, for stacks that need fixed shapes: batch=1,sequence=128; also choices, encoder and
    /// positions. What depends on fixed axes alone is computed at export.
    #[arg(long = "static", value_name = "AXIS=N", value_delimiter = ',', value_parser = fixed_axis)]
    fixed_axes: Vec<(String, usize)>,
    /// How attention picks rows of relative positions: elements, or flat, which OpenVINO computes faster
    /// and ONNX Runtime slower. The answers are the same. --layout openvino writes flat.
    #[arg(long, value_name = "FORM")]
    pub gather: Option<Gather>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum ExtraOutput {
    /// The embeddings and the output of each layer: `hidden_states.0`, `hidden_states.1`, …
    HiddenStates,
    /// The attention probabilities of each layer: attentions.0, attentions.1, …
    Attentions,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum InputDType {
    Int64,
    Int32,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum ExtraInput {
    /// Embedded tokens instead of their ids.
    InputsEmbeds,
    /// A factor for each attention head of each layer.
    HeadMask,
}

/// The contract's name of an input or output, and the one in its place.
fn renamed(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, own)) => Ok((name.to_owned(), own.to_owned())),
        None => Err(format!(
            "expected NAME=NEW, such as input_ids=ids, found '{text}'"
        )),
    }
}

/// An axis by its short or its full name, and its size.
fn fixed_axis(text: &str) -> Result<(String, usize), String> {
    let expected = || format!("expected AXIS=N, such as sequence=128, found '{text}'");
    let (name, size) = text.split_once('=').ok_or_else(expected)?;
    let axis = match name {
        "batch" => axes::BATCH,
        "sequence" => axes::SEQUENCE,
        "choices" => axes::CHOICES,
        "encoder" => axes::ENCODER,
        "positions" => axes::MASK_POSITIONS,
        other => other,
    };
    let size = size.parse().map_err(|_| expected())?;
    Ok((axis.to_owned(), size))
}

impl GraphArgs {
    /// The same as options of the graph.
    pub(super) fn options(&self) -> GraphOptions {
        GraphOptions::default()
            .inputs_embeds(self.inputs.contains(&ExtraInput::InputsEmbeds))
            .head_mask(self.inputs.contains(&ExtraInput::HeadMask))
            .hidden_states(self.outputs.contains(&ExtraOutput::HiddenStates))
            .attentions(self.outputs.contains(&ExtraOutput::Attentions))
            .loss(self.loss)
            .problem_type(self.problem_type)
            .kv_cache(self.kv_cache)
            .pooling(self.pooling)
            .normalize(self.normalize)
            .probabilities(self.probabilities)
            .mask_positions(self.mask_positions)
            .top_k(self.top_k)
            .fixed_axes(self.fixed_axes.iter().cloned().collect())
            .gather(self.gather.unwrap_or_default())
            .rename(PortNames::from_iter(self.rename.iter().cloned()))
            .int32_inputs(self.input_dtype == InputDType::Int32)
            .mask(self.mask)
            .token_types(!self.no_token_types)
    }
}
