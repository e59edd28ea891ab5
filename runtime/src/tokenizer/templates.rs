//! Checks the templates of special tokens in a `tokenizer.json`: the tokenizers crate doesn't check
//! them, and panics on the first text.

use serde_json::Value;

/// Returns the first special token or text in a post-processor's templates that doesn't exist.
pub(super) fn check(processor: &Value) -> Result<(), String> {
    let list = |field: &str| processor.get(field).and_then(Value::as_array);
    list("processors")
        .into_iter()
        .flatten()
        .try_for_each(check)?;
    for template in ["single", "pair"] {
        for piece in list(template).into_iter().flatten() {
            let id = |kind: &str| piece.get(kind)?.get("id")?.as_str();
            let tokens = processor.get("special_tokens");
            if let Some(token) = id("SpecialToken")
                && tokens.and_then(|it| it.get(token)).is_none()
            {
                return Err(format!(
                    "the template '{template}' has '{token}', which is not among its special tokens"
                ));
            }
            if template == "single" && id("Sequence") == Some("B") {
                return Err("the template 'single' has a second text".to_owned());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_name_only_what_is_there() {
        let template = |single: Value| {
            json!({"type": "Sequence", "processors": [{
                "type": "TemplateProcessing", "single": [single], "pair": [],
                "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}},
            }]})
        };
        let piece = |kind: &str, id: &str| template(json!({kind: {"id": id, "type_id": 0}}));
        assert_eq!(check(&Value::Null), Ok(()));
        assert_eq!(check(&piece("SpecialToken", "[CLS]")), Ok(()));
        assert_eq!(check(&piece("Sequence", "A")), Ok(()));
        let missing = check(&piece("SpecialToken", "[SEP]")).unwrap_err();
        assert!(missing.contains("'[SEP]'"), "{missing}");
        let second = check(&piece("Sequence", "B")).unwrap_err();
        assert!(second.contains("second text"), "{second}");
    }
}
