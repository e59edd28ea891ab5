/// A text, or a pair of texts that the model reads together.
///
/// ```
/// use nezha_runtime::task::Text;
///
/// assert_eq!(Text::from("你好").pair, None);
/// assert_eq!(Text::from(("你好", "再见")).pair.as_deref(), Some("再见"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text {
    /// The text, or the first of the pair.
    pub text: String,
    /// The second of the pair.
    pub pair: Option<String>,
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { text, pair: None }
    }
}

impl<S: AsRef<str> + ?Sized> From<&S> for Text {
    fn from(text: &S) -> Self {
        Self::from(text.as_ref().to_owned())
    }
}

impl<A: Into<String>, B: Into<String>> From<(A, B)> for Text {
    fn from((text, pair): (A, B)) -> Self {
        Self {
            text: text.into(),
            pair: Some(pair.into()),
        }
    }
}
