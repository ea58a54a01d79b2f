use std::{
    env,
    io::{self, IsTerminal as _, Write},
};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use terminal_size::{Width, terminal_size};

const SCENE: Style = Style::new().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();
const PROMPT: Style = AnsiColor::BrightBlack.on_default();

/// The width without a terminal.
const COLUMNS: usize = 80;
/// The mark for omitted text.
const OMITTED: &str = "...";

/// A screen that shows a story scene by scene.
pub(crate) struct Screen<W> {
    pub(crate) out: W,
    columns: usize,
    /// True if it waits for Enter between scenes.
    pauses: bool,
    /// The lines of each scene so far.
    pub(crate) heights: Vec<usize>,
}

impl Screen<AutoStream<io::Stdout>> {
    /// Creates a screen on standard output. It pauses if `PAUSE` is set and standard input is a terminal.
    pub(crate) fn of_process() -> Self {
        let wanted = env::var("PAUSE").is_ok_and(|it| !matches!(&*it, "" | "0"));
        let somebody = io::stdin().is_terminal() && io::stdout().is_terminal();
        let columns = terminal_size().map(|(Width(columns), _)| usize::from(columns));
        Self::new(
            anstream::stdout(),
            columns.unwrap_or(COLUMNS),
            wanted && somebody,
        )
    }
}

impl<W: Write> Screen<W> {
    pub(crate) fn new(out: W, columns: usize, pauses: bool) -> Self {
        Self {
            out,
            columns,
            pauses,
            heights: Vec::new(),
        }
    }

    /// Starts a scene, after a pause for the previous one.
    pub(crate) fn scene(&mut self, title: &str) {
        if self.pauses && !self.heights.is_empty() {
            write!(self.out, "{PROMPT}Press Enter for what is next.{PROMPT:#} ").unwrap();
            self.out.flush().unwrap();
            io::stdin().read_line(&mut String::new()).unwrap();
        }
        self.heights.push(0);
        self.print("", Style::new());
        for line in wrapped(title, self.columns) {
            self.print(&line, SCENE);
        }
    }

    /// Shows the next command.
    pub(crate) fn command(&mut self, command: &str) {
        for line in wrapped(&format!("$ {command}"), self.columns) {
            self.print(&line, COMMAND);
        }
    }

    /// Shows a command's output. Columns are cut at the screen's edge, and sentences are wrapped.
    pub(crate) fn said(&mut self, text: &str) {
        text.lines().for_each(|line| self.said_line(line));
    }

    /// Shows the lines of a command's output that `is_shown` selects, and marks the omitted ones.
    pub(crate) fn said_in_part(&mut self, text: &str, mut is_shown: impl FnMut(&str) -> bool) {
        let mut omits = false;
        for line in text.lines() {
            if is_shown(line) {
                self.said_line(line);
                omits = false;
            } else if !omits {
                self.said_line(OMITTED);
                omits = true;
            }
        }
    }

    fn said_line(&mut self, line: &str) {
        let lines = if line.contains("  ") {
            vec![cut(line, self.columns)]
        } else {
            wrapped(line, self.columns)
        };
        for line in lines {
            self.print(&line, Style::new());
        }
    }

    fn print(&mut self, line: &str, style: Style) {
        writeln!(self.out, "{style}{line}{style:#}").unwrap();
        if let Some(height) = self.heights.last_mut() {
            *height += 1;
        }
    }
}

/// Cuts a line that is wider than the screen, unless only its indentation is too wide.
fn cut(line: &str, columns: usize) -> String {
    let excess = line.chars().count().saturating_sub(columns);
    if line.bytes().take_while(|byte| *byte == b' ').count() >= excess {
        return line[excess..].to_owned();
    }
    let kept = columns.saturating_sub(OMITTED.len());
    line.chars().take(kept).chain(OMITTED.chars()).collect()
}

/// Wraps a text between words. A word that is wider than the screen is cut.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let line = lines.last().map_or("", String::as_str);
        let used = line.chars().count();
        let begins = used == 0;
        if !begins && used + 1 + length > columns && length <= columns {
            lines.push(word.to_owned());
        } else if let Some(line) = lines.last_mut() {
            let joined = if begins {
                word.to_owned()
            } else {
                format!("{line} {word}")
            };
            *line = cut(&joined, columns);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_broken_between_words_and_a_long_word_is_cut() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(
            wrapped("see https://example.test it", 14),
            ["see https:/...", "it"]
        );
        assert_eq!(wrapped("", 10), [""]);
    }

    #[test]
    fn columns_are_cut_at_the_edge() {
        let mut screen = Screen::new(Vec::new(), 12, false);
        screen.said("a  bcdefghij\nab  cdefghijk\n  a  bcdefghi\n  a  bcdefghijk");
        let expected = "a  bcdefghij\nab  cdefg...\n a  bcdefghi\n  a  bcde...\n";
        assert_eq!(String::from_utf8(screen.out).unwrap(), expected);
    }

    #[test]
    fn what_is_left_out_is_marked() {
        let mut screen = Screen::new(Vec::new(), 12, false);
        screen.said_in_part("a\nb\nc\nd", |line| line == "a" || line == "d");
        assert_eq!(screen.out, b"a\n...\nd\n");
    }
}
