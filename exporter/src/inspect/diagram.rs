use std::collections::{BTreeMap, BTreeSet};

use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::style::StyleAttr;
use layout::std_shapes::shapes::{Arrow, Element, ShapeKind};
use layout::topo::layout::VisualGraph;
use nezha_graphs::proto::{GraphProto, NodeProto, TensorProto};
use nezha_graphs::{TensorType, attribute_text, constant_text, graph_types};

use super::notation::Notation;
use super::svg::Canvas;

/// The most nodes of a picture. A larger picture is unreadable, and layout-rs takes many seconds
/// for it.
const LIMIT: usize = 150;

/// layout-rs reserves a square of this many pixels for each character. Text is set larger, so that
/// a character of average width fills the square, and each line is followed by an empty one.
const CHARACTER: usize = 8;

/// Fill colors of the scopes, pale enough for text; as 0xRRGGBBAA.
const PALETTE: [u32; 12] = [
    0xdbe9f6ff, 0xfde2c8ff, 0xd9efd5ff, 0xf8d5d8ff, 0xe6dcf2ff, 0xfff3bfff, 0xd3f0eeff, 0xf3d9ecff,
    0xe4e4d4ff, 0xcfe0d8ff, 0xf1e0d6ff, 0xdcdcf5ff,
];

/// Fill color of values that come from outside of the picture or leave it.
const OUTSIDE: u32 = 0xf2f2f2ff;

/// Why no picture can be drawn.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiagramError {
    /// No node has such a name.
    #[error("no node's name starts with '{scope}'; there is {}", known.join(", "))]
    NoSuchScope {
        /// The scope that was asked for.
        scope: String,
        /// Some scopes that the graph has.
        known: Vec<String>,
    },
    /// There are too many nodes.
    #[error(
        "'{scope}' has {nodes} nodes, and a picture of more than {LIMIT} can't be read: name a \
         smaller part"
    )]
    TooLarge {
        /// The scope that was asked for.
        scope: String,
        /// The number of its nodes.
        nodes: usize,
    },
}

/// Draws the part of `graph` whose nodes' names start with `scope`, as an SVG picture.
///
/// Each node is a box with its operator and the weights and constants that it reads. Boxes of the
/// same module have the same color. Shapes are written where the edges begin. Values that come from
/// outside of the scope or leave it are gray.
///
/// # Errors
/// Any [`DiagramError`].
pub fn diagram(graph: &GraphProto, scope: &str) -> Result<String, DiagramError> {
    let nodes: Vec<&NodeProto> = graph
        .node
        .iter()
        .filter(|node| is_within(name(node), scope))
        .collect();
    match nodes.len() {
        0 => Err(DiagramError::NoSuchScope {
            scope: scope.to_owned(),
            known: scopes(graph),
        }),
        1..=LIMIT => Ok(Picture::new(graph, scope, nodes).draw()),
        nodes => Err(DiagramError::TooLarge {
            scope: scope.to_owned(),
            nodes,
        }),
    }
}

/// A node's name; if it has none, the name of its first result.
fn name(node: &NodeProto) -> &str {
    match node.name.as_str() {
        "" => node.output.first().map_or("", String::as_str),
        name => name,
    }
}

/// `layer.1` contains `layer.1/Add` and `layer.1.output`, but not `layer.10`.
fn is_within(name: &str, scope: &str) -> bool {
    name.strip_prefix(scope).is_some_and(|rest| {
        scope.is_empty() || !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

/// The module that a node belongs to.
fn module(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(module, _)| module)
}

/// The first modules of a graph, from which the others can be guessed.
fn scopes(graph: &GraphProto) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let modules = graph.node.iter().map(|node| module(name(node)));
    modules
        .filter(|it| seen.insert(*it))
        .take(8)
        .map(|it| format!("'{it}'"))
        .collect()
}

struct Picture<'g> {
    graph: &'g GraphProto,
    scope: &'g str,
    nodes: Vec<&'g NodeProto>,
    types: BTreeMap<&'g str, TensorType>,
    tensors: BTreeMap<&'g str, &'g TensorProto>,
    notation: Notation,
}

impl<'g> Picture<'g> {
    fn new(graph: &'g GraphProto, scope: &'g str, nodes: Vec<&'g NodeProto>) -> Self {
        let types = graph_types(graph);
        let values = nodes
            .iter()
            .flat_map(|it| it.input.iter().chain(&it.output));
        let notation = Notation::new(values.filter_map(|it| types.get(it.as_str())));
        let tensors = graph.initializer.iter();
        Self {
            graph,
            scope,
            nodes,
            tensors: tensors.map(|it| (it.name.as_str(), it)).collect(),
            types,
            notation,
        }
    }

    fn draw(&self) -> String {
        let mut drawing = VisualGraph::new(Orientation::TopToBottom);
        let modules = self.modules();
        let color = |module| {
            let index = modules.iter().position(|it| *it == module).unwrap_or(0);
            PALETTE[index % PALETTE.len()]
        };
        // Where each value comes from.
        let mut sources = BTreeMap::new();
        let mut boxes = Vec::new();
        for node in &self.nodes {
            let fill = color(module(name(node)));
            let outputs: Vec<&str> = node.output.iter().map(String::as_str).collect();
            let shapes = self.shapes(&outputs);
            let node_box = element(&self.node_text(node), name(node), &shapes, fill);
            let handle = drawing.add_node(node_box);
            boxes.push(handle);
            sources.extend(node.output.iter().map(|output| (output.as_str(), handle)));
        }
        for value in self.incoming() {
            let text = [value.to_owned()];
            let handle = drawing.add_node(element(&text, value, &self.shapes(&[value]), OUTSIDE));
            sources.insert(value, handle);
        }
        for (node, target) in self.nodes.iter().zip(&boxes) {
            for value in self.values_read(node) {
                if let Some(source) = sources.get(value) {
                    drawing.add_edge(Arrow::default(), *source, *target);
                }
            }
        }
        for (value, readers) in self.outgoing() {
            let target = drawing.add_node(element(&readers, value, "", OUTSIDE));
            if let Some(source) = sources.get(value) {
                drawing.add_edge(Arrow::default(), *source, target);
            }
        }
        let mut canvas = Canvas::default();
        drawing.do_it(false, false, false, &mut canvas);
        let key: Vec<(String, String)> = modules
            .iter()
            .map(|module| {
                (
                    Color::new(color(module)).to_web_color(),
                    (*module).to_owned(),
                )
            })
            .collect();
        canvas.finish(&[self.scope.to_owned(), self.notation.key()], &key)
    }

    /// The modules in the picture, in the order of first appearance.
    fn modules(&self) -> Vec<&'g str> {
        let mut seen = BTreeSet::new();
        let modules = self.nodes.iter().map(|node| module(name(node)));
        modules.filter(|it| seen.insert(*it)).collect()
    }

    /// The operator, its attributes, then those of its inputs that are not edges.
    fn node_text(&self, node: &NodeProto) -> Vec<String> {
        let mut lines = vec![node.op_type.clone()];
        let attributes: Vec<String> = node.attribute.iter().map(attribute_text).collect();
        if !attributes.is_empty() {
            lines.push(attributes.join(", "));
        }
        let tensors = node
            .input
            .iter()
            .filter_map(|it| self.tensors.get(it.as_str()));
        lines.extend(tensors.map(|tensor| match constant_text(tensor) {
            Some(elements) => elements,
            None => {
                let shape = self.notation.write(&TensorType::of_tensor(tensor));
                format!("{} {shape}", self.nearby(&tensor.name, module(name(node))))
            }
        }));
        lines
    }

    /// A name without its module, else without the scope at its start.
    fn nearby<'n>(&self, name: &'n str, module: &str) -> &'n str {
        let mut prefixes = [module, self.scope].into_iter();
        let rest = prefixes.find_map(|prefix| name.strip_prefix(prefix));
        rest.unwrap_or(name).trim_start_matches(['.', '/'])
    }

    /// The shapes of values, to write below the box that they come from.
    fn shapes(&self, values: &[&str]) -> String {
        let types = values.iter().filter_map(|it| self.types.get(it));
        types
            .map(|it| self.notation.write(it))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Those values that a node reads which are edges, each once.
    fn values_read(&self, node: &'g NodeProto) -> BTreeSet<&'g str> {
        let values = node.input.iter().map(String::as_str);
        values
            .filter(|it| !it.is_empty() && !self.tensors.contains_key(it))
            .collect()
    }

    /// The values that come from outside of the scope.
    fn incoming(&self) -> BTreeSet<&'g str> {
        let made: BTreeSet<&str> = self.made().collect();
        let read = self.nodes.iter().flat_map(|node| self.values_read(node));
        read.filter(|it| !made.contains(it)).collect()
    }

    /// The values that leave the scope, and the nodes that read them.
    fn outgoing(&self) -> Vec<(&'g str, Vec<String>)> {
        let outside = self
            .graph
            .node
            .iter()
            .filter(|it| !is_within(name(it), self.scope));
        let mut readers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for node in outside {
            for value in &node.input {
                readers.entry(value).or_default().insert(module(name(node)));
            }
        }
        for output in &self.graph.output {
            readers
                .entry(&output.name)
                .or_default()
                .insert(&output.name);
        }
        self.made()
            .filter_map(|value| {
                let readers: Vec<&str> = readers.get(value)?.iter().copied().collect();
                let (first, rest) = readers.split_at(readers.len().min(3));
                let mut lines: Vec<String> = first.iter().map(|it| format!("to {it}")).collect();
                if !rest.is_empty() {
                    lines.push(format!("and {} more", rest.len()));
                }
                Some((value, lines))
            })
            .collect()
    }

    fn made(&self) -> impl Iterator<Item = &'g str> {
        self.nodes
            .iter()
            .flat_map(|node| node.output.iter().map(String::as_str))
    }
}

/// A box with `lines`. Its `title` is shown under the pointer, its `label` below the box.
fn element(lines: &[String], title: &str, label: &str, fill: u32) -> Element {
    let look = StyleAttr::new(
        Color::fast("black"),
        1,
        Some(Color::new(fill)),
        6,
        CHARACTER,
    );
    let lines = lines.iter().map(|line| format!(" {line} \n\n"));
    let shape = ShapeKind::new_box(&lines.collect::<String>());
    let direction = Orientation::TopToBottom;
    let size = layout::std_shapes::render::get_shape_size(direction, &shape, CHARACTER, false);
    Element::create_with_properties(shape, look, direction, size, format!("{label}\n{title}"))
}
