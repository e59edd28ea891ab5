//! Draws charts as SVG.

use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;

use super::ReportError;

/// Width and height in pixels.
const SIZE: (u32, u32) = (560, 420);
/// Room around the data, as a factor: both axes are logarithmic.
const ROOM: f64 = 1.15;
/// The approximate height of data and legend together, in pixels.
const PLOT: f64 = 310.0;
/// The height of the legend's frame, and of each name in it.
const LEGEND: (f64, f64) = (20.0, 16.0);
/// Colors on white that people with any color vision can tell apart (Okabe and Ito, 2008).
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];
/// The base of both logarithms: most batches and lengths are powers of two.
const BASE: f64 = 2.0;
/// The least factor between the ends of an axis: a shorter axis would get labels between powers.
const SPAN: f64 = BASE * BASE * BASE;

/// Lines and points in a plot with two logarithmic axes.
pub(super) struct Chart {
    pub title: String,
    /// The quantity of the horizontal axis.
    pub x: String,
    /// The unit of the vertical axis.
    pub y: String,
    pub series: Vec<Series>,
}

/// The points of one name; all numbers are positive.
pub(super) struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// Whether points may be joined by a line.
    pub is_line: bool,
}

impl Chart {
    /// Whether it has no points.
    pub(super) fn is_empty(&self) -> bool {
        self.series.iter().all(|it| it.points.is_empty())
    }

    /// Draws the chart as SVG.
    ///
    /// # Errors
    /// [`ReportError::Chart`] if it can't be drawn, which doesn't happen with numbers above 0.
    pub(super) fn svg(&self) -> Result<String, ReportError> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|reason| ReportError::Chart {
            title: self.title.clone(),
            reason,
        })?;
        Ok(svg)
    }

    fn draw(&self, svg: &mut String) -> Result<(), String> {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(text)?;
        let points = || self.series.iter().flat_map(|it| &it.points);
        let x = range(points().map(|it| it.0));
        let mut y = range(points().map(|it| it.1));
        y.end *= (y.end / y.start).powf(legend(self.series.len()));
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(65)
            .build_cartesian_2d(x.log_scale().base(BASE), y.log_scale().base(BASE))
            .map_err(text)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_desc(&self.x)
            .y_desc(&self.y)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .label_style(("sans-serif", 13))
            .axis_desc_style(("sans-serif", 14))
            .draw()
            .map_err(text)?;
        for (index, series) in self.series.iter().enumerate() {
            let color = COLORS[index % COLORS.len()];
            let points = series.points.iter().copied();
            if series.is_line {
                let line = LineSeries::new(points, color.stroke_width(2)).point_size(3);
                let drawn = chart.draw_series(line).map_err(text)?;
                drawn.label(&series.name).legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 14, y)], color.stroke_width(2))
                });
            } else {
                let circles = points.map(|it| Circle::new(it, 4, color.filled()));
                let drawn = chart.draw_series(circles).map_err(text)?;
                drawn
                    .label(&series.name)
                    .legend(move |(x, y)| Circle::new((x + 7, y), 4, color.filled()));
            }
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 12))
            .position(SeriesLabelPosition::UpperLeft)
            .draw()
            .map_err(text)?;
        area.present().map_err(text)
    }
}

/// The room for the legend above the data, as a share of the data's own height.
fn legend(names: usize) -> f64 {
    let height = LEGEND.0 + LEGEND.1 * names as f64;
    height / (PLOT - height).max(PLOT / 4.0)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let ends = values.fold((f64::INFINITY, 0.0_f64), |(low, high), it| {
        (low.min(it), high.max(it))
    });
    let (mut start, mut end) = (ends.0 / ROOM, ends.1 * ROOM);
    if end / start < SPAN {
        start = BASE.powf(start.log(BASE).floor());
        end = BASE.powf(end.log(BASE).ceil());
    }
    if end / start < SPAN {
        (start, end) = (start / BASE, end * BASE);
    }
    start..end
}

fn number(value: &f64) -> String {
    match *value {
        it if it >= 10.0 || it.fract() == 0.0 => format!("{it:.0}"),
        it => format!("{it:.2}"),
    }
}
