use std::str::FromStr;

use crate::{Config, ConfigError, GraphOptions, Head, HeadSpec, HeadSpecError, Precision};

/// Version of the names, dtypes and shapes that [`Signature`](crate::Signature) gives a head.
///
/// It is increased when code for one version can't feed artifacts of the other.
pub const SIGNATURE_VERSION: u32 = 1;

const HEAD: &str = "nezha.head";
const HEAD_SPEC: &str = "nezha.head_spec";
const VERSION: &str = "nezha.signature_version";
const CONFIG: &str = "nezha.config";
const OPTIONS: &str = "nezha.graph_options";
const DTYPE: &str = "nezha.dtype";
const LABELS: &str = "nezha.labels";
const SOURCE_SIZE: &str = "nezha.source_size";
const SOURCE_DIGEST: &str = "nezha.source_digest";
const EXPORTER: &str = "nezha.exporter_version";

/// The description of an artifact in its own ONNX file, as `metadata_props`.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The head that the graph computes.
    pub head: Head,
    /// The options of the graph, with which it can be built again.
    pub options: GraphOptions,
    /// How the graph stores weights and computes.
    pub precision: Precision,
    /// The text of the checkpoint's `config.json`.
    pub config_json: String,
    /// Total size of the checkpoint's tensors, in bytes.
    pub source_size: u64,
    /// XXH3-128 of the checkpoint's tensors, hexadecimal. It distinguishes checkpoints, but is not
    /// cryptographic.
    pub source_digest: String,
    /// Version of the exporter.
    pub exporter_version: String,
}

/// Why the metadata of an artifact can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// A key that every artifact has is absent.
    #[error("metadata key '{0}' is missing: this .onnx was not written by nezha-onnx")]
    Missing(&'static str),
    /// A key has a value that it can't have.
    #[error("metadata key '{key}' is '{found}', expected {expected}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// The expected value.
        expected: &'static str,
    },
    /// The artifact has another signature version.
    #[error(
        "the artifact has signature version {found}, this program reads {SIGNATURE_VERSION}: \
         export it again"
    )]
    Version {
        /// The version that was found.
        found: u32,
    },
    /// The embedded config is not valid.
    #[error("metadata key 'nezha.config' holds a config that can't be used")]
    Config(#[from] ConfigError),
    /// The embedded spec of a head of the user's own is not valid.
    #[error("metadata key 'nezha.head_spec' holds a head that can't be used")]
    HeadSpec(#[from] HeadSpecError),
}

impl Metadata {
    /// The key-value pairs to write, sorted by key.
    ///
    /// # Errors
    /// [`MetadataError::Config`] if `config_json` is not a NEZHA config.
    pub fn to_props(&self) -> Result<Vec<(String, String)>, MetadataError> {
        let labels = serde_json::Value::from(self.config()?.labels);
        let mut props = vec![
            (CONFIG, self.config_json.clone()),
            (DTYPE, self.precision.to_string()),
            (EXPORTER, self.exporter_version.clone()),
            (OPTIONS, self.options.to_json().to_string()),
            (HEAD, self.head.to_string()),
            (LABELS, labels.to_string()),
            (VERSION, SIGNATURE_VERSION.to_string()),
            (SOURCE_DIGEST, self.source_digest.clone()),
            (SOURCE_SIZE, self.source_size.to_string()),
        ];
        if let Head::Own(own) = self.head {
            props.push((HEAD_SPEC, own.json().to_owned()));
        }
        props.sort();
        Ok(props
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect())
    }

    /// Reads the key-value pairs of an artifact; other keys are ignored.
    ///
    /// # Errors
    /// Any [`MetadataError`].
    pub fn from_props<'p>(
        props: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Result<Self, MetadataError> {
        let props: std::collections::BTreeMap<&str, &str> = props.into_iter().collect();
        let get = |key| props.get(key).copied().ok_or(MetadataError::Missing(key));
        let version: u32 = number(VERSION, get(VERSION)?)?;
        if version != SIGNATURE_VERSION {
            return Err(MetadataError::Version { found: version });
        }
        let name = get(HEAD)?;
        let dtype = get(DTYPE)?;
        let options = get(OPTIONS)?;
        let config_json = get(CONFIG)?;
        Ok(Self {
            head: head(name, props.get(HEAD_SPEC).copied(), config_json)?,
            options: serde_json::from_str(options).map_err(|_| MetadataError::Invalid {
                key: OPTIONS,
                found: options.to_owned(),
                expected: "a JSON object of graph options that this version knows",
            })?,
            precision: dtype.parse().map_err(|_| MetadataError::Invalid {
                key: DTYPE,
                found: dtype.chars().take(60).collect(),
                expected: "the name of a precision",
            })?,
            config_json: config_json.to_owned(),
            source_size: number(SOURCE_SIZE, get(SOURCE_SIZE)?)?,
            source_digest: get(SOURCE_DIGEST)?.to_owned(),
            exporter_version: get(EXPORTER)?.to_owned(),
        })
    }

    /// The checkpoint's config.
    ///
    /// # Errors
    /// [`MetadataError::Config`] if `config_json` is not a NEZHA config.
    pub fn config(&self) -> Result<Config, MetadataError> {
        Ok(Config::from_json(&self.config_json)?)
    }
}

/// The head of this name, or the head of `spec` if there is one.
fn head(name: &str, spec: Option<&str>, config_json: &str) -> Result<Head, MetadataError> {
    if let Some(spec) = spec {
        return Ok(HeadSpec::resolved(spec, &Config::from_json(config_json)?)?);
    }
    Head::from_str(name).map_err(|_| MetadataError::Invalid {
        key: HEAD,
        found: name.to_owned(),
        expected: "the name of a head",
    })
}

fn number<N: FromStr>(key: &'static str, text: &str) -> Result<N, MetadataError> {
    text.parse().map_err(|_| MetadataError::Invalid {
        key,
        found: text.chars().take(60).collect(),
        expected: "a whole number",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        Metadata {
            head: Head::MaskedLm,
            options: GraphOptions::default(),
            precision: Precision::Int8,
            config_json: "{\"model_type\": \"nezha\"}".into(),
            source_size: 7,
            source_digest: "00ff".into(),
            exporter_version: "0.1.0".into(),
        }
    }

    #[test]
    fn metadata_reads_what_it_writes() {
        let props = metadata().to_props().unwrap();
        let pairs = props
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        assert_eq!(Metadata::from_props(pairs).unwrap(), metadata());
    }

    #[test]
    fn another_version_and_a_missing_key_are_refused() {
        let mut props = metadata().to_props().unwrap();
        for (key, value) in &mut props {
            if key == VERSION {
                *value = "2".into();
            }
        }
        let pairs = props
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let error = Metadata::from_props(pairs).unwrap_err().to_string();
        assert!(error.contains("signature version 2"), "{error}");
        let error = Metadata::from_props([]).unwrap_err().to_string();
        assert!(error.contains("not written by nezha-onnx"), "{error}");
    }
}
