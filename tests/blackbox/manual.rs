//! Help, manual pages, completion and version, which need no emulator.

use std::{fs, path::Path, process::Command};

use sealock_tests::run;
use serde_json::Value;

fn says(command: &[&str]) -> String {
    let output = run(command, Path::new("."), &[]);
    assert_eq!(output.code, 0, "{command:?}: {output:?}");
    output.stdout
}

#[test]
fn help_subcommand_and_option_print_the_same() {
    let help = says(&["help", "key", "disable"]);
    assert_eq!(help, says(&["key", "disable", "--help"]));
    assert!(help.contains("Example:\n  sealock key disable\n"), "{help}");
}

#[test]
fn version_includes_the_commit() {
    let text = says(&["version"]);
    let json: Value = serde_json::from_str(&says(&["version", "--json"])).unwrap();
    let (version, commit) = (&json["version"], &json["commit"]);
    // Sources without their history have no commit.
    let expected = match commit.as_str() {
        Some(commit) => format!("sealock {} ({commit})\n", version.as_str().unwrap()),
        None => format!("sealock {}\n", version.as_str().unwrap()),
    };
    assert_eq!(text, expected);
}

#[test]
fn each_shell_has_a_completion_and_bash_parses_its_own() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = says(&["completion", shell]);
        assert!(script.contains("rotation-policy"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("completion");
    fs::write(&file, says(&["completion", "bash"])).unwrap();
    let completes = "source \"$1\"; COMP_WORDS=(sealock key rot); COMP_CWORD=2; _sealock sealock rot key; echo ${COMPREPLY[*]}";
    let bash = Command::new("bash")
        .args(["-c", completes, "bash"])
        .arg(&file)
        .output()
        .expect("bash");
    let proposed = String::from_utf8(bash.stdout).unwrap();
    assert_eq!(proposed.trim(), "rotate rotation-policy");
}

#[test]
fn each_command_has_a_manual_page() {
    assert!(says(&["man"]).contains(".TH sealock 1"));
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("man1");
    says(&["man", "--dir", dir.to_str().unwrap()]);
    for page in [
        "sealock.1",
        "sealock-serve.1",
        "sealock-registry-token-create.1",
        "sealock-key-rotation-policy-show.1",
    ] {
        let page = fs::read_to_string(dir.join(page)).expect(page);
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
}
