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

/// The place for results: standard output, for people or, with `--json`, as the control API's JSON.
pub(crate) struct Output {
    json: bool,
    screen: Screen,
    stdout: anstream::Stdout,
}

/// The room that tables have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Screen {
    /// True if tables show all their columns.
    wide: bool,
    /// The columns of the terminal. `None` if the output is none, where nothing is broken into lines.
    columns: Option<u16>,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    /// One that is always there.
    Always(&'static str),
    /// One that stands for a wide one where there is no room for that.
    Narrow(&'static str),
    /// One that `--wide` shows.
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

    /// Returns the room that tables have.
    pub(crate) fn screen(&self) -> Screen {
        self.screen
    }

    /// Returns true if JSON was asked for.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Shows the record in `answer`.
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
            let record = T::deserialize(harmless(json));
            let record = record.map_err(|error| answer.unexpected(&error))?;
            self.line(render(&record))
        }
    }

    /// Shows a record that does not come from an emulator.
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

    /// Says what was done where the control API has nothing to add, in JSON neither.
    pub(crate) fn done(&mut self, sentence: impl fmt::Display) -> Result<(), Error> {
        if self.json {
            Ok(())
        } else {
            self.line(sentence)
        }
    }

    /// Writes one line, or several that are joined already.
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
        let shown = columns.map(|column| match column {
            Column::Always(_) => true,
            Column::Narrow(_) => !self.wide,
            Column::Wide(_) => self.wide,
        });
        let kept = |cells: Vec<String>| {
            let cells = cells.into_iter().zip(shown);
            Row::from(cells.filter_map(|(cell, is_shown)| is_shown.then_some(cell)))
        };
        let heading = columns.map(|column| match column {
            Column::Always(name) | Column::Narrow(name) | Column::Wide(name) => name.to_owned(),
        });
        let rows = rows.into_iter().map(|row| kept(row.into()));
        align(Some(kept(heading.into())), rows, self.columns).join("\n")
    }

    /// Returns true if a person reads the output.
    pub(crate) fn is_terminal(self) -> bool {
        self.columns.is_some()
    }

    /// Returns true if there is room for all that can be shown.
    pub(crate) fn is_wide(self) -> bool {
        self.wide
    }
}

/// A title with aligned labels and values below it.
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

/// Replaces in an answer whatever a terminal would take for more than text: a tag, say, can be anything.
pub(crate) fn harmless(answer: Value) -> Value {
    match answer {
        Value::String(text) => Value::String(printable(&text)),
        Value::Array(values) => values.into_iter().map(harmless).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (printable(&name), harmless(value)))
            .collect(),
        value => value,
    }
}

/// The text on one line, each control character replaced.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Writes a digest with as much of it as Docker shows.
pub(crate) fn shortened_digest(digest: &Digest) -> String {
    let text = digest.to_string();
    let (algorithm, hex) = text.split_once(':').unwrap_or_default();
    let (beginning, _) = hex.split_at_checked(12).unwrap_or((hex, ""));
    format!("{algorithm}:{beginning}")
}

/// Writes a path as one word of a shell, whatever is in it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if text.chars().all(is_plain) && !text.starts_with('-') {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Aligns rows. Cells are broken into lines if a row is longer than `width`.
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

/// The answer's JSON with line breaks, its fields in the answer's order.
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

    fn shown(screen: Screen, rows: &[[&str; 3]]) -> String {
        screen.table(COLUMNS, rows.iter().map(|row| row.map(str::to_owned)))
    }

    #[test]
    fn columns_are_aligned_without_borders_or_trailing_blanks() {
        let rows = [["a", "registry-key", "https://k"], ["longer", "", ""]];
        let narrow = Screen::default();
        assert_eq!(
            shown(narrow, &rows),
            "NAME    KEY\na       registry-key\nlonger"
        );
        assert_eq!(shown(narrow, &[]), "NAME  KEY");
    }

    #[test]
    fn a_wide_table_has_the_columns_that_a_narrow_one_leaves_out() {
        let wide = Screen {
            wide: true,
            columns: None,
        };
        let rows = [["a", "k", "https://k"]];
        assert_eq!(shown(wide, &rows), "NAME  URL\na     https://k");
    }

    #[test]
    fn a_table_is_no_wider_than_the_terminal() {
        let screen = Screen {
            wide: false,
            columns: Some(16),
        };
        let text = shown(screen, &[["a", "one two three four", ""]]);
        assert!(text.lines().all(|line| line.len() <= 16), "{text}");
        assert!(text.contains("four"), "{text}");
    }

    #[test]
    fn a_records_values_are_aligned_under_its_title() {
        let fields = [("key", "k".to_owned()), ("identity", "i".to_owned())];
        assert_eq!(
            record("sealock", fields),
            "sealock\n  key       k\n  identity  i"
        );
        assert_eq!(record("sealock", []), "sealock");
    }
}
