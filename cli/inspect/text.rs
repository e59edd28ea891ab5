//! The facts as aligned lines, for people.

use nezha_exporter::inspect::{CheckpointSummary, Inspected, InspectedModel};
use nezha_graphs::{Gather, GraphOptions, PortSummary};

use crate::export::size;

/// Longer metadata is cut; `--json` has all of it.
const VALUE: usize = 72;

/// What was found, as text.
pub(super) fn report(inspected: &Inspected) -> String {
    match inspected {
        Inspected::Checkpoint(checkpoint) => self::checkpoint(checkpoint),
        Inspected::Model(model) => self::model(model),
    }
}

/// Lines of a name and a value, the names in one column, under headings.
#[derive(Default)]
struct Report(String);

impl Report {
    fn title(&mut self, text: &str) {
        self.0 += &format!("{text}\n");
    }

    /// A section; nothing where there is no row.
    fn section(&mut self, heading: &str, rows: impl IntoIterator<Item = (String, String)>) {
        let rows: Vec<(String, String)> = rows.into_iter().collect();
        let width = rows.iter().map(|(name, _)| name.chars().count()).max();
        if let Some(width) = width {
            self.0 += &format!("\n{heading}\n");
            for (name, value) in rows {
                let line = format!("  {name:width$}  {value}");
                self.0 += line.trim_end();
                self.0.push('\n');
            }
        }
    }
}

fn row(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn checkpoint(it: &CheckpointSummary) -> String {
    let mut report = Report::default();
    report.title(&format!(
        "{}: a NEZHA checkpoint, {}",
        it.folder.display(),
        it.format
    ));
    let files = it.files.iter();
    report.section(
        "files",
        files.map(|file| {
            let name = file.path.file_name().unwrap_or(file.path.as_os_str());
            row(&name.to_string_lossy(), size(file.bytes))
        }),
    );
    report.section("weights", origin(it));
    let storage = it.storage.iter();
    report.section(
        "storage",
        storage.map(|it| {
            row(
                &it.storage,
                format!("{}, {}", tensors(it.tensors), size(it.bytes)),
            )
        }),
    );
    let total = row("total", grouped(it.parameters));
    let parts = it
        .parts
        .iter()
        .map(|it| row(it.part, grouped(it.parameters)));
    report.section("parameters", parts.chain([total]));
    report.section("config", config(it));
    let heads = it.heads.iter();
    report.section(
        "heads",
        heads.map(|head| {
            let named = if head.named {
                "yes, named by `architectures`"
            } else {
                "yes"
            };
            row(
                head.head,
                head.unavailable
                    .as_deref()
                    .map_or(named.to_owned(), |it| format!("no: {it}")),
            )
        }),
    );
    let unknown = it.unknown_tensors.iter();
    report.section("tensors that no head needs", unknown.map(|it| row(it, "")));
    if let Some(proposed) = &it.proposed_head {
        let lines = proposed.lines().map(|it| row(it, ""));
        report.section(
            "a head of your own, guessed from names and shapes; docs/guide/own-heads.md",
            lines,
        );
    }
    report.section("notes", it.notes.iter().map(|it| row(it, "")));
    report.0
}

/// What the weights are and where they were found.
fn origin(it: &CheckpointSummary) -> Vec<(String, String)> {
    let mut rows = vec![row("format", it.format)];
    if let Some(origin) = &it.origin {
        if !origin.key.is_empty() {
            rows.push(row("state dict", format!("under '{}'", origin.key)));
        }
        rows.push(row("names", origin.dialect));
        rows.push(match origin.prefix.as_str() {
            "" => row("prefix", "none"),
            prefix => row("prefix", format!("'{prefix}'")),
        });
    }
    rows
}

fn config(it: &CheckpointSummary) -> Vec<(String, String)> {
    let config = &it.config;
    let mut rows = vec![
        row("architectures", config.architectures.join(", ")),
        row("vocabulary", config.vocab_size),
        row("hidden size", config.hidden_size),
        row("layers", config.num_hidden_layers),
        row(
            "attention heads",
            format!("{} of size {}", config.num_attention_heads, it.head_size),
        ),
        row("intermediate size", config.intermediate_size),
        row("activation", config.hidden_act),
        row("max relative position", config.max_relative_position),
        row("labels", config.labels.join(", ")),
    ];
    if let Some(problem_type) = config.problem_type {
        rows.push(row("problem type", problem_type.name()));
    }
    if !config.tie_word_embeddings {
        rows.push(row("prediction decoder", "not tied to the word embeddings"));
    }
    if config.is_decoder {
        let cross = if config.add_cross_attention {
            ", with cross-attention"
        } else {
            ""
        };
        rows.push(row("attention", format!("causal{cross}")));
    }
    rows
}

fn model(it: &InspectedModel) -> String {
    let summary = &it.summary;
    let mut report = Report::default();
    report.title(&format!(
        "{}: an ONNX model, {}",
        it.path.display(),
        size(it.bytes)
    ));
    let opsets = summary
        .opsets
        .iter()
        .map(|it| format!("{} {}", it.domain, it.version));
    let metadata = |key: &str| summary.metadata.get(key);
    let mut facts = vec![
        row("producer", &summary.producer),
        row("IR version", summary.ir_version),
        row("operator sets", opsets.collect::<Vec<_>>().join(", ")),
        row("graph", &summary.name),
    ];
    if let (Some(head), Some(version)) =
        (metadata("nezha.head"), metadata("nezha.signature_version"))
    {
        facts.push(row("head", format!("{head}, signature version {version}")));
    }
    let options = metadata("nezha.graph_options");
    if let Some(Ok(options)) = options.map(|it| serde_json::from_str::<GraphOptions>(it)) {
        let picked = match options.gather {
            Gather::Elements => "picked by GatherElements",
            Gather::Flat => "picked by Gather from flat rows",
        };
        facts.push(row("relative positions", picked));
    }
    facts.push(row("parameters", grouped(summary.parameters)));
    report.section("model", facts);
    report.section("inputs", summary.inputs.iter().map(port));
    report.section("outputs", summary.outputs.iter().map(port));
    let weights = summary.weights.iter();
    report.section(
        "weights and constants",
        weights.map(|it| {
            let places = [("inside", it.embedded_bytes), ("beside", it.external_bytes)];
            let places = places.iter().filter(|(_, bytes)| *bytes > 0);
            let places: Vec<String> = places
                .map(|(place, bytes)| format!("{} {place}", size(*bytes)))
                .collect();
            row(
                &it.dtype,
                format!("{}, {}", tensors(it.tensors), places.join(", ")),
            )
        }),
    );
    let files = summary.external_files.iter();
    report.section(
        "files of weights",
        files.map(|file| {
            let missing = it.missing_files.contains(&file.location);
            let missing = if missing {
                "; MISSING or too short"
            } else {
                ""
            };
            row(
                &file.location,
                format!("{}, {}{missing}", tensors(file.tensors), size(file.bytes)),
            )
        }),
    );
    let mut operators: Vec<(&String, &usize)> = summary.operators.iter().collect();
    operators.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let heading = format!("{} nodes", summary.nodes);
    report.section(
        &heading,
        operators
            .iter()
            .map(|(name, count)| row(name, format!("{count:>5}"))),
    );
    report.section(
        "metadata",
        summary
            .metadata
            .iter()
            .map(|(key, value)| row(key, cut(value))),
    );
    report.0
}

fn port(port: &PortSummary) -> (String, String) {
    let tensor_type = port.tensor_type.as_ref();
    let tensor_type = tensor_type.map_or_else(|| "no tensor".to_owned(), ToString::to_string);
    (port.name.clone(), tensor_type)
}

/// One line of a value that may be long or have several.
fn cut(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let count = line.chars().count();
    match count > VALUE {
        true => format!(
            "{}… ({count} characters)",
            line.chars().take(VALUE).collect::<String>()
        ),
        false => line,
    }
}

fn tensors(count: usize) -> String {
    match count {
        1 => "1 tensor".to_owned(),
        _ => format!("{count} tensors"),
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups = groups.map(|group| String::from_utf8_lossy(group));
    groups.collect::<Vec<_>>().join(",")
}
