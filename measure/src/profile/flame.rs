//! Draws a profile as a flame graph: the run, the parts of the model, the operator types in each
//! part, the operators.

use inferno::flamegraph::{self, Options, TextTruncateDirection};

use super::{Document, ProfileError};

/// Draws the graph as SVG; widths are times.
///
/// # Errors
/// [`ProfileError::Flame`] if nothing took any time.
pub fn flame_graph(document: &Document) -> Result<Vec<u8>, ProfileError> {
    let method = &document.method;
    let mut options = Options::default();
    options.title = format!(
        "{} in {}, {}×{}",
        method.model, method.description, method.batch, method.sequence
    );
    // Widths must be integers: they are nanoseconds, shown as microseconds.
    options.count_name = "µs".to_owned();
    options.factor = 1e-3;
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.deterministic = true;
    let lines = lines(document);
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .map_err(|source| ProfileError::Flame { source })?;
    Ok(svg)
}

/// A line for each operator, with its stack and nanoseconds, and one for the rest.
fn lines(document: &Document) -> Vec<String> {
    let line = |stack: &[&str], ms: f64| {
        let frames: Vec<String> = stack.iter().map(|it| it.replace(';', ",")).collect();
        format!("{} {:.0}", frames.join(";"), 1e6 * ms.max(0.0))
    };
    let operators = document.operators.iter().map(|it| {
        let name = it.origin.as_ref().unwrap_or(&it.name);
        let mut stack: Vec<&str> = it.group.split(": ").collect();
        stack.extend([it.op_type.as_str(), name.as_str()]);
        line(&stack, it.time.ms)
    });
    let rest = line(&["no operator"], document.unaccounted.ms);
    operators.chain([rest]).collect()
}
