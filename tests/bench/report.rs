use std::{fmt, fs};

use crate::{
    median::median,
    product::{Product, first_line},
};

/// The report of all measurements in Markdown.
pub(crate) struct Report {
    products: Vec<Product>,
    figures: Vec<Figure>,
    limits: Vec<(String, String)>,
    notes: Vec<String>,
}

/// A figure with the samples of each registry.
pub(crate) struct Figure {
    what: String,
    unit: Unit,
    /// In the order of the registries. One that was not measured has no sample.
    samples: Vec<Vec<f64>>,
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
    /// The fewer the better.
    Seconds,
}

impl Unit {
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::GigabytesPerSecond => format!("{value:.2} GB/s"),
            Self::Megabytes => format!("{value:.0} MB"),
            Self::Milliseconds if value < 10.0 => format!("{value:.2} ms"),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::PerSecond => format!("{value:.0} /s"),
            Self::Seconds => format!("{value:.2} s"),
        }
    }

    /// Returns how many times better `one` is than `other`.
    fn ratio(self, one: f64, other: f64) -> f64 {
        match self {
            Self::GigabytesPerSecond | Self::PerSecond => one / other,
            Self::Megabytes | Self::Milliseconds | Self::Seconds => other / one,
        }
    }
}

impl Figure {
    /// Creates a figure without samples.
    pub(crate) fn new(what: String, unit: Unit) -> Self {
        Self {
            what,
            unit,
            samples: Vec::new(),
        }
    }

    /// Adds a sample of the registry in `column`.
    pub(crate) fn add(&mut self, column: usize, sample: f64) {
        if self.samples.len() <= column {
            self.samples.resize(column + 1, Vec::new());
        }
        self.samples[column].push(sample);
    }

    /// Returns the median of the registry in `column`, or `None` if it was not measured.
    pub(crate) fn median(&self, column: usize) -> Option<f64> {
        let samples = self.samples.get(column)?;
        (!samples.is_empty()).then(|| median(samples.clone()))
    }

    /// Returns the row of a table with this many registries: the values, each peer's with Sealock's ratio to it, and
    /// the ratio to the best peer.
    fn row(&self, products: usize) -> String {
        let show = |value: Option<f64>| value.map_or(String::new(), |value| self.unit.show(value));
        let sealock = self.median(0);
        let mut cells = vec![self.what.clone(), show(sealock)];
        let mut lowest: Option<f64> = None;
        for column in 1..products {
            let peer = self.median(column);
            let ratio = sealock
                .zip(peer)
                .map(|(sealock, peer)| self.unit.ratio(sealock, peer));
            cells.extend([show(peer), show_ratio(ratio)]);
            lowest = ratio.into_iter().chain(lowest).reduce(f64::min);
        }
        cells.push(show_ratio(lowest));
        format!("| {} |", cells.join(" | "))
    }
}

fn show_ratio(ratio: Option<f64>) -> String {
    ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"))
}

impl Report {
    /// Creates a report on these registries, the first of which is Sealock.
    pub(crate) fn new(products: Vec<Product>) -> Self {
        Self {
            products,
            figures: Vec::new(),
            limits: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a figure.
    pub(crate) fn compare(&mut self, figure: Figure) {
        anstream::println!("{}", figure.row(self.products.len()));
        self.figures.push(figure);
    }

    /// Adds a figure of Sealock only.
    pub(crate) fn state(&mut self, what: &str, unit: Unit, sealock: f64) {
        let mut figure = Figure::new(what.to_owned(), unit);
        figure.add(0, sealock);
        self.compare(figure);
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
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Sealock beside other registries\n")?;
        for (what, value) in surroundings() {
            writeln!(f, "- {what}: {value}")?;
        }
        for product in &self.products {
            writeln!(f, "- {}: {}", product.name(), product.version())?;
        }
        writeln!(
            f,
            "\nA ratio above 1 says that Sealock is better by that factor. The last column is the ratio to the best peer.\n"
        )?;
        let (sealock, peers) = self.products.split_first().unwrap();
        write!(f, "| | {} |", sealock.name())?;
        for peer in peers {
            write!(f, " {} | ratio |", peer.name())?;
        }
        let columns = "---|".repeat(1 + 2 * self.products.len());
        writeln!(f, " best peer |\n|{columns}")?;
        for figure in &self.figures {
            writeln!(f, "{}", figure.row(self.products.len()))?;
        }
        if !self.limits.is_empty() {
            writeln!(f, "\n| the limits of this machine | |\n|---|---|")?;
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

/// Returns the time and the machine of the measurement.
fn surroundings() -> [(&'static str, String); 4] {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model
        .unwrap_or_default()
        .trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    [
        ("date", first_line("date", &["--utc", "--iso-8601=minutes"])),
        ("CPU", format!("{cores} cores of {model}")),
        ("kernel", first_line("uname", &["-sr"])),
        ("load at the end", load.trim().to_owned()),
    ]
}
