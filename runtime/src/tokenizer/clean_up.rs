/// What transformers' `clean_up_tokenization` replaces, in its order.
const REPLACED: [(&str, &str); 10] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// The text without the blanks that tokens leave before English punctuation and short forms.
///
/// The tokenizers crate does so token by token, which misses what two tokens make together.
pub(super) fn without_stray_blanks(text: String) -> String {
    let replace = |text: String, (from, to): (&str, &str)| match text.contains(from) {
        true => text.replace(from, to),
        false => text,
    };
    REPLACED.into_iter().fold(text, replace)
}
