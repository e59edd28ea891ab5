use std::error::Error;

/// The messages of an error and of its causes, from the outermost to the innermost, joined by ": ".
///
/// An error of this workspace says what failed, and its [`source`](Error::source) says why. Some
/// errors of other crates end with the message of their cause; that message is not repeated.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{message}")]
    struct Layer {
        message: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(messages: &[&'static str]) -> Layer {
        let (&message, causes) = messages.split_first().unwrap();
        let source = (!causes.is_empty()).then(|| Box::new(layers(causes)));
        Layer { message, source }
    }

    #[test]
    fn every_cause_is_said_in_order() {
        assert_eq!(error_chain(&layers(&["a"])), "a");
        assert_eq!(error_chain(&layers(&["a", "b", "c"])), "a: b: c");
    }

    #[test]
    fn a_cause_that_the_error_above_it_says_is_said_once() {
        assert_eq!(error_chain(&layers(&["a", "b: c", "c"])), "a: b: c");
    }
}
