//! What a head reads from the encoder.

use std::fmt;

use serde::de::{SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::place::Place;
use super::{Form, HeadSpecError, Tensors};
use crate::Config;

/// What is read from the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Read {
    /// The first token's vector.
    Cls,
    /// The pooler's output, `tanh(dense(first token))` of the last layer, even if other layers are
    /// chosen.
    Pooler,
    /// The mean over the tokens that are attended to.
    Mean,
    /// The mean over all positions, padding included, as many implementations compute it.
    MeanAll,
    /// The maximum over the tokens that are attended to, for each column.
    Max,
    /// The maximum over all positions, padding included.
    MaxAll,
    /// Every token's vector.
    Tokens,
}

/// How several readings become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    /// Concatenate them in their order.
    #[default]
    Concatenate,
    /// Their sum.
    Add,
    /// Their mean.
    Average,
}

/// The layers that are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Layers {
    /// The last one.
    #[default]
    Last,
    /// The embeddings and every layer.
    All,
    /// Layers by number: 0 is the embeddings, 1 the first layer, −1 the last layer.
    Numbers(Vec<i64>),
}

/// How several layers become one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mix {
    /// Concatenate them in their order.
    #[default]
    Concatenate,
    /// Their mean.
    Average,
    /// Their sum, each weighted by its own number.
    Weighted(Weighted),
}

/// The weights of layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Weighted {
    /// The name of the tensor with one number for each layer, of any shape.
    pub weights: String,
    /// Whether softmax is applied to the numbers first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub softmax: bool,
    /// The tensor's dimensions; `None` until they are read from the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<usize>>,
}

impl Weighted {
    /// The numbers of the tensor `weights`, without softmax.
    pub fn new(weights: impl Into<String>) -> Self {
        Self {
            weights: weights.into(),
            softmax: false,
            shape: None,
        }
    }

    /// Applies softmax to the numbers first.
    #[must_use]
    pub fn softmax(mut self) -> Self {
        self.softmax = true;
        self
    }
}

impl Layers {
    /// The indices of these layers; index 0 is the embeddings.
    ///
    /// In a resolved spec, they are in range.
    pub fn indices(&self, config: &Config) -> Vec<usize> {
        let count = config.num_hidden_layers + 1;
        let index = |number: &i64| match usize::try_from(*number) {
            Ok(index) => index,
            Err(_) => count.saturating_sub(number.unsigned_abs() as usize),
        };
        match self {
            Layers::Last => vec![count - 1],
            Layers::All => (0..count).collect(),
            Layers::Numbers(numbers) => numbers.iter().map(index).collect(),
        }
    }

    pub(super) fn is_last(&self) -> bool {
        *self == Layers::Last
    }

    pub(super) fn check(&self, config: &Config, place: &Place) -> Result<(), HeadSpecError> {
        let Layers::Numbers(numbers) = self else {
            return Ok(());
        };
        let last = config.num_hidden_layers as i64;
        if numbers.is_empty() {
            return Err(place.fault("no layer is named"));
        }
        match numbers.iter().find(|it| !(-last - 1..=last).contains(*it)) {
            Some(number) => Err(place.fault(format_args!(
                "there is no layer {number}: 0 is the embeddings, {last} or -1 the last layer"
            ))),
            None => Ok(()),
        }
    }
}

impl Mix {
    /// Fills in what the tensors say, and returns the width of the mixed layers.
    pub(super) fn resolve(
        &mut self,
        count: usize,
        config: &Config,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<usize, HeadSpecError> {
        match self {
            Mix::Concatenate => return Ok(count * config.hidden_size),
            Mix::Average => {}
            Mix::Weighted(weighted) => {
                let place = &place.at("weighted").at("weights");
                let shape = match weighted.shape.take() {
                    Some(shape) => shape,
                    None => place.shape(tensors, &weighted.weights)?,
                };
                if shape.iter().product::<usize>() != count {
                    return Err(place.fault(format_args!(
                        "tensor '{}' has shape {shape:?}, and {count} layers are read",
                        weighted.weights
                    )));
                }
                weighted.shape = Some(shape);
            }
        }
        Ok(config.hidden_size)
    }
}

impl Read {
    /// Whether it reads a vector for each token.
    pub(super) fn is_of_tokens(self) -> bool {
        self == Read::Tokens
    }
}

impl Combine {
    /// The form of the combination of readings or branches of these forms.
    pub(super) fn form(self, forms: &[Form], place: &Place) -> Result<Form, HeadSpecError> {
        let Some((&first, rest)) = forms.split_first() else {
            return Err(place.fault("there is nothing to combine"));
        };
        let fits = |form: &Form| match self {
            Combine::Concatenate => first.with_width(0) == form.with_width(0),
            Combine::Add | Combine::Average => first == *form,
        };
        if let Some(other) = rest.iter().find(|it| !fits(it)) {
            return Err(place.fault(format_args!("{first} and {other} can't be combined")));
        }
        if self == Combine::Concatenate && !rest.is_empty() {
            let width = forms.iter().map(|it| it.width()).sum();
            let form = first.with_width(width);
            return form.ok_or_else(|| place.fault(format_args!("{first} can't be concatenated")));
        }
        Ok(first)
    }
}

impl Serialize for Layers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Layers::Last => serializer.serialize_str("last"),
            Layers::All => serializer.serialize_str("all"),
            Layers::Numbers(numbers) => numbers.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Layers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Layers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("last, all or a list of numbers such as [-1, -2]")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Layers, E> {
                match text {
                    "last" => Ok(Layers::Last),
                    "all" => Ok(Layers::All),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Layers, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Layers::Numbers)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads a single value or a list of values.
pub(super) fn one_or_several<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct OneOrSeveral<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrSeveral<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one or a list of them")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            T::deserialize(serde::de::value::StrDeserializer::new(text)).map(|one| vec![one])
        }

        fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Vec<T>, E> {
            T::deserialize(serde::de::value::F64Deserializer::new(number)).map(|one| vec![one])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }
    deserializer.deserialize_any(OneOrSeveral(std::marker::PhantomData))
}
