use std::{
    fmt,
    io::{self, Write as _},
    path::Path,
};

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Row, Table, presets::NOTHING};
use sealock_core::Digest;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use terminal_size::Width;

use crate::{client::Answer, error::Error};

pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();
pub(crate) const TITLE: Style = Style::new().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Standard output, for people or, with `--json`, in the control API's JSON.
pub(crate) struct Output {
    json: bool,
    screen: Screen,
    stdout: anstream::Stdout,
}

/// The space that tables may use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Screen {
    /// True if tables show all columns.
    wide: bool,
    /// The width of the terminal, or `None` if the output is not a terminal and lines are not wrapped.
    columns: Option<u16>,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    /// Always shown.
    Always(&'static str),
    /// Shown without `--wide`, in place of a wide column.
    Narrow(&'static str),
    /// Shown with `--wide` only.
    Wide(&'static str),
}

impl Output {
    pub(crate) fn new(json: bool, wide: bool) -> Self {
        let width = terminal_size::terminal_size_of(io::stdout());
        Self {
            json,
            screen: Screen {
                wide,
                columns: width.map(|(Width(columns), _)| columns),
            },
            stdout: anstream::stdout(),
        }
    }

    /// Returns the space that tables may use.
    pub(crate) fn screen(&self) -> Screen {
        self.screen
    }

    /// Returns true if the output is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints the record in `answer`.
    pub(crate) fn show<T: DeserializeOwned>(
        &mut self,
        answer: &Answer<T>,
        render: impl FnOnce(&T) -> String,
    ) -> Result<(), Error> {
        if self.json {
            self.line(pretty(answer)?)
        } else {
            let json = serde_json::from_str(answer.body());
            let json = json.map_err(|error| answer.unreadable(&error))?;
            let record = T::deserialize(without_control_characters(json));
            let record = record.map_err(|error| answer.unexpected(&error))?;
            self.line(render(&record))
        }
    }

    /// Prints a record that does not come from an emulator.
    pub(crate) fn report<T: Serialize>(
        &mut self,
        record: &T,
        render: impl FnOnce(&T) -> Vec<String>,
    ) -> Result<(), Error> {
        if self.json {
            let json = serde_json::to_string_pretty(record).map_err(io::Error::from)?;
            return self.line(json);
        }
        for line in render(record) {
            self.line(line)?;
        }
        Ok(())
    }

    /// Reports success in a sentence. Prints nothing with `--json`, where the exit code suffices.
    pub(crate) fn done(&mut self, sentence: impl fmt::Display) -> Result<(), Error> {
        if self.json {
            Ok(())
        } else {
            self.line(sentence)
        }
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, text: impl fmt::Display) -> Result<(), Error> {
        Ok(writeln!(self.stdout, "{text}")?)
    }
}

impl Screen {
    /// Aligns columns under a heading.
    pub(crate) fn table<const N: usize>(
        self,
        columns: [Column; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> String {
        let visible = columns.map(|column| match column {
            Column::Always(_) => true,
            Column::Narrow(_) => !self.wide,
            Column::Wide(_) => self.wide,
        });
        let row = |cells: Vec<String>| {
            let cells = cells.into_iter().zip(visible);
            Row::from(cells.filter_map(|(cell, is_visible)| is_visible.then_some(cell)))
        };
        let heading = columns.map(|column| match column {
            Column::Always(name) | Column::Narrow(name) | Column::Wide(name) => name.to_owned(),
        });
        let rows = rows.into_iter().map(|cells| row(cells.into()));
        align(Some(row(heading.into())), rows, self.columns).join("\n")
    }

    /// Returns true if the output is a terminal.
    pub(crate) fn is_terminal(self) -> bool {
        self.columns.is_some()
    }

    /// Returns true if all details are shown.
    pub(crate) fn is_wide(self) -> bool {
        self.wide
    }
}

/// Renders a title with aligned labels and values below it.
pub(crate) fn record<'a>(
    title: impl fmt::Display,
    fields: impl IntoIterator<Item = (&'a str, String)>,
) -> String {
    let rows = fields
        .into_iter()
        .map(|(label, value)| [label.to_owned(), value].into());
    let mut lines = vec![title.to_string()];
    lines.extend(
        align(None, rows, None)
            .iter()
            .map(|line| format!("  {line}")),
    );
    lines.join("\n")
}

/// Replaces the control characters in an answer, which may hold text from anyone, such as a tag.
pub(crate) fn without_control_characters(answer: Value) -> Value {
    match answer {
        Value::String(text) => Value::String(printable(&text)),
        Value::Array(values) => values.into_iter().map(without_control_characters).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (printable(&name), without_control_characters(value)))
            .collect(),
        value => value,
    }
}

/// Replaces each control character, so that the text stays on one line.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Shortens a digest to as many digits as Docker shows.
pub(crate) fn shortened_digest(digest: &Digest) -> String {
    let text = digest.to_string();
    let (algorithm, hex) = text.split_once(':').unwrap_or_default();
    let (beginning, _) = hex.split_at_checked(12).unwrap_or((hex, ""));
    format!("{algorithm}:{beginning}")
}

/// Renders a count with its noun: `1 file`, `2 files`.
pub(crate) fn counted<N: Copy + fmt::Display + PartialEq + From<u8>>(
    count: N,
    noun: &str,
) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Prints a warning with the next step to standard error.
pub(crate) fn warn(message: impl fmt::Display, hint: impl fmt::Display) {
    let mut stderr = anstream::stderr().lock();
    // A closed standard error cannot be reported anywhere.
    let _ = writeln!(stderr, "{WARNING}warning:{WARNING:#} {message}");
    let _ = writeln!(stderr, "{HINT}hint:{HINT:#} {hint}");
}

/// Quotes a path for a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if text.chars().all(is_plain) && !text.starts_with('-') {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Aligns rows, wrapping cells if a row is longer than `width`.
fn align(heading: Option<Row>, rows: impl Iterator<Item = Row>, width: Option<u16>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(NOTHING).add_rows(rows);
    if let Some(heading) = heading {
        table.set_header(heading);
    }
    if let Some(width) = width {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Formats the answer's JSON, keeping the order of its fields.
fn pretty<T>(answer: &Answer<T>) -> Result<String, Error> {
    let mut pretty = Vec::new();
    let mut json = serde_json::Deserializer::from_str(answer.body());
    serde_transcode::transcode(&mut json, &mut serde_json::Serializer::pretty(&mut pretty))
        .and_then(|()| json.end())
        .map_err(|error| answer.unreadable(&error))?;
    Ok(String::from_utf8_lossy(&pretty).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::Always("NAME"),
        Column::Narrow("KEY"),
        Column::Wide("URL"),
    ];

    fn table(screen: Screen, rows: &[[&str; 3]]) -> String {
        screen.table(COLUMNS, rows.iter().map(|row| row.map(str::to_owned)))
    }

    #[test]
    fn table_has_aligned_columns_without_borders_or_trailing_blanks() {
        let rows = [["a", "registry-key", "https://k"], ["longer", "", ""]];
        let narrow = Screen::default();
        assert_eq!(
            table(narrow, &rows),
            "NAME    KEY\na       registry-key\nlonger"
        );
        assert_eq!(table(narrow, &[]), "NAME  KEY");
    }

    #[test]
    fn wide_table_shows_wide_columns_instead_of_narrow_ones() {
        let wide = Screen {
            wide: true,
            columns: None,
        };
        let rows = [["a", "k", "https://k"]];
        assert_eq!(table(wide, &rows), "NAME  URL\na     https://k");
    }

    #[test]
    fn table_wraps_to_the_width_of_the_terminal() {
        let screen = Screen {
            wide: false,
            columns: Some(16),
        };
        let text = table(screen, &[["a", "one two three four", ""]]);
        assert!(text.lines().all(|line| line.len() <= 16), "{text}");
        assert!(text.contains("four"), "{text}");
    }

    #[test]
    fn record_aligns_its_values_under_the_title() {
        let fields = [("key", "k".to_owned()), ("identity", "i".to_owned())];
        assert_eq!(
            record("sealock", fields),
            "sealock\n  key       k\n  identity  i"
        );
        assert_eq!(record("sealock", []), "sealock");
    }
}
