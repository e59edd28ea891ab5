//! Draws the layout that layout-rs computes, as SVG.

use std::fmt::Write;

use layout::core::format::{ClipHandle, RenderBackend};
use layout::core::geometry::Point;
use layout::core::style::StyleAttr;

/// Height of a line of text, in pixels.
const LINE: f64 = 16.0;

/// Space around the picture, in pixels.
const MARGIN: f64 = 20.0;

/// An SVG picture under construction.
#[derive(Default)]
pub(super) struct Canvas {
    boxes: String,
    arrows: String,
    labels: String,
    least: Option<Point>,
    most: Option<Point>,
}

impl Canvas {
    /// The picture under a heading. Each entry of `key` is a color and its meaning.
    pub(super) fn finish(self, heading: &[String], key: &[(String, String)]) -> String {
        let (least, most) = (
            self.least.unwrap_or_else(Point::zero),
            self.most.unwrap_or_else(Point::zero),
        );
        let lines = heading.len() + key.len();
        let width = (most.x - least.x).max(620.0) + 2.0 * MARGIN;
        let head = lines as f64 * (LINE + 4.0) + MARGIN;
        let height = most.y - least.y + 2.0 * MARGIN + head;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"Helvetica, Arial, sans-serif\" \
             font-size=\"13\">\n\
             <defs><marker id=\"head\" markerWidth=\"9\" markerHeight=\"8\" refX=\"8\" refY=\"4\" \
             orient=\"auto\"><path d=\"M0 0 L9 4 L0 8 z\" fill=\"#556\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        let mut y = MARGIN + LINE;
        for (i, text) in heading.iter().enumerate() {
            let weight = if i == 0 { "bold" } else { "normal" };
            let text = escape(text);
            svg += &format!(
                "<text x=\"{MARGIN}\" y=\"{y:.0}\" font-weight=\"{weight}\">{text}</text>\n"
            );
            y += LINE + 4.0;
        }
        for (color, text) in key {
            let (top, x, text) = (y - 12.0, MARGIN + 24.0, escape(text));
            svg += &format!(
                "<rect x=\"{MARGIN}\" y=\"{top:.0}\" width=\"16\" height=\"14\" rx=\"3\" \
                 fill=\"{color}\" stroke=\"#889\"/><text x=\"{x}\" y=\"{y:.0}\">{text}</text>\n"
            );
            y += LINE + 4.0;
        }
        let (dx, dy) = (MARGIN - least.x, MARGIN + head - least.y);
        svg += &format!("<g transform=\"translate({dx:.1} {dy:.1})\">\n");
        svg + &self.arrows + &self.boxes + &self.labels + "</g>\n</svg>\n"
    }

    fn reach(&mut self, x: f64, y: f64) {
        let least = self.least.get_or_insert(Point::new(x, y));
        *least = Point::new(least.x.min(x), least.y.min(y));
        let most = self.most.get_or_insert(Point::new(x, y));
        *most = Point::new(most.x.max(x), most.y.max(y));
    }
}

impl RenderBackend for Canvas {
    /// The first line of `properties` is written below the box; the rest is shown under the
    /// pointer.
    fn draw_rect(
        &mut self,
        at: Point,
        size: Point,
        look: &StyleAttr,
        properties: Option<String>,
        _clip: Option<ClipHandle>,
    ) {
        self.reach(at.x, at.y);
        self.reach(at.x + size.x, at.y + size.y);
        let fill = look
            .fill_color
            .map_or_else(|| "none".to_owned(), |it| it.to_web_color());
        let properties = properties.unwrap_or_default();
        let (label, title) = properties.split_once('\n').unwrap_or_default();
        // Writing to a String can't fail.
        let _ = writeln!(
            self.boxes,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{}\" \
             fill=\"{fill}\" stroke=\"#889\"><title>{}</title></rect>",
            at.x,
            at.y,
            size.x,
            size.y,
            look.rounded,
            escape(title)
        );
        let _ = writeln!(
            self.labels,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"12\" fill=\"#246\" stroke=\"white\" \
             stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
            at.x + size.x / 2.0 + 5.0,
            at.y + size.y + 15.0,
            escape(label)
        );
    }

    /// The first line is the heading. Empty lines only reserve space.
    fn draw_text(&mut self, middle: Point, text: &str, _look: &StyleAttr) {
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .collect();
        let first = middle.y - (lines.len() as f64 - 1.0) * LINE / 2.0 + 4.5;
        for (i, line) in lines.iter().enumerate() {
            let (y, weight) = (
                first + i as f64 * LINE,
                if i == 0 { "bold" } else { "normal" },
            );
            let _ = writeln!(
                self.boxes,
                "<text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" \
                 font-weight=\"{weight}\">{}</text>",
                middle.x,
                escape(line)
            );
        }
    }

    fn draw_arrow(
        &mut self,
        path: &[(Point, Point)],
        _dashed: bool,
        _head: (bool, bool),
        _look: &StyleAttr,
        _properties: Option<String>,
        _text: &str,
    ) {
        let [start, second, rest @ ..] = path else {
            return;
        };
        let mut curve = format!(
            "M {:.1} {:.1} C {:.1} {:.1}, {:.1} {:.1}, {:.1} {:.1}",
            start.0.x,
            start.0.y,
            start.1.x,
            start.1.y,
            second.0.x,
            second.0.y,
            second.1.x,
            second.1.y
        );
        for (control, point) in rest {
            let _ = write!(
                curve,
                " S {:.1} {:.1}, {:.1} {:.1}",
                control.x, control.y, point.x, point.y
            );
        }
        for (a, b) in path {
            self.reach(a.x, a.y);
            self.reach(b.x, b.y);
        }
        let _ = writeln!(
            self.arrows,
            "<path d=\"{curve}\" fill=\"none\" stroke=\"#556\" stroke-width=\"1.3\" \
             marker-end=\"url(#head)\"/>"
        );
    }

    fn draw_circle(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn draw_line(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn create_clip(&mut self, _: Point, _: Point, _: usize) -> ClipHandle {
        0
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
