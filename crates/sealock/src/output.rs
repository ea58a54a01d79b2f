use std::{fmt, io::Write as _, path::Path};

use anstyle::{AnsiColor, Style};
use comfy_table::{Row, Table, presets::NOTHING};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{client::Answer, error::Error};

pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();
pub(crate) const TITLE: Style = Style::new().bold();

/// The place for results: standard output, for people or, with `--json`, as the control API's JSON.
pub(crate) struct Output {
    json: bool,
    stdout: anstream::Stdout,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            stdout: anstream::stdout(),
        }
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
            let json = serde_json::to_string_pretty(record).map_err(std::io::Error::from)?;
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

/// Aligned columns under a heading.
pub(crate) fn table<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    align(Some(heading.into()), rows.into_iter().map(Row::from)).join("\n")
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
    lines.extend(align(None, rows).iter().map(|line| format!("  {line}")));
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

fn align(heading: Option<Row>, rows: impl Iterator<Item = Row>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(NOTHING).add_rows(rows);
    if let Some(heading) = heading {
        table.set_header(heading);
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

    #[test]
    fn columns_are_aligned_without_borders_or_trailing_blanks() {
        let rows = [["a", "registry-key"], ["longer", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["NAME", "KEY"], rows),
            "NAME    KEY\na       registry-key\nlonger"
        );
        assert_eq!(table(["NAME", "KEY"], []), "NAME  KEY");
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
