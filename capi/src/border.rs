//! The functions and types that C sees, and the crate's only unsafe code.
//!
//! Every function that can fail returns a status, and writes its result through its last argument.
//! A panic doesn't cross the border: it becomes an error, unless the program was built to abort.

#![allow(
    unsafe_code,
    reason = "C hands over pointers, and finds functions by their plain names"
)]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{fmt, ptr, slice, str};

use crate::{Finding, Model, Place, Question};

/// The function succeeded.
pub const NEZHA_OK: i32 = 0;
/// The function failed; `nezha_last_error` says why.
pub const NEZHA_ERROR: i32 = 1;

/// Load a model to classify texts.
pub const NEZHA_CLASSIFY: u32 = 1;
/// Load a model to find the entities in texts, such as names.
pub const NEZHA_TOKENS: u32 = 2;
/// Load a model to answer questions about texts.
pub const NEZHA_ANSWER: u32 = 3;
/// Load a model to compute vectors of texts.
pub const NEZHA_EMBED: u32 = 4;

/// A text in UTF-8, which doesn't end with a zero.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct NezhaText {
    /// Its first byte; may be null if the length is 0.
    pub bytes: *const u8,
    /// Its length in bytes.
    pub length: usize,
}

/// How a model is started. A null pointer stands for the defaults.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct NezhaOptions {
    /// The engine, or a list that is tried in order, such as `openvino,ort,tract`; empty for
    /// `auto`.
    pub engines: NezhaText,
    /// Threads that share a run; 0 for the engine's default.
    pub threads: usize,
}

/// A loaded model; threads may share it.
pub struct NezhaModel {
    model: Model,
}

impl fmt::Debug for NezhaModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NezhaModel").finish_non_exhaustive()
    }
}

/// A label of a text, an entity in it, or a span of it that answers a question.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct NezhaFinding {
    /// The label; empty for an answer.
    pub label: NezhaText,
    /// The words in the text; empty for a label of the whole text.
    pub text: NezhaText,
    /// The probability, from 0 to 1; for a regression, the model's number.
    pub score: f64,
    /// The index of the first character of the words in the text, in Unicode scalar values.
    pub start: usize,
    /// The index behind the last character of the words.
    pub end: usize,
}

/// The results of a call; valid until `nezha_findings_free`.
#[derive(Debug)]
#[repr(C)]
pub struct NezhaFindings {
    /// The first result.
    pub items: *const NezhaFinding,
    /// The number of results.
    pub length: usize,
}

/// The vector of a text; valid until `nezha_vector_free`.
#[derive(Debug)]
#[repr(C)]
pub struct NezhaVector {
    /// The first number.
    pub items: *const f32,
    /// How many numbers there are: the model's hidden size.
    pub length: usize,
}

/// Findings, with what their pointers point to.
#[repr(C)]
struct OwnedFindings {
    /// The first field, so that a pointer to it is a pointer to the whole.
    seen: NezhaFindings,
    items: Vec<NezhaFinding>,
    _findings: Vec<Finding>,
}

/// A vector, with what its pointer points to.
#[repr(C)]
struct OwnedVector {
    /// The first field, so that a pointer to it is a pointer to the whole.
    seen: NezhaVector,
    items: Vec<f32>,
}

thread_local! {
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Why the last call in this thread failed; valid until the thread's next call.
#[unsafe(no_mangle)]
pub extern "C" fn nezha_last_error() -> NezhaText {
    LAST_ERROR.with_borrow(|error| text(error))
}

/// Loads the model at a path: a folder that `nezha export` wrote, an `.onnx` file in it, or a file
/// that `nezha pack` wrote. `question` is `NEZHA_CLASSIFY`, `NEZHA_TOKENS`, `NEZHA_ANSWER` or
/// `NEZHA_EMBED`.
///
/// # Safety
/// The path and the options must be valid to read, and `model` must be valid to write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nezha_load(
    path: NezhaText,
    question: u32,
    options: *const NezhaOptions,
    model: *mut *mut NezhaModel,
) -> i32 {
    // SAFETY: as promised by the caller.
    unsafe {
        given(model, || {
            let place = Place::Path(read(&path)?);
            load(&place, question, options)
        })
    }
}

/// Loads a packed model from memory. The bytes are not copied: they must not change before
/// `nezha_model_free`.
///
/// # Safety
/// As for `nezha_load`; the bytes must be valid to read until the model is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nezha_load_bytes(
    bytes: *const u8,
    length: usize,
    question: u32,
    options: *const NezhaOptions,
    model: *mut *mut NezhaModel,
) -> i32 {
    // SAFETY: as promised by the caller.
    unsafe {
        given(model, || {
            let place = Place::Bytes(numbers(bytes, length)?);
            load(&place, question, options)
        })
    }
}

/// The labels of a text, the most probable first.
///
/// # Safety
/// The model must be loaded and not freed, the text must be valid to read, and the last argument
/// must be valid to write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nezha_classify(
    model: *const NezhaModel,
    text: NezhaText,
    findings: *mut *mut NezhaFindings,
) -> i32 {
    // SAFETY: as promised by the caller.
    unsafe {
        given(findings, || {
            Ok(owned(loaded(model)?.classify(read(&text)?)?))
        })
    }
}

/// The entities of a text, in its order.
///
/// # Safety
/// As for `nezha_classify`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nezha_tokens(
    model: *const NezhaModel,
    text: NezhaText,
    findings: *mut *mut NezhaFindings,
) -> i32 {
    // SAFETY: as promised by the caller.
    unsafe { given(findings, || Ok(owned(loaded(model)?.tokens(read(&text)?)?))) }
}

/// The spans of a context that answer a question, the most probable first.
///
/// # Safety
/// As for `nezha_classify`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nezha_answer(
    model: *const NezhaModel,
    question: NezhaText,
    context: NezhaText,
    findings: *mut *mut NezhaFindings,
) -> i32 {
    // SAFETY: as promised by the caller.
    unsafe {
        given(findings, || {
            let answers = loaded(model)?.answer(read(&question)?, read(&context)?);
            Ok(owned(answers?))
        })
    }
}

/// The vector of a text: the mean over its tokens, scaled to length 1.
///
/// # Safety
/// As for `nezha_classify`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nezha_embed(
    model: *const NezhaModel,
    text: NezhaText,
    vector: *mut *mut NezhaVector,
) -> i32 {
    // SAFETY: as promised by the caller.
    unsafe {
        given(vector, || {
            let items = loaded(model)?.embed(read(&text)?)?;
            let mut owned = Box::new(OwnedVector {
                seen: NezhaVector {
                    items: ptr::null(),
                    length: items.len(),
                },
                items,
            });
            owned.seen.items = owned.items.as_ptr();
            Ok(Box::into_raw(owned).cast::<NezhaVector>())
        })
    }
}

/// Frees a model; null is allowed.
///
/// # Safety
/// The model must come from `nezha_load` or `nezha_load_bytes`, and must not be used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nezha_model_free(model: *mut NezhaModel) {
    // SAFETY: as promised by the caller.
    unsafe { free(model) }
}

/// Frees findings; null is allowed.
///
/// # Safety
/// The findings must come from this library, and must not be used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nezha_findings_free(findings: *mut NezhaFindings) {
    // SAFETY: as promised by the caller; the findings are the first field of an `OwnedFindings`.
    unsafe { free(findings.cast::<OwnedFindings>()) }
}

/// Frees a vector; null is allowed.
///
/// # Safety
/// The vector must come from this library, and must not be used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nezha_vector_free(vector: *mut NezhaVector) {
    // SAFETY: as promised by the caller; the vector is the first field of an `OwnedVector`.
    unsafe { free(vector.cast::<OwnedVector>()) }
}

/// Runs `work` and writes its result to `place`, or keeps its error.
///
/// # Safety
/// `place` must be null or valid to write.
unsafe fn given<T>(place: *mut *mut T, work: impl FnOnce() -> Result<*mut T, String>) -> i32 {
    if place.is_null() {
        return kept("the pointer for the result is null: expected a place to write it to");
    }
    // SAFETY: it is not null, and the caller promises that it is valid to write.
    unsafe { place.write(ptr::null_mut()) };
    // What a panic leaves half done is not used again, because a run doesn't change the state of a
    // model.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => {
            // SAFETY: as above.
            unsafe { place.write(value) };
            NEZHA_OK
        }
        Ok(Err(error)) => kept(&error),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            kept(&format!("panicked: {}", text.unwrap_or("no message")))
        }
    }
}

fn kept(error: &str) -> i32 {
    LAST_ERROR.with_borrow_mut(|last| error.clone_into(last));
    NEZHA_ERROR
}

/// # Safety
/// The options must be null or valid to read.
unsafe fn load(
    place: &Place<'_>,
    question: u32,
    options: *const NezhaOptions,
) -> Result<*mut NezhaModel, String> {
    let question = match question {
        NEZHA_CLASSIFY => Question::Classify,
        NEZHA_TOKENS => Question::Tokens,
        NEZHA_ANSWER => Question::Answer,
        NEZHA_EMBED => Question::Embed,
        other => return Err(format!("question {other} is unknown: expected 1 to 4")),
    };
    // SAFETY: as promised by the caller.
    let options = unsafe { options.as_ref() };
    let threads = options.map_or(0, |it| it.threads);
    // SAFETY: as promised by the caller.
    let engines = options.map(|it| unsafe { read(&it.engines) }).transpose()?;
    let engines = engines.filter(|it| !it.is_empty());
    let model = Model::load(place, question, engines, threads)?;
    Ok(Box::into_raw(Box::new(NezhaModel { model })))
}

/// # Safety
/// The model must be null, or loaded and not freed.
unsafe fn loaded<'m>(model: *const NezhaModel) -> Result<&'m Model, String> {
    // SAFETY: as promised by the caller.
    let model = unsafe { model.as_ref() };
    let model = model.ok_or("there is no model: expected one that was loaded, found null")?;
    Ok(&model.model)
}

/// # Safety
/// The text's bytes must be valid to read.
unsafe fn read<'t>(text: &NezhaText) -> Result<&'t str, String> {
    // SAFETY: as promised by the caller.
    let bytes = unsafe { numbers(text.bytes, text.length)? };
    str::from_utf8(bytes).map_err(|error| format!("the text is not UTF-8: {error}"))
}

/// # Safety
/// The bytes must be valid to read.
unsafe fn numbers<'t>(bytes: *const u8, length: usize) -> Result<&'t [u8], String> {
    match (bytes.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(format!("the pointer to {length} bytes is null")),
        // SAFETY: as promised by the caller.
        (false, _) => Ok(unsafe { slice::from_raw_parts(bytes, length) }),
    }
}

fn text(text: &str) -> NezhaText {
    NezhaText {
        bytes: text.as_ptr(),
        length: text.len(),
    }
}

/// Converts findings to the form that C sees.
fn owned(findings: Vec<Finding>) -> *mut NezhaFindings {
    let seen = |it: &Finding| NezhaFinding {
        label: text(&it.label),
        text: text(&it.text),
        score: it.score,
        start: it.start,
        end: it.end,
    };
    let items: Vec<NezhaFinding> = findings.iter().map(seen).collect();
    let owned = OwnedFindings {
        seen: NezhaFindings {
            items: items.as_ptr(),
            length: items.len(),
        },
        items,
        // The texts stay in place when the vector that contains them moves.
        _findings: findings,
    };
    debug_assert_eq!(owned.seen.length, owned.items.len());
    Box::into_raw(Box::new(owned)).cast::<NezhaFindings>()
}

/// # Safety
/// The value must be null, or come from `Box::into_raw` and not be used again.
unsafe fn free<T>(value: *mut T) {
    if !value.is_null() {
        // SAFETY: as promised by the caller.
        drop(unsafe { Box::from_raw(value) });
    }
}
