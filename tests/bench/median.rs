use std::time::{Duration, Instant};

/// How often everything is measured that can be.
pub(crate) const ROUNDS: usize = 5;

/// The median, which one disturbance by whatever else the machine does leaves where it is.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// How long it takes.
pub(crate) fn time<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}
