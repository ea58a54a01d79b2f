use std::time::{Duration, Instant};

/// The number of samples of most figures.
pub(crate) const ROUNDS: usize = 5;

/// Returns the median, which a single disturbance does not move.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// Measures the time of a call.
pub(crate) fn time<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}
