use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The time after which the spinner appears.
const DELAY: Duration = Duration::from_secs(1);

/// Runs `work`, and shows a spinner with the elapsed time if the output is a terminal.
pub(crate) fn during<T>(message: &'static str, work: impl FnOnce() -> T) -> T {
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    let progress = ProgressBar::new_spinner()
        .with_style(style)
        .with_message(message);
    // The first tick comes after the delay, so quick work shows nothing.
    progress.enable_steady_tick(DELAY);
    let done = work();
    progress.finish_and_clear();
    done
}
