//! The whole story in under a minute, without Docker: push, look at the ciphertext, revoke, restore,
//! rotate, delete, purge. `make demo` runs it.
#![expect(clippy::unwrap_used, reason = "in a story, a surprise is the end")]

use std::path::Path;

use anstyle::{AnsiColor, Style};
use sealock_tests::{Answer, Client, Emulator, Image};

const SCENE: Style = Style::new().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();
const LAYOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/oci-layout/hello");

fn main() {
    let emulator = Emulator::start();
    let story = Story {
        client: emulator.client(),
        image: Image::from_layout(Path::new(LAYOUT)),
        emulator,
    };

    scene("An image is pushed, and lies on disk encrypted twice");
    story.push("v1");
    story.sealock(&["inspect", "hello:v1"]);
    story.pull("v1");

    scene(
        "The key is disabled: the very next pull is refused, and enabling it brings everything back",
    );
    story.sealock(&["key", "disable"]);
    story.pull_refused("v1");
    story.sealock(&["status"]);
    story.sealock(&["key", "enable"]);
    story.pull("v1");

    scene("The key is rotated: the registry follows, and the old version can be disabled at once");
    let old = story.current_version();
    story.sealock(&["key", "rotate"]);
    story.sealock(&["key", "disable", "--version", &old]);
    story.pull("v1");

    scene("The key is deleted, and recovered");
    story.sealock(&["key", "delete"]);
    story.pull_refused("v1");
    story.sealock(&["key", "recover"]);
    story.pull("v1");

    scene("The key is purged: what remains is noise, and no new key of that name opens it");
    story.sealock(&["key", "delete"]);
    story.sealock(&["key", "purge"]);
    story.sealock(&["key", "create", "registry-key"]);
    story.pull_refused("v1");
    story.sealock(&["inspect", "hello:v1"]);

    scene("Every use of the key was recorded, with the identity that asked");
    let audit = story.emulator.cli(&["audit"]);
    let refused: Vec<_> = audit
        .lines()
        .filter(|line| line.contains("KeyUnwrap"))
        .collect();
    for line in refused.iter().rev().take(4).rev() {
        anstream::println!("  {line}");
    }
}

struct Story {
    emulator: Emulator,
    client: Client,
    image: Image,
}

impl Story {
    fn sealock(&self, arguments: &[&str]) {
        command(&format!("sealock {}", arguments.join(" ")));
        for line in self.emulator.cli(arguments).lines() {
            anstream::println!("  {line}");
        }
    }

    fn push(&self, tag: &str) {
        command(&format!("push hello:{tag}"));
        let pushed = self.client.push("hello", tag, &self.image);
        assert_eq!(pushed.status, 201, "{pushed:?}");
        anstream::println!("  pushed {}", self.image.digest());
    }

    fn pull(&self, tag: &str) {
        command(&format!("pull hello:{tag}"));
        let pulled = self.client.pull("hello", tag, &self.image);
        assert_eq!(pulled.status, 200, "{pulled:?}");
        anstream::println!(
            "  pulled {}, every byte as it was pushed",
            self.image.digest()
        );
    }

    fn pull_refused(&self, tag: &str) {
        command(&format!("pull hello:{tag}"));
        let refused = self.client.pull("hello", tag, &self.image);
        assert_eq!(refused.status, 403, "{refused:?}");
        anstream::println!("  {} {}", refused.status, message(&refused));
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

fn scene(title: &str) {
    anstream::println!("\n{SCENE}{title}{SCENE:#}");
}

fn command(line: &str) {
    anstream::println!("{COMMAND}$ {line}{COMMAND:#}");
}
