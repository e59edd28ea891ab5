use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Bindings, Config, Gather, GraphOption, Head, MaskSource, OptionError, PortNames, ProblemType,
    ports, setters,
};

/// The options of a graph: what it has beyond its head's inputs and outputs, and its form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct GraphOptions {
    /// Replaces the input `input_ids` by `inputs_embeds`, float32 `[batch, sequence, hidden_size]`,
    /// or `[batch, choices, sequence, hidden_size]`.
    pub inputs_embeds: bool,
    /// Adds the input `head_mask`, float32 `[layers, attention heads]`, by which the attention
    /// probabilities are multiplied.
    pub head_mask: bool,
    /// Adds `hidden_states.{0..=L}`, float32 `[batch, sequence, hidden_size]`; with choices, the
    /// first axis is batch·choices.
    pub hidden_states: bool,
    /// Adds `attentions.{0..L}`, float32 `[batch, attention heads, sequence, keys]`; with choices,
    /// the first axis is batch·choices. With cross-attention, also `cross_attentions.{0..L}`.
    pub attentions: bool,
    /// Adds the inputs for labels and the output `loss`, float32 of rank 0.
    pub loss: bool,
    /// The problem type of a sequence classifier, which decides its labels, loss and probabilities.
    /// It replaces the config's.
    pub problem_type: Option<ProblemType>,
    /// Adds the inputs `past_key_values.…` and the outputs `present.…`, float32
    /// `[batch, attention heads, keys, head size]`; decoders only.
    pub kv_cache: bool,
    /// Outputs `pooler_output` beside `last_hidden_state`. Only the base head reads this option.
    ///
    /// The exporter turns it off for a checkpoint without pooler weights.
    pub pooler: bool,
    /// Replaces the base head's outputs by `embeddings`, float32 `[batch, hidden_size]`: one vector
    /// for each text.
    pub pooling: Option<Pooling>,
    /// Scales `embeddings` to unit length.
    pub normalize: bool,
    /// Adds `probabilities`, of the shape of `logits`.
    pub probabilities: bool,
    /// Adds the input `mask_positions`, int64 `[n, 2]` (row and column of a token). Only these
    /// tokens are scored: `logits` is `[n, vocab_size]`.
    pub mask_positions: bool,
    /// Adds the k most probable tokens, best first: `top_ids`, int64, and `top_probabilities`,
    /// float32. They have the shape of `logits`, with k as the last axis.
    pub top_k: Option<usize>,
    /// Axes with a fixed size, by their names in [`axes`](crate::axes).
    pub fixed_axes: Bindings,
    /// How attention picks rows of relative positions; it changes neither inputs nor outputs.
    pub gather: Gather,
    /// Names of inputs and outputs that replace the contract's.
    pub rename: PortNames,
    /// Integer inputs are int32 instead of int64.
    pub int32_inputs: bool,
    /// Where the graph gets the attention mask from.
    pub mask: MaskSource,
    /// Has the input `token_type_ids`; without it, every token belongs to the first text.
    pub token_types: bool,
}

impl GraphOptions {
    setters! {
        inputs_embeds: bool,
        head_mask: bool,
        hidden_states: bool,
        attentions: bool,
        loss: bool,
        problem_type: impl Into<Option<ProblemType>>,
        kv_cache: bool,
        pooler: bool,
        pooling: impl Into<Option<Pooling>>,
        normalize: bool,
        probabilities: bool,
        mask_positions: bool,
        top_k: impl Into<Option<usize>>,
        fixed_axes: Bindings,
        gather: Gather,
        rename: PortNames,
        int32_inputs: bool,
        mask: MaskSource,
        token_types: bool,
    }
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self {
            inputs_embeds: false,
            head_mask: false,
            hidden_states: false,
            attentions: false,
            loss: false,
            problem_type: None,
            kv_cache: false,
            pooler: true,
            pooling: None,
            normalize: false,
            probabilities: false,
            mask_positions: false,
            top_k: None,
            fixed_axes: Bindings::new(),
            gather: Gather::default(),
            rename: PortNames::default(),
            int32_inputs: false,
            mask: MaskSource::default(),
            token_types: true,
        }
    }
}

/// How the tokens of a text become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The vector of the first token.
    Cls,
    /// The mean over the tokens that are attended to.
    Mean,
    /// The maximum over the tokens that are attended to, for each column.
    Max,
}

impl Pooling {
    /// All kinds of pooling.
    pub const ALL: [Pooling; 3] = [Pooling::Cls, Pooling::Mean, Pooling::Max];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Pooling::Cls => "cls",
            Pooling::Mean => "mean",
            Pooling::Max => "max",
        }
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Pooling {
    type Err = UnknownPooling;

    fn from_str(name: &str) -> Result<Self, UnknownPooling> {
        Self::ALL
            .into_iter()
            .find(|pooling| pooling.name() == name)
            .ok_or_else(|| UnknownPooling(name.to_owned()))
    }
}

/// An unknown kind of pooling.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown pooling '{0}'; there are cls, mean, max")]
pub struct UnknownPooling(
    /// The name that was given.
    pub String,
);

impl GraphOptions {
    /// The options that differ from the default, as a JSON object by field name; `{}` if there are
    /// none.
    ///
    /// Deserializing the object gives the options back: an absent field has its default.
    pub fn to_json(&self) -> Value {
        let fields = |options: &Self| match serde_json::to_value(options) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let defaults = fields(&Self::default());
        let mut fields = fields(self);
        fields.retain(|name, value| defaults.get(name) != Some(value));
        Value::Object(fields)
    }

    /// Checks that the options can be used for `head` with `config`.
    ///
    /// # Errors
    /// The first [`OptionError`].
    pub fn check(&self, config: &Config, head: Head) -> Result<(), OptionError> {
        let given = [
            (GraphOption::Loss, self.loss),
            (GraphOption::Pooling, self.pooling.is_some()),
            (GraphOption::MaskPositions, self.mask_positions),
            (GraphOption::TopK, self.top_k.is_some()),
            (GraphOption::Probabilities, self.probabilities),
            (GraphOption::KvCache, self.kv_cache),
            (GraphOption::ProblemType, self.problem_type.is_some()),
        ];
        let mut given = given.into_iter().filter(|(_, given)| *given);
        if let Some((option, _)) = given.find(|(option, _)| !head.takes(*option)) {
            let heads = Head::ALL.into_iter().filter(|it| it.takes(option));
            return Err(OptionError::Head {
                option,
                head,
                heads: heads.map(Head::name).collect::<Vec<_>>().join(", "),
            });
        }
        self.check_together(config, head)
    }

    fn check_together(&self, config: &Config, head: Head) -> Result<(), OptionError> {
        let conflict = |option, other| Err(OptionError::Conflict { option, other });
        if self.kv_cache && !config.is_decoder {
            return Err(OptionError::NoDecoder);
        }
        if self.normalize && self.pooling.is_none() {
            return Err(OptionError::Needs {
                option: GraphOption::Normalize,
                other: GraphOption::Pooling,
            });
        }
        if self.kv_cache && self.pooling.is_some() {
            return conflict(GraphOption::Pooling, GraphOption::KvCache);
        }
        if self.mask_positions && self.loss {
            return conflict(GraphOption::MaskPositions, GraphOption::Loss);
        }
        self.check_mask()?;
        let problem = self.effective_problem_type(config);
        if self.probabilities
            && head.takes(GraphOption::ProblemType)
            && problem == ProblemType::Regression
        {
            return Err(OptionError::Regression);
        }
        self.check_axes(config, head)?;
        self.check_names(config, head)?;
        match self.top_k {
            Some(found) if found == 0 || found > config.vocab_size => Err(OptionError::TopK {
                found,
                vocab_size: config.vocab_size,
            }),
            _ => Ok(()),
        }
    }

    /// Checks the mask against options that it needs or excludes.
    fn check_mask(&self) -> Result<(), OptionError> {
        let conflict = |other| {
            Err(OptionError::Conflict {
                option: GraphOption::Mask,
                other,
            })
        };
        match (self.mask, self.pooling) {
            (MaskSource::FromPadding, _) if self.inputs_embeds => {
                conflict(GraphOption::InputsEmbeds)
            }
            // The cache has no token ids in which padding could be seen.
            (MaskSource::FromPadding, _) if self.kv_cache => conflict(GraphOption::KvCache),
            // With one mask row for each token, it is not known which tokens are padding.
            (MaskSource::Pairs, Some(Pooling::Mean | Pooling::Max)) => {
                conflict(GraphOption::Pooling)
            }
            _ => Ok(()),
        }
    }

    /// Renamed ports must exist in the graph, and no two may have the same name.
    fn check_names(&self, config: &Config, head: Head) -> Result<(), OptionError> {
        let [inputs, outputs] = [ports::inputs, ports::outputs].map(|of| of(config, head, self));
        let ports = [inputs, outputs].concat();
        if let Some(name) = self.rename.unknown(&ports) {
            let known: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
            return Err(OptionError::UnknownPort {
                name: name.to_owned(),
                head,
                known: known.join(", "),
            });
        }
        match self.rename.unusable(ports) {
            Some((name, reason)) => Err(OptionError::PortName { name, reason }),
            None => Ok(()),
        }
    }

    /// Fixed axes must exist in the graph.
    fn check_axes(&self, config: &Config, head: Head) -> Result<(), OptionError> {
        if self.fixed_axes.is_empty() {
            return Ok(());
        }
        if self.kv_cache {
            return Err(OptionError::Conflict {
                option: GraphOption::FixedAxes,
                other: GraphOption::KvCache,
            });
        }
        let inputs = ports::inputs(config, head, self);
        let dims = inputs.iter().flat_map(|port| &port.shape);
        let known: BTreeSet<&str> = dims.filter_map(|dim| dim.as_symbol()).collect();
        for (axis, size) in &self.fixed_axes {
            if !known.contains(axis.as_str()) {
                return Err(OptionError::Axis {
                    axis: axis.clone(),
                    head,
                    known: known.into_iter().collect::<Vec<_>>().join(", "),
                });
            }
            if *size == 0 {
                return Err(OptionError::EmptyAxis { axis: axis.clone() });
            }
        }
        Ok(())
    }

    /// The problem type of the sequence classifier: this option's, else the config's.
    pub fn effective_problem_type(&self, config: &Config) -> ProblemType {
        self.problem_type.unwrap_or(config.effective_problem_type())
    }

    /// Whether the graph attends to an encoder's hidden states.
    ///
    /// In transformers, only the base model and the masked language model support it. For other
    /// heads of such a checkpoint, transformers leaves the cross-attention block out, and so do we.
    pub fn cross_attention(&self, config: &Config, head: Head) -> bool {
        config.add_cross_attention && head.has_cross_attention()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_what_differs_from_the_default_and_gives_it_back() {
        let options = GraphOptions {
            pooler: false,
            pooling: Some(Pooling::Mean),
            problem_type: Some(ProblemType::MultiLabelClassification),
            top_k: Some(5),
            gather: Gather::Flat,
            ..GraphOptions::default()
        };
        let json = options.to_json();
        let expected = r#"{"problem_type":"multi_label_classification","pooler":false,"pooling":"mean","top_k":5,"gather":"flat"}"#;
        assert_eq!(json.to_string(), expected);
        assert_eq!(
            serde_json::from_value::<GraphOptions>(json).unwrap(),
            options
        );
        assert_eq!(GraphOptions::default().to_json().to_string(), "{}");
    }
}
