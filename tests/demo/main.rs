//! The whole story in under a minute, without Docker: push, inspect the ciphertext, revoke, restore, rotate, delete,
//! purge. `make demo` runs it, `make demo PAUSE=1` scene by scene.
#![expect(clippy::unwrap_used, reason = "in a story, a surprise is the end")]

mod screen;

use std::{io::Write, path::Path};

use sealock_tests::{Answer, Client, Emulator, Image};

use self::screen::Screen;

const LAYOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/oci-layout/hello");

fn main() {
    let _ = told(Screen::of_process());
}

/// Tells the story on a screen.
fn told<W: Write>(screen: Screen<W>) -> Screen<W> {
    let emulator = Emulator::start();
    let mut story = Story {
        client: emulator.client(),
        image: Image::from_layout(Path::new(LAYOUT)),
        emulator,
        screen,
    };

    story.scene("An image is pushed, and lies on disk encrypted twice");
    story.push("v1");
    story.inspect([
        &["hello:v1", "digest", "layers", "wrapped"],
        &["", "manifest", "digest"],
    ]);
    story.pull("v1");

    story.scene(
        "The key is disabled: the very next pull is refused, and enabling it brings everything back",
    );
    story.sealock(&["key", "disable"]);
    story.pull_refused("v1");
    story.sealock(&["status"]);
    story.sealock(&["key", "enable"]);
    story.pull("v1");

    story.scene(
        "The key is rotated: the registry follows, and the old version can be disabled at once",
    );
    let old = story.current_version();
    story.sealock(&["key", "rotate"]);
    story.sealock(&["key", "disable", "--version", &old]);
    story.pull("v1");

    story.scene("The key is deleted, and recovered");
    story.sealock(&["key", "delete"]);
    story.pull_refused("v1");
    story.sealock(&["key", "recover"]);
    story.pull("v1");

    story.scene("The key is purged: what remains is noise");
    story.sealock(&["key", "delete"]);
    story.sealock(&["key", "purge", "--yes"]);
    story.pull_refused("v1");
    story.inspect([&["hello:v1", "note"], &[]]);

    story.scene("No new key of that name opens it");
    story.sealock(&["key", "create", "registry-key"]);
    story.pull_refused("v1");

    story.scene("Every use of the key was recorded, with the identity that asked");
    story.last_unwraps(4);
    story.screen
}

struct Story<W> {
    emulator: Emulator,
    client: Client,
    image: Image,
    screen: Screen<W>,
}

impl<W: Write> Story<W> {
    fn scene(&mut self, title: &str) {
        self.screen.scene(title);
    }

    fn sealock(&mut self, arguments: &[&str]) {
        self.screen
            .command(&format!("sealock {}", arguments.join(" ")));
        self.screen.said(&self.emulator.cli(arguments));
    }

    /// Shows the image and its first object as stored on disk: the lines that begin with one of these words, and the
    /// ciphertext.
    fn inspect(&mut self, [of_image, of_object]: [&[&str]; 2]) {
        self.screen.command("sealock inspect hello:v1");
        let text = self.emulator.cli(&["inspect", "hello:v1"]);
        let (mut objects, mut is_ciphertext) = (0, false);
        self.screen.said_in_part(&text, |line| {
            let word = line.split_whitespace().next().unwrap_or_default();
            objects += usize::from(word.is_empty());
            is_ciphertext |= word == "ciphertext";
            match objects {
                0 => of_image.contains(&word),
                1 => is_ciphertext || of_object.contains(&word),
                _ => false,
            }
        });
    }

    /// Shows the last audit events about the registry's key.
    fn last_unwraps(&mut self, count: usize) {
        self.screen.command("sealock audit --operation KeyUnwrap");
        let text = self.emulator.cli(&["audit", "--operation", "KeyUnwrap"]);
        let mut left_out = text.lines().count().saturating_sub(count);
        self.screen.said_in_part(&text, |_| {
            let is_shown = left_out == 0;
            left_out = left_out.saturating_sub(1);
            is_shown
        });
    }

    fn push(&mut self, tag: &str) {
        self.screen.command(&format!("push hello:{tag}"));
        let pushed = self.client.push("hello", tag, &self.image);
        assert_eq!(pushed.status, 201, "{pushed:?}");
        self.screen.said(&format!("pushed {}", self.image.digest()));
    }

    fn pull(&mut self, tag: &str) {
        self.screen.command(&format!("pull hello:{tag}"));
        let pulled = self.client.pull("hello", tag, &self.image);
        assert_eq!(pulled.status, 200, "{pulled:?}");
        self.screen.said(&format!(
            "pulled {}, every byte as it was pushed",
            self.image.digest()
        ));
    }

    fn pull_refused(&mut self, tag: &str) {
        self.screen.command(&format!("pull hello:{tag}"));
        let refused = self.client.pull("hello", tag, &self.image);
        assert_eq!(refused.status, 403, "{refused:?}");
        self.screen
            .said(&format!("{} {}", refused.status, message(&refused)));
    }

    fn current_version(&self) -> String {
        let key = self.emulator.json(&["key", "show"]);
        key["versions"][0]["version"].as_str().unwrap().to_owned()
    }
}

fn message(answer: &Answer) -> String {
    let error = &answer.json()["errors"][0];
    let cause = &error["detail"]["cause"];
    format!("{}: {} ({})", error["code"], error["message"], cause).replace('"', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scene_fits_a_screen_of_24_lines_and_80_columns() {
        let screen = told(Screen::new(Vec::new(), 80, false));
        let text = String::from_utf8(screen.out).unwrap();
        let text = anstream::adapter::strip_str(&text).to_string();
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        // One line is left for the prompt.
        assert!(
            screen.heights.iter().all(|height| *height < 24),
            "{:?}:\n{text}",
            screen.heights
        );
    }
}
