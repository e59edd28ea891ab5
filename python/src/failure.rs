//! Turns the libraries' errors into exceptions: each gets a class of `nezha_onnx.errors`.

use std::any::Any;
use std::error::Error;

use nezha_exporter::checkpoint::CheckpointError;
use nezha_exporter::inspect::{DiagramError, InspectError};
use nezha_exporter::onnx::WriteError;
use nezha_exporter::verify::VerifyError;
use nezha_exporter::{ExportError, LayoutError, UnknownLayout};
use nezha_graphs::files::FileError;
use nezha_graphs::{
    HeadSpecError, ReadModelError, UnknownActivation, UnknownHead, UnknownPrecision, error_chain,
};
use nezha_hub::HubError;
use nezha_runtime::task::TaskError;
use nezha_runtime::{
    EngineError, ModelError, PipelineError, SessionError, TensorError, TokenizerError,
    UnknownEngine, UnknownOpenVinoPrecision,
};
use nezha_score::ScoreError;
use nezha_verify::{AgreementError, VerificationError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// A class of `nezha_onnx.errors`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Class {
    ArtifactExists,
    Checkpoint,
    CheckpointNotFound,
    DeadlineExceeded,
    Engine,
    Export,
    Hub,
    Input,
    Internal,
    Model,
    ModelNotFound,
    Option,
    Score,
    Tokenizer,
    TokenizerNotFound,
    Verification,
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    class: Class,
    message: String,
}

impl Failure {
    /// An error of the call itself.
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
        }
    }

    /// The error for a panic in a library.
    pub(crate) fn panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let message = format!(
            "a broken invariant, please report it: {}",
            text.unwrap_or("it has no message")
        );
        Self::new(Class::Internal, message)
    }

    fn of(class: Class, error: &(dyn Error + 'static)) -> Self {
        Self::new(class, error_chain(error))
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        let name = format!("{:?}Error", failure.class);
        let message = failure.message;
        Python::attach(|py| {
            let class = py
                .import("nezha_onnx.errors")
                .and_then(|errors| errors.getattr(name.as_str()))
                .and_then(|class| Ok(class.cast_into::<PyType>()?));
            match class {
                Ok(class) => PyErr::from_type(class, message),
                Err(_) => PyRuntimeError::new_err(format!("{name}: {message}")),
            }
        })
    }
}

/// An error with a class.
trait Classed: Error {
    fn class(&self) -> Class;
}

macro_rules! failures {
    ($($error:ty => |$it:ident| $class:expr;)*) => {$(
        impl Classed for $error {
            fn class(&self) -> Class {
                let $it = self;
                $class
            }
        }

        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(error.class(), &error)
            }
        }
    )*};
}

failures! {
    AgreementError => |it| match it {
        AgreementError::Model(error) => error.class(),
        AgreementError::Session(error) => error.class(),
        AgreementError::Export(error) => error.class(),
        _ => Class::Verification,
    };
    CheckpointError => |it| match it {
        CheckpointError::NotFound { .. }
        | CheckpointError::EmptyFolder { .. }
        | CheckpointError::NoConfig { .. }
        | CheckpointError::NoWeights { .. }
        | CheckpointError::MissingShard { .. } => Class::CheckpointNotFound,
        _ => Class::Checkpoint,
    };
    DiagramError => |_it| Class::Option;
    EngineError => |it| match it {
        EngineError::DeadlineExceeded { .. } => Class::DeadlineExceeded,
        EngineError::Option { .. } => Class::Option,
        _ => Class::Engine,
    };
    ExportError => |it| match it {
        ExportError::Write(error) => error.class(),
        ExportError::Layout(LayoutError::Option { .. }) | ExportError::Opset { .. } => Class::Option,
        _ => Class::Export,
    };
    HeadSpecError => |_it| Class::Option;
    HubError => |_it| Class::Hub;
    InspectError => |it| match it {
        InspectError::Checkpoint(error) => error.class(),
        InspectError::Model(error) => error.class(),
        _ => Class::Model,
    };
    ModelError => |it| match it {
        ModelError::Read(error) => error.class(),
        _ => Class::Model,
    };
    PipelineError => |it| match it {
        PipelineError::NoModel { .. } => Class::ModelNotFound,
        PipelineError::Tokenizer(error) => error.class(),
        PipelineError::Session(error) => error.class(),
        PipelineError::Task(error) => error.class(),
        PipelineError::Weights { .. } => Class::Option,
        _ => Class::Model,
    };
    ReadModelError => |it| match it {
        ReadModelError::NotFound { .. } => Class::ModelNotFound,
        _ => Class::Model,
    };
    ScoreError => |it| match it {
        ScoreError::Model(error) => error.class(),
        ScoreError::Pipeline(error) => error.class(),
        _ => Class::Score,
    };
    SessionError => |it| match it {
        SessionError::Model(error) => error.class(),
        SessionError::Engine(error) => error.class(),
        SessionError::UnknownEngine(_) => Class::Option,
        _ => Class::Input,
    };
    TaskError => |it| match it {
        TaskError::Tokenizer(error) => error.class(),
        TaskError::Option { .. } | TaskError::Target { .. } => Class::Option,
        TaskError::Label { .. } | TaskError::Output { .. } | TaskError::NoMaskToken => Class::Model,
        _ => Class::Input,
    };
    TensorError => |_it| Class::Input;
    TokenizerError => |it| match it {
        TokenizerError::Missing { .. } => Class::TokenizerNotFound,
        _ => Class::Tokenizer,
    };
    UnknownActivation => |_it| Class::Option;
    UnknownEngine => |_it| Class::Option;
    UnknownHead => |_it| Class::Option;
    UnknownLayout => |_it| Class::Option;
    UnknownOpenVinoPrecision => |_it| Class::Option;
    UnknownPrecision => |_it| Class::Option;
    VerificationError => |it| match it {
        VerificationError::Artifact(error) => error.class(),
        VerificationError::Engine(error) => error.class(),
        VerificationError::Session(error) => error.class(),
        VerificationError::NoEngine { .. } => Class::Engine,
        _ => Class::Verification,
    };
    VerifyError => |it| match it {
        VerifyError::Checkpoint(error) => error.class(),
        VerifyError::Write(error) => error.class(),
        _ => Class::Verification,
    };
    WriteError => |it| match it {
        WriteError::File(FileError::Exists { .. }) => Class::ArtifactExists,
        WriteError::Checkpoint(error) => error.class(),
        _ => Class::Export,
    };
}
