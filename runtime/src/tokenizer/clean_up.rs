/// The replacements of transformers' `clean_up_tokenization`, in its order.
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

/// Removes the blanks that decoding leaves before English punctuation and short forms.
///
/// The tokenizers crate does this for each token, and so misses what two tokens form together.
pub(super) fn without_stray_blanks(text: String) -> String {
    let replace = |text: String, (from, to): (&str, &str)| match text.contains(from) {
        true => text.replace(from, to),
        false => text,
    };
    REPLACED.into_iter().fold(text, replace)
}
