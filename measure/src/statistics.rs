//! Summaries of samples.

use std::fmt;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::statistics::{Data, Distribution, Max, Min, OrderStatistics};

/// The share of intervals that contain the true ratio.
const CONFIDENCE: f64 = 0.95;
/// A sample is an outlier if it is this many interquartile ranges outside the quartiles (Tukey's
/// fences).
const FENCE: f64 = 1.5;

/// Latencies in milliseconds, outliers included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// The number of samples.
    pub runs: usize,
    /// The shortest latency.
    pub min_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// The 90th percentile.
    pub p90_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The mean.
    pub mean_ms: f64,
    /// The standard deviation divided by the mean.
    pub coefficient_of_variation: f64,
    /// Samples outside Tukey's fences; they count like all others.
    pub outliers: usize,
}

impl Summary {
    /// Summarizes at least one sample.
    pub fn new(samples: &[f64]) -> Self {
        let mut data = Data::new(samples.to_vec());
        let mean_ms = data.mean().unwrap_or(f64::NAN);
        let (low, high) = (data.lower_quartile(), data.upper_quartile());
        let reach = FENCE * (high - low);
        let inside = low - reach..=high + reach;
        Self {
            runs: samples.len(),
            min_ms: data.min(),
            p50_ms: data.median(),
            p90_ms: data.quantile(0.90),
            p99_ms: data.quantile(0.99).min(data.max()),
            mean_ms,
            coefficient_of_variation: data.std_dev().filter(|it| it.is_finite()).unwrap_or(0.0)
                / mean_ms,
            outliers: samples.iter().filter(|it| !inside.contains(it)).count(),
        }
    }
}

/// The median of some samples.
pub fn median(samples: &[f64]) -> f64 {
    Data::new(samples.to_vec()).median()
}

/// How many times as long something takes, with the interval that contains the true value in 95 of
/// 100 cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ratio {
    /// The geometric mean.
    pub value: f64,
    /// The interval's ends; `None` for fewer than two rounds.
    pub interval: Option<(f64, f64)>,
}

impl Ratio {
    /// From rounds that were measured side by side: what slows down a round slows down both.
    pub fn paired(these: &[Vec<f64>], those: &[Vec<f64>]) -> Option<Self> {
        let medians =
            |rounds: &[Vec<f64>]| -> Vec<f64> { rounds.iter().map(|it| median(it).ln()).collect() };
        let pairs = medians(these).into_iter().zip(medians(those));
        let logs: Vec<f64> = pairs.map(|(this, that)| this - that).collect();
        let (mean, deviation) = mean_and_deviation(&logs)?;
        let error = deviation.map(|it| it / (logs.len() as f64).sqrt());
        Some(Self::from_logs(mean, error, logs.len() as f64 - 1.0))
    }

    /// From rounds that were measured at different times (Welch's interval).
    pub fn unpaired(these: &[Vec<f64>], those: &[Vec<f64>]) -> Option<Self> {
        let side = |rounds: &[Vec<f64>]| {
            let logs: Vec<f64> = rounds.iter().map(|it| median(it).ln()).collect();
            let (mean, deviation) = mean_and_deviation(&logs)?;
            let count = logs.len() as f64;
            Some((mean, deviation.map(|it| (it * it / count, count - 1.0))))
        };
        let ((this, a), (that, b)) = (side(these)?, side(those)?);
        let Some(((a, a_freedom), (b, b_freedom))) = a.zip(b) else {
            return Some(Self::from_logs(this - that, None, 0.0));
        };
        let freedom = (a + b).powi(2) / (a * a / a_freedom + b * b / b_freedom);
        let freedom = if freedom.is_finite() {
            freedom
        } else {
            a_freedom
        };
        Some(Self::from_logs(this - that, Some((a + b).sqrt()), freedom))
    }

    fn from_logs(mean: f64, error: Option<f64>, freedom: f64) -> Self {
        let interval = error.and_then(|error| {
            let t = StudentsT::new(0.0, 1.0, freedom).ok()?;
            let reach = t.inverse_cdf(0.5 + CONFIDENCE / 2.0) * error;
            Some(((mean - reach).exp(), (mean + reach).exp()))
        });
        Self {
            value: mean.exp(),
            interval,
        }
    }
}

impl fmt::Display for Ratio {
    /// Writes the ratio with its interval: `1.25 [1.20, 1.31]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.value)?;
        match self.interval {
            Some((low, high)) => write!(f, " [{low:.2}, {high:.2}]"),
            None => Ok(()),
        }
    }
}

/// Mean and standard deviation; `None` without numbers, and no deviation for a single one.
fn mean_and_deviation(numbers: &[f64]) -> Option<(f64, Option<f64>)> {
    let data = Data::new(numbers.to_vec());
    let deviation = data.std_dev().filter(|_| numbers.len() > 1);
    data.mean()
        .filter(|it| it.is_finite())
        .map(|mean| (mean, deviation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_are_counted_and_kept() {
        let mut samples = vec![10.0; 50];
        samples.extend([10.1; 49]);
        samples.push(200.0);
        let summary = Summary::new(&samples);
        assert_eq!((summary.runs, summary.outliers), (100, 1));
        assert_eq!(summary.min_ms, 10.0);
        assert!(summary.mean_ms > 11.0, "{summary:?}");
        assert!(summary.p99_ms > summary.p50_ms, "{summary:?}");
    }

    #[test]
    fn one_sample_is_all_its_quantiles() {
        let summary = Summary::new(&[3.0]);
        assert_eq!(
            [
                summary.min_ms,
                summary.p50_ms,
                summary.p99_ms,
                summary.mean_ms
            ],
            [3.0; 4]
        );
        assert_eq!(summary.coefficient_of_variation, 0.0);
    }

    #[test]
    fn noise_that_both_share_does_not_widen_a_paired_ratio() {
        let slow = [1.0, 5.0, 2.0, 9.0];
        let those: Vec<Vec<f64>> = slow.iter().map(|it| vec![10.0 * it]).collect();
        let these: Vec<Vec<f64>> = slow.iter().map(|it| vec![15.0 * it]).collect();
        let paired = Ratio::paired(&these, &those).unwrap();
        let (low, high) = paired.interval.unwrap();
        assert!(
            (paired.value - 1.5).abs() < 1e-9 && high - low < 1e-9,
            "{paired:?}"
        );
        let unpaired = Ratio::unpaired(&these, &those).unwrap();
        let (low, high) = unpaired.interval.unwrap();
        assert!(low < 0.5 && high > 4.0, "{unpaired:?}");
    }

    #[test]
    fn a_single_round_has_a_ratio_without_an_interval() {
        let ratio = Ratio::paired(&[vec![2.0]], &[vec![1.0]]).unwrap();
        assert_eq!((ratio.value, ratio.interval), (2.0, None));
        assert_eq!(Ratio::paired(&[], &[vec![1.0]]), None);
    }
}
