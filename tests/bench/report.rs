use std::{fmt, fs, process::Command};

use crate::target;

/// The report of all measurements in Markdown.
#[derive(Default)]
pub(crate) struct Report {
    comparisons: Vec<Comparison>,
    limits: Vec<(String, String)>,
    notes: Vec<String>,
}

/// A figure of both peers.
struct Comparison {
    what: String,
    unit: Unit,
    sealock: f64,
    docker_registry: Option<f64>,
}

/// The unit of a figure, and the direction in which it is better.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    /// 10^9 bytes a second.
    GigabytesPerSecond,
    /// 10^6 bytes, the fewer the better.
    Megabytes,
    /// The fewer the better.
    Milliseconds,
    /// Requests, or whole operations, a second.
    PerSecond,
}

impl Unit {
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::GigabytesPerSecond => format!("{value:.2} GB/s"),
            Self::Megabytes => format!("{value:.0} MB"),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::PerSecond => format!("{value:.0} /s"),
        }
    }

    /// Returns how many times better `one` is than `other`.
    fn ratio(self, one: f64, other: f64) -> f64 {
        match self {
            Self::GigabytesPerSecond | Self::PerSecond => one / other,
            Self::Megabytes | Self::Milliseconds => other / one,
        }
    }
}

impl Report {
    /// Adds a figure of both peers.
    pub(crate) fn compare(&mut self, what: &str, unit: Unit, sealock: f64, docker_registry: f64) {
        self.add(what, unit, sealock, Some(docker_registry));
    }

    /// Adds a figure of Sealock only.
    pub(crate) fn state(&mut self, what: &str, unit: Unit, sealock: f64) {
        self.add(what, unit, sealock, None);
    }

    /// Adds a limit of the machine.
    pub(crate) fn limit(&mut self, what: &str, value: String) {
        anstream::println!("{what}: {value}");
        self.limits.push((what.to_owned(), value));
    }

    /// Adds a sentence.
    pub(crate) fn note(&mut self, note: String) {
        anstream::println!("{note}");
        self.notes.push(note);
    }

    fn add(&mut self, what: &str, unit: Unit, sealock: f64, docker_registry: Option<f64>) {
        let comparison = Comparison {
            what: what.to_owned(),
            unit,
            sealock,
            docker_registry,
        };
        anstream::println!("{comparison}");
        self.comparisons.push(comparison);
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, unit) = (&self.what, self.unit);
        let sealock = unit.show(self.sealock);
        match self.docker_registry {
            Some(other) => {
                let ratio = unit.ratio(self.sealock, other);
                write!(
                    f,
                    "| {what} | {sealock} | {} | {ratio:.2} |",
                    unit.show(other)
                )
            }
            None => write!(f, "| {what} | {sealock} | | |"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Sealock beside docker-registry\n")?;
        for (what, value) in surroundings() {
            writeln!(f, "- {what}: {value}")?;
        }
        writeln!(
            f,
            "\nA ratio above 1 says that Sealock is better by that factor.\n"
        )?;
        writeln!(
            f,
            "| | Sealock | docker-registry | ratio |\n|---|---|---|---|"
        )?;
        for comparison in &self.comparisons {
            writeln!(f, "{comparison}")?;
        }
        if !self.limits.is_empty() {
            writeln!(f, "\n| what this machine does at best | |\n|---|---|")?;
        }
        for (what, value) in &self.limits {
            writeln!(f, "| {what} | {value} |")?;
        }
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "- {note}")?;
        }
        Ok(())
    }
}

/// Returns the time, the machine and the versions of the measurement.
fn surroundings() -> [(&'static str, String); 6] {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model
        .unwrap_or_default()
        .trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    [
        ("date", output("date", &["--utc", "--iso-8601=minutes"])),
        ("CPU", format!("{cores} cores of {model}")),
        ("kernel", output("uname", &["-sr"])),
        ("load at the end", load.trim().to_owned()),
        (
            "Sealock",
            output(
                &target().join("release/sealock").to_string_lossy(),
                &["--version"],
            ),
        ),
        (
            "docker-registry",
            output(&crate::peer::docker_registry(), &["--version"]),
        ),
    ]
}

/// Returns the first line that a command prints.
fn output(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).output();
    let text = output.map_or(Vec::new(), |output| output.stdout);
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or("unknown").to_owned()
}
