use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The time after which work counts as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does work, and shows on a terminal that it goes on, and for how long already. Elsewhere it shows nothing.
pub(crate) fn during<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    let progress = ProgressBar::new_spinner()
        .with_style(style)
        .with_message(what);
    // The first tick comes after that time, so quick work shows nothing.
    progress.enable_steady_tick(PATIENCE);
    let done = work();
    progress.finish_and_clear();
    done
}
