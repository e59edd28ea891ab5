//! What the command line can do about an error of the libraries, which know options and no arguments.

use std::error::Error;

use nezha_exporter::checkpoint::CheckpointError;
use nezha_exporter::inspect::{DiagramError, InspectError};
use nezha_exporter::nezha::BuildError;
use nezha_exporter::onnx::WriteError;
use nezha_exporter::reference::ReferenceError;
use nezha_exporter::verify::VerifyError;
use nezha_exporter::{ExportError, LayoutError, LayoutOption, LinkError, Unavailable};
use nezha_graphs::files::FileError;
use nezha_graphs::{ArtifactError, GraphOption, OptionError};
use nezha_measure::bench::ReadError;
use nezha_measure::profile::ProfileError;
use nezha_runtime::DecoderError;
use nezha_runtime::setup::{Build, SetupError};
#[cfg(feature = "score")]
use nezha_score::ScoreError;
use nezha_verify::{AgreementError, VerificationError};

/// The arguments that an error is about; the first error of the chain that has a hint gives it.
pub(crate) fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(of)
}

fn of(error: &(dyn Error + 'static)) -> Option<String> {
    fn known<'e, E: Error + Hint + 'static>(
        error: &'e (dyn Error + 'static),
    ) -> Option<&'e dyn Hint> {
        error.downcast_ref::<E>().map(|it| it as &dyn Hint)
    }
    let kinds = [
        known::<ArtifactError>,
        known::<ExportError>,
        known::<BuildError>,
        known::<WriteError>,
        known::<CheckpointError>,
        known::<InspectError>,
        known::<DiagramError>,
        known::<VerifyError>,
        known::<ReferenceError>,
        known::<SetupError>,
        known::<DecoderError>,
        known::<VerificationError>,
        known::<AgreementError>,
        known::<ProfileError>,
        known::<ReadError>,
        #[cfg(feature = "score")]
        known::<ScoreError>,
    ];
    kinds.iter().find_map(|kind| kind(error))?.hint()
}

/// An error that arguments have to do with. An error that passes another one on, and so is not above
/// it in the chain, has that one's hint.
trait Hint {
    fn hint(&self) -> Option<String>;
}

impl Hint for ArtifactError {
    fn hint(&self) -> Option<String> {
        match self {
            ArtifactError::Write(FileError::Exists { .. }) => {
                Some("--force replaces it".to_owned())
            }
            _ => None,
        }
    }
}

impl Hint for ExportError {
    fn hint(&self) -> Option<String> {
        match self {
            ExportError::NoHead { .. } => Some("--head HEAD names it".to_owned()),
            ExportError::Head { reason, .. } => match reason.as_ref() {
                Unavailable::Option(error) => error.hint(),
                _ => None,
            },
            ExportError::Link(error) => error.hint(),
            ExportError::Layout(error) => error.hint(),
            ExportError::Write(error) => error.hint(),
            _ => None,
        }
    }
}

impl Hint for BuildError {
    fn hint(&self) -> Option<String> {
        match self {
            BuildError::Option(error) => error.hint(),
            _ => None,
        }
    }
}

impl Hint for OptionError {
    fn hint(&self) -> Option<String> {
        if let OptionError::NoDecoder = self {
            return Some("--decoder exports the model as a decoder".to_owned());
        }
        let options = self.options();
        let options: Vec<String> = options.iter().map(|it| meaning(*it)).collect();
        Some(options.join(", "))
    }
}

impl Hint for LayoutError {
    fn hint(&self) -> Option<String> {
        match self {
            LayoutError::Option { option, .. } => Some(match option {
                LayoutOption::Graph(option) => meaning(*option),
                _ => "'tensorrt' is --tensorrt".to_owned(),
            }),
            LayoutError::Weights { .. } => Some("--weights says where they are written".to_owned()),
            LayoutError::Precision { .. } | LayoutError::SameName { .. } => {
                Some("--dtype names the precisions".to_owned())
            }
            _ => None,
        }
    }
}

impl Hint for LinkError {
    fn hint(&self) -> Option<String> {
        Some("--weights external writes them to a file of their own".to_owned())
    }
}

impl Hint for WriteError {
    fn hint(&self) -> Option<String> {
        match self {
            WriteError::File(FileError::Exists { .. }) => Some("--force replaces it".to_owned()),
            WriteError::TooLarge { .. } => {
                Some("--weights external writes them to a file of their own".to_owned())
            }
            WriteError::Precision { .. } => Some("--dtype fp32 can represent it".to_owned()),
            WriteError::Checkpoint(error) => error.hint(),
            _ => None,
        }
    }
}

impl Hint for CheckpointError {
    fn hint(&self) -> Option<String> {
        match self {
            CheckpointError::UnknownMaxRelativePosition { .. } => {
                Some("--max-relative-position N sets it".to_owned())
            }
            _ => None,
        }
    }
}

impl Hint for InspectError {
    fn hint(&self) -> Option<String> {
        match self {
            InspectError::Checkpoint(error) => error.hint(),
            InspectError::Build(error) => error.hint(),
            _ => None,
        }
    }
}

impl Hint for DiagramError {
    fn hint(&self) -> Option<String> {
        Some("--scope PREFIX names the nodes to draw".to_owned())
    }
}

impl Hint for VerifyError {
    fn hint(&self) -> Option<String> {
        match self {
            VerifyError::Model(error) => error.hint(),
            VerifyError::Checkpoint(error) => error.hint(),
            VerifyError::Write(error) => error.hint(),
            _ => None,
        }
    }
}

impl Hint for ReferenceError {
    fn hint(&self) -> Option<String> {
        match self {
            ReferenceError::Checkpoint(error) => error.hint(),
            _ => None,
        }
    }
}

impl Hint for SetupError {
    fn hint(&self) -> Option<String> {
        match self {
            SetupError::Platform { build, .. } => {
                let argument = match build {
                    Build::OpenVino => "--openvino-library",
                    _ => "--ort-library",
                };
                Some(format!(
                    "{argument} PATH names the library; --engine tract needs none"
                ))
            }
            _ => None,
        }
    }
}

impl Hint for DecoderError {
    fn hint(&self) -> Option<String> {
        match self {
            DecoderError::NoCache => Some("`nezha export --kv-cache` writes one".to_owned()),
            _ => None,
        }
    }
}

impl Hint for VerificationError {
    fn hint(&self) -> Option<String> {
        match self {
            VerificationError::Artifact(error) => error.hint(),
            _ => None,
        }
    }
}

impl Hint for AgreementError {
    fn hint(&self) -> Option<String> {
        match self {
            AgreementError::Export(error) => error.hint(),
            AgreementError::Write(error) => error.hint(),
            _ => None,
        }
    }
}

impl Hint for ProfileError {
    fn hint(&self) -> Option<String> {
        match self {
            ProfileError::TooManyRuns { .. } => Some("--runs N says how many".to_owned()),
            _ => None,
        }
    }
}

impl Hint for ReadError {
    fn hint(&self) -> Option<String> {
        match self {
            ReadError::Schema { .. } => Some("`nezha bench --json F` writes one".to_owned()),
            _ => None,
        }
    }
}

#[cfg(feature = "score")]
impl Hint for ScoreError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            ScoreError::Differs { .. } => "--restart discards what was done and starts again",
            ScoreError::Clash { .. } => {
                "--prefix TEXT renames the answers, --keep leaves columns out"
            }
            ScoreError::NoColumn { .. } => "--column names the columns with text",
            ScoreError::OutputKind { .. } => "--format names the kind of an output folder's files",
            ScoreError::NoHead { .. } => "--task names it",
            ScoreError::NoPlan { .. } => "`nezha score plan IN... -o OUT --model DIR` makes one",
            ScoreError::Incomplete { .. } => {
                "`nezha score part OUT --parts A-B` makes missing parts; remove a broken part first"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// What an option is on the command line.
fn meaning(option: GraphOption) -> String {
    let argument = match option {
        GraphOption::InputsEmbeds => "--inputs inputs-embeds".to_owned(),
        GraphOption::HeadMask => "--inputs head-mask".to_owned(),
        GraphOption::FixedAxes => "--static".to_owned(),
        GraphOption::Int32Inputs => "--input-dtype int32".to_owned(),
        GraphOption::TokenTypes => "--no-token-types".to_owned(),
        option => format!("--{}", option.name().replace('_', "-")),
    };
    format!("'{option}' is {argument}")
}

#[cfg(test)]
mod tests {
    use nezha_graphs::Head;

    use super::*;

    #[test]
    fn a_hint_is_found_at_any_depth_and_behind_errors_that_pass_others_on() {
        let conflict = || OptionError::Conflict {
            option: GraphOption::FixedAxes,
            other: GraphOption::KvCache,
        };
        let expected = "'fixed_axes' is --static, 'kv_cache' is --kv-cache";
        let built = ExportError::Build {
            folder: "checkpoint".into(),
            source: BuildError::Option(conflict()),
        };
        let refused = ExportError::Head {
            folder: "checkpoint".into(),
            head: Head::Base,
            reason: Box::new(Unavailable::Option(conflict())),
            available: Vec::new(),
        };
        for error in [built, refused] {
            let error = anyhow::Error::from(error).context("the export failed");
            assert_eq!(hint(&error).as_deref(), Some(expected), "{error:#}");
        }
        let exists = VerifyError::Write(WriteError::File(FileError::Exists {
            path: "model.onnx".into(),
        }));
        assert_eq!(hint(&exists.into()).as_deref(), Some("--force replaces it"));
        assert_eq!(hint(&anyhow::anyhow!("another error")), None);
    }
}
