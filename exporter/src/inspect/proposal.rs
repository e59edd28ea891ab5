//! Proposes a spec for tensors that none of transformers' heads reads, from their names and shapes.
//!
//! Shapes show which layers follow each other, and how many vectors are concatenated. No tensor
//! shows which vectors these are, or which functions are between the layers. So the proposal is a
//! guess that its reader must check.

use std::collections::BTreeMap;

use nezha_graphs::head_spec::HeadSpec;

use crate::Survey;
use crate::checkpoint::Checkpoint;

/// The most layers for which all orders are tried.
const MOST: usize = 7;

/// A spec in TOML for the tensors outside of the encoder that none of the checkpoint's heads reads;
/// `None` if there are none, or nothing fits them.
pub(super) fn propose(checkpoint: &Checkpoint, survey: &Survey) -> Option<String> {
    let modules = modules(checkpoint, survey);
    let text = body(checkpoint, &modules)?;
    // The guess may be wrong, but it can always be exported.
    let spec = HeadSpec::from_toml(&text).ok()?;
    spec.resolve(checkpoint.config(), checkpoint).ok()?;
    Some(text)
}

/// A part of a head.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Linear {
        inputs: usize,
        outputs: usize,
    },
    Norm {
        width: usize,
    },
    Recurrent {
        step: &'static str,
        inputs: usize,
        outputs: usize,
    },
    Crf,
    Pointer {
        inputs: usize,
        size: usize,
    },
    Efficient {
        inputs: usize,
    },
}

/// The parts, by the names of their modules.
fn modules(checkpoint: &Checkpoint, survey: &Survey) -> BTreeMap<String, Kind> {
    let unread = survey.unread_tensors();
    let has_crf = unread.iter().any(|it| it.ends_with(".transitions"));
    // A CRF decodes the scores of a classifier, which one of transformers' heads may read.
    let classifier = has_crf.then(|| "classifier.weight".to_owned());
    let names = unread.into_iter().chain(classifier);
    let kinds = names.filter_map(|name| {
        let (module, last) = name.rsplit_once('.')?;
        let shape = checkpoint.weight(&name)?.shape.as_slice();
        let kind = match (last, shape) {
            ("weight", &[outputs, inputs]) => Kind::Linear { inputs, outputs },
            ("weight", &[width]) => Kind::Norm { width },
            ("weight_ih_l0", &[rows, inputs]) => recurrent(checkpoint, module, rows, inputs)?,
            ("transitions", _) => Kind::Crf,
            _ => return None,
        };
        Some((module.to_owned(), kind))
    });
    let mut all: BTreeMap<String, Kind> = kinds.collect();
    name_pointers(&mut all);
    all
}

fn recurrent(checkpoint: &Checkpoint, module: &str, rows: usize, inputs: usize) -> Option<Kind> {
    let name = |part: &str| format!("{module}.{part}");
    let &[_, hidden] = checkpoint.weight(&name("weight_hh_l0"))?.shape.as_slice() else {
        return None;
    };
    let step = match rows.checked_div(hidden)? {
        3 => "gru",
        4 => "lstm",
        _ => return None,
    };
    let both = checkpoint.weight(&name("weight_ih_l0_reverse")).is_some();
    let outputs = hidden * if both { 2 } else { 1 };
    Some(Kind::Recurrent {
        step,
        inputs,
        outputs,
    })
}

/// Finds the linear layers of a GlobalPointer: by their names, and by a number of rows for vectors
/// of size 64.
fn name_pointers(modules: &mut BTreeMap<String, Kind>) {
    let efficient: Vec<(String, usize)> = modules
        .iter()
        .filter_map(|(name, kind)| match kind {
            Kind::Linear { inputs, .. } => {
                Some((name.strip_suffix(".p_dense")?.to_owned(), *inputs))
            }
            _ => None,
        })
        .collect();
    for (module, inputs) in efficient {
        if modules.remove(&format!("{module}.q_dense")).is_some() {
            modules.remove(&format!("{module}.p_dense"));
            modules.insert(module, Kind::Efficient { inputs });
        }
    }
    for (name, kind) in modules.iter_mut() {
        let Kind::Linear { inputs, outputs } = *kind else {
            continue;
        };
        let is_pointer = ["pointer", "gp"]
            .iter()
            .any(|it| name.to_lowercase().contains(it));
        let size = [64, 32, 128, 16, 8]
            .into_iter()
            .find(|size| outputs % (2 * size) == 0);
        if let (true, Some(size)) = (is_pointer, size) {
            *kind = Kind::Pointer { inputs, size };
        }
    }
}

/// The text of the spec.
fn body(checkpoint: &Checkpoint, modules: &BTreeMap<String, Kind>) -> Option<String> {
    if modules.is_empty() || modules.len() > MOST {
        return None;
    }
    let hidden = checkpoint.config().hidden_size;
    let crf = modules.iter().find(|(_, kind)| **kind == Kind::Crf);
    let parts: Vec<(&String, &Kind)> = modules
        .iter()
        .filter(|(_, kind)| **kind != Kind::Crf)
        .collect();
    let (start, order) = (1..=6).find_map(|count| {
        let order = chain(count * hidden, &parts)?;
        Some((count, order))
    })?;
    let reads_tokens = crf.is_some()
        || order
            .iter()
            .any(|(_, kind)| !matches!(kind, Kind::Linear { .. } | Kind::Norm { .. }));
    let is_pointer = order
        .iter()
        .any(|(_, kind)| matches!(kind, Kind::Pointer { .. } | Kind::Efficient { .. }));
    let task = match (is_pointer, reads_tokens) {
        (true, _) => "span-classification",
        (false, true) => "token-classification",
        (false, false) => "text-classification",
    };
    let has_pooler = checkpoint.weight("nezha.pooler.dense.weight").is_some();
    let mut text = "name = \"own\"\n\n[[outputs]]\n".to_owned();
    text += &format!(
        "task = \"{task}\"\n{}\n",
        reading(start, reads_tokens, has_pooler)?
    );
    text += "steps = [\n";
    for (module, kind) in order {
        text += &format!("    {{ {} }},\n", step(module, kind));
    }
    text += "]\n";
    if let Some((module, _)) = crf {
        text += &format!("crf = {{ module = \"{module}\" }}\n");
    }
    Some(text)
}

/// What is read if this many vectors are concatenated.
fn reading(count: usize, tokens: bool, pooler: bool) -> Option<String> {
    Some(match (count, tokens, pooler) {
        (1, true, _) => "read = \"tokens\"".to_owned(),
        (count, true, _) => format!("read = \"tokens\"\nlayers = {:?}", last(count)),
        (1, false, true) => "read = \"pooler\"".to_owned(),
        (1, false, false) => "read = \"cls\"".to_owned(),
        (2, false, true) => "read = [\"mean\", \"pooler\"]".to_owned(),
        (3, false, true) => "read = [\"mean\", \"max\", \"pooler\"]".to_owned(),
        (count @ 4.., false, true) if count % 2 == 1 => {
            format!(
                "read = [\"pooler\", \"cls\"]\nlayers = {:?}",
                last(count - 1)
            )
        }
        (count, false, _) => format!("read = \"cls\"\nlayers = {:?}", last(count)),
    })
}

/// The numbers of the last layers, starting with the last.
fn last(count: usize) -> Vec<i64> {
    (1..=count as i64).map(|it| -it).collect()
}

type Part<'m> = (&'m String, &'m Kind);

/// All parts, in an order in which each takes what the part before it returns. If several orders
/// fit, the one that is first by name.
fn chain<'m>(width: usize, rest: &[Part<'m>]) -> Option<Vec<Part<'m>>> {
    if rest.is_empty() {
        return Some(Vec::new());
    }
    rest.iter().enumerate().find_map(|(i, part)| {
        let given = gives(part.1, width)?;
        let others: Vec<Part> = rest
            .iter()
            .enumerate()
            .filter(|(j, _)| *j != i)
            .map(|(_, it)| *it)
            .collect();
        // Nothing can follow scores of pairs of tokens.
        let is_last = matches!(part.1, Kind::Pointer { .. } | Kind::Efficient { .. });
        if is_last && !others.is_empty() {
            return None;
        }
        let mut order = vec![*part];
        order.extend(chain(given, &others)?);
        Some(order)
    })
}

/// The width of a part's output for vectors of this width; `None` if the part takes another width.
fn gives(kind: &Kind, width: usize) -> Option<usize> {
    let (inputs, outputs) = match *kind {
        Kind::Linear { inputs, outputs }
        | Kind::Recurrent {
            inputs, outputs, ..
        } => (inputs, outputs),
        Kind::Norm { width } => (width, width),
        Kind::Pointer { inputs, .. } | Kind::Efficient { inputs } => (inputs, 0),
        Kind::Crf => return None,
    };
    (inputs == width).then_some(outputs)
}

fn step(module: &str, kind: &Kind) -> String {
    match kind {
        Kind::Linear { .. } => format!("linear = {{ module = \"{module}\" }}"),
        Kind::Norm { .. } => format!("layer_norm = {{ module = \"{module}\" }}"),
        Kind::Recurrent { step, .. } => format!("{step} = {{ module = \"{module}\" }}"),
        Kind::Pointer { size, .. } => {
            format!("global_pointer = {{ module = \"{module}\", size = {size} }}")
        }
        Kind::Efficient { .. } => format!("efficient_global_pointer = {{ module = \"{module}\" }}"),
        Kind::Crf => String::new(),
    }
}
