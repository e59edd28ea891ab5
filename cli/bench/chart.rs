//! Line charts as SVG.

use anyhow::{Result, anyhow};
use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;

/// Width and height in pixels.
const SIZE: (u32, u32) = (600, 420);
/// Room around the data, as a factor: both axes are logarithmic.
const ROOM: f64 = 1.15;
/// Room above the data for the name of each line, as a factor.
const LEGEND: f64 = 1.2;
/// Of both logarithms: batches and lengths are powers of two more often than not.
const BASE: f64 = 2.0;

/// Lines over two logarithmic axes.
pub struct Chart {
    pub title: String,
    /// What the horizontal axis counts.
    pub x: String,
    /// The unit of the vertical axis.
    pub y: String,
    pub series: Vec<Series>,
}

/// One line; all numbers are positive.
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

impl Chart {
    /// Whether there is no point in it.
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|it| it.points.is_empty())
    }

    /// The chart.
    ///
    /// # Errors
    /// Where it can't be drawn, which no numbers above 0 cause.
    pub fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg)
            .map_err(|reason| anyhow!("can't draw '{}': {reason}", self.title))?;
        Ok(svg)
    }

    fn draw(&self, svg: &mut String) -> Result<(), String> {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(text)?;
        let points = || self.series.iter().flat_map(|it| &it.points);
        let x = range(points().map(|it| it.0));
        let mut y = range(points().map(|it| it.1));
        y.end *= LEGEND.powf(self.series.len() as f64);
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
            .draw()
            .map_err(text)?;
        for (index, series) in self.series.iter().enumerate() {
            let color = Palette99::pick(index).to_rgba();
            let line = LineSeries::new(series.points.iter().copied(), color.stroke_width(2));
            chart
                .draw_series(line.point_size(3))
                .map_err(text)?
                .label(&series.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], color));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 11))
            .position(SeriesLabelPosition::UpperLeft)
            .draw()
            .map_err(text)?;
        area.present().map_err(text)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let ends = values.fold((f64::INFINITY, 0.0_f64), |(low, high), it| {
        (low.min(it), high.max(it))
    });
    ends.0 / ROOM..ends.1 * ROOM
}

fn number(value: &f64) -> String {
    match *value {
        it if it >= 10.0 => format!("{it:.0}"),
        it => format!("{it:.2}"),
    }
}
