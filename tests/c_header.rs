//! The C header declares what `capi/src/border.rs` exports: functions with their arguments, structs with their
//! fields, constants with their values. That the types are the same is cbindgen's to say: `cargo xtask capi`.

use std::collections::BTreeMap;
use std::fs;

/// What is declared under a name, in order: names of arguments or fields, or a value.
type Declared = BTreeMap<String, Vec<String>>;

/// The text between two marks, the first of which begins at `start`.
fn between<'t>(text: &'t str, open: &str, close: &str) -> &'t str {
    let (_, rest) = text
        .split_once(open)
        .unwrap_or_else(|| panic!("no {open} in {text}"));
    rest.split_once(close)
        .unwrap_or_else(|| panic!("no {close} behind {open}"))
        .0
}

/// The identifier that a text ends with.
fn last_name(text: &str) -> String {
    let is_part = |it: char| it.is_alphanumeric() || it == '_';
    let start = text
        .trim_end()
        .rfind(|it| !is_part(it))
        .map_or(0, |it| it + 1);
    text.trim_end()[start..].to_owned()
}

/// The lines of a text that are no comments.
fn code(path: &str) -> String {
    let text = fs::read_to_string(testkit::repository(path)).unwrap();
    let lines = text.lines().filter(|it| !it.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// What Rust exports.
fn exported() -> Declared {
    let code = code("capi/src/border.rs");
    let names = |list: &str| -> Vec<String> {
        let of_one = |it: &str| Some(last_name(it.split_once(':')?.0));
        list.split(',').filter_map(of_one).collect()
    };
    let mut declared = Declared::new();
    for function in code.split("#[unsafe(no_mangle)]").skip(1) {
        let name = between(function, " fn ", "(");
        declared.insert(name.to_owned(), names(between(function, "(", ")")));
    }
    for item in code.split("\npub struct ").skip(1) {
        let name: String = item.chars().take_while(|it| it.is_alphanumeric()).collect();
        let fields = between(item, "{", "}");
        // C has no look into the model.
        let seen = fields.contains("pub ");
        declared.insert(name, if seen { names(fields) } else { Vec::new() });
    }
    for item in code.split("\npub const ").skip(1) {
        let name = last_name(item.split_once(':').unwrap().0);
        declared.insert(name, vec![between(item, "= ", ";").to_owned()]);
    }
    declared
}

/// What the header declares.
fn declared() -> Declared {
    let code = code("capi/include/nezha.h");
    let names = |list: &str, separator: char| -> Vec<String> {
        let names = list.split(separator).map(last_name);
        names.filter(|it| !it.is_empty() && it != "void").collect()
    };
    let mut declared = Declared::new();
    for line in code.lines() {
        if let Some(("NEZHA_H", _)) | None = line
            .strip_prefix("#define ")
            .and_then(|it| it.split_once(' '))
        {
            continue;
        }
        let mut words = line.split(' ').skip(1);
        let name = words.next().unwrap().to_owned();
        declared.insert(name, words.map(str::to_owned).collect());
    }
    for item in code.split("typedef struct ").skip(1) {
        let name = item.split([' ', '{']).next().unwrap();
        let body = item.split_once(';').unwrap().0;
        let fields = if body.contains('{') {
            names(between(item, "{", "}"), ';')
        } else {
            Vec::new()
        };
        declared.insert(name.to_owned(), fields);
    }
    for (start, _) in code
        .match_indices('(')
        .filter(|(it, _)| !code[..*it].ends_with(' '))
    {
        let name = last_name(&code[..start]);
        declared.insert(name, names(between(&code[start..], "(", ");"), ','));
    }
    declared
}

#[test]
fn the_header_declares_what_the_code_exports() {
    let (exported, declared) = (exported(), declared());
    assert!(exported.len() > 15, "{exported:?}");
    for (name, parts) in &exported {
        assert_eq!(
            declared.get(name),
            Some(parts),
            "{name}: `cargo xtask capi` says more"
        );
    }
    let more: Vec<&String> = declared
        .keys()
        .filter(|it| !exported.contains_key(*it))
        .collect();
    assert!(more.is_empty(), "only in the header: {more:?}");
}
