use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Bindings, Config, Gather, GraphOption, Head, MaskSource, OptionError, PortNames, ProblemType,
    ports, setters,
};

/// What a graph takes and gives beyond its head's inputs and outputs, and the form it has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct GraphOptions {
    /// Takes `inputs_embeds`, float32 `[batch, sequence, hidden_size]`, in place of `input_ids`.
    pub inputs_embeds: bool,
    /// Takes `head_mask`, float32 `[layers, attention heads]`.
    pub head_mask: bool,
    /// Adds `hidden_states.{0..=L}`, float32 `[batch, sequence, hidden_size]`.
    pub hidden_states: bool,
    /// Adds `attentions.{0..L}`, float32 `[batch, attention heads, sequence, sequence]`.
    pub attentions: bool,
    /// Takes labels and adds `loss`, a float32 of rank 0.
    pub loss: bool,
    /// What a sequence classifier's labels, loss and probabilities are, in place of the config's
    /// word.
    pub problem_type: Option<ProblemType>,
    /// Takes `past_key_values.…` and adds `present.…`; decoders only.
    pub kv_cache: bool,
    /// Gives `pooler_output` beside `last_hidden_state`; read by the base head alone.
    ///
    /// The exporter turns it off for a checkpoint without pooler weights.
    pub pooler: bool,
    /// Gives one vector for each text, `embeddings` `[batch, hidden_size]`, in place of the base
    /// head's outputs.
    pub pooling: Option<Pooling>,
    /// Makes `embeddings` unit length.
    pub normalize: bool,
    /// Adds `probabilities` beside `logits`.
    pub probabilities: bool,
    /// Takes `mask_positions`, int64 `[n, 2]`, and scores the vocabulary there alone.
    pub mask_positions: bool,
    /// Adds the most probable tokens of the vocabulary, `top_ids` and `top_probabilities`.
    pub top_k: Option<usize>,
    /// Axes, by their names in [`axes`](crate::axes), that have one size for good.
    pub fixed_axes: Bindings,
    /// How attention picks rows of relative positions; changes neither inputs nor outputs.
    pub gather: Gather,
    /// Names of inputs and outputs in place of the contract's.
    pub rename: PortNames,
    /// Takes whole numbers as int32 in place of int64.
    pub int32_inputs: bool,
    /// Where the graph has from which tokens may be attended to.
    pub mask: MaskSource,
    /// Takes `token_type_ids`; without them every token is of the first text.
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
    /// The first token's.
    Cls,
    /// The mean over the tokens that are attended to.
    Mean,
    /// The largest value over the tokens that are attended to, for each column.
    Max,
}

impl Pooling {
    /// All ways.
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

/// A name that is no pooling's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown pooling '{0}'; there are cls, mean, max")]
pub struct UnknownPooling(
    /// The name that was given.
    pub String,
);

impl GraphOptions {
    /// The options that are not the default, as a JSON object by field name; `{}` for none.
    ///
    /// Deserialising gives them back: a field that is absent has its default.
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

    /// Whether the options make sense for `head` over `config`.
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

    /// What else has to be there for a mask, or can't be.
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
            // The cache holds no ids to tell padding by.
            (MaskSource::FromPadding, _) if self.kv_cache => conflict(GraphOption::KvCache),
            // Rows of their own don't say which tokens there are.
            (MaskSource::Pairs, Some(Pooling::Mean | Pooling::Max)) => {
                conflict(GraphOption::Pooling)
            }
            _ => Ok(()),
        }
    }

    /// New names have to be of the graph's ports, and no two the same.
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

    /// The axes that are fixed have to be the graph's.
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

    /// What the sequence classifier does.
    pub fn effective_problem_type(&self, config: &Config) -> ProblemType {
        self.problem_type.unwrap_or(config.effective_problem_type())
    }

    /// Whether the graph attends to an encoder's hidden states.
    ///
    /// In transformers only the base model and the masked language model take them; for other heads
    /// of such a checkpoint it leaves the block out, and so do we.
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
