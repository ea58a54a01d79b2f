//! Runs every test of a suite, and reports all failures at once.

use std::any::Any;

/// The failures of a suite's tests.
#[derive(Default)]
pub(crate) struct Failures {
    tests: usize,
    failures: Vec<String>,
}

impl Failures {
    /// Adds the outcome of a test.
    pub(crate) fn add(&mut self, test: &str, outcome: Result<(), Box<dyn Any + Send>>) {
        self.tests += 1;
        if let Err(panic) = outcome {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
            self.failures
                .push(format!("{test}: {}", message.unwrap_or("no message")));
        }
    }

    /// Panics with all failures, if there are any.
    pub(crate) fn report(self) {
        let Self { tests, failures } = self;
        assert!(
            failures.is_empty(),
            "{} of {tests} tests failed:\n{}",
            failures.len(),
            failures.join("\n")
        );
    }
}

/// Runs tests, which are functions of `subject`.
macro_rules! run_all {
    ($subject:expr, [$($test:ident),+ $(,)?]) => {{
        let mut failures = $crate::suite::Failures::default();
        $(
            let test = std::panic::AssertUnwindSafe(|| $test($subject));
            failures.add(stringify!($test), std::panic::catch_unwind(test));
        )+
        failures.report();
    }};
}

/// Runs tests, which are async functions of `subject`, one after another.
macro_rules! run_all_async {
    ($subject:expr, [$($test:ident),+ $(,)?]) => {{
        let mut failures = $crate::suite::Failures::default();
        $(
            let test = std::panic::AssertUnwindSafe($test($subject));
            failures.add(stringify!($test), futures_util::FutureExt::catch_unwind(test).await);
        )+
        failures.report();
    }};
}

pub(crate) use {run_all, run_all_async};
