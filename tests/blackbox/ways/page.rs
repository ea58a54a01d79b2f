//! The table, as docs/revocation.md shows it.

use super::{
    Step,
    table::{AN_HOUR, KEY_FORBIDDEN, Row, TABLE, Way},
};

const PAGE: &str = include_str!("../../../docs/revocation.md");

#[test]
fn revocation_md_shows_the_table_of_the_ways() {
    let sections = [
        ("With `sealock`", TABLE.iter().map(with_sealock).collect()),
        (
            "With requests to the vault",
            rows(|row| row.data_plane.as_ref()),
        ),
        (
            "With requests to Resource Manager",
            rows(|row| row.resource_manager.as_ref()),
        ),
    ];
    let differing: Vec<_> = sections
        .into_iter()
        .filter(|(title, expected)| shown(title) != *expected)
        .map(|(title, expected)| format!("{title}\n{}", expected.join("\n")))
        .collect();
    assert!(
        differing.is_empty(),
        "docs/revocation.md needs these rows:\n{}",
        differing.join("\n")
    );
}

/// Returns the rows of the section's first table.
fn shown(title: &str) -> Vec<&'static str> {
    let (_, rest) = PAGE.split_once(&format!("\n### {title}\n")).unwrap();
    let lines = rest
        .lines()
        .skip_while(|line| !line.starts_with("|--"))
        .skip(1);
    lines.take_while(|line| line.starts_with('|')).collect()
}

fn with_sealock(row: &Row) -> String {
    let Way { revoke, restore } = &row.command_line;
    let prints = if row.message == KEY_FORBIDDEN {
        "key refused"
    } else {
        "identity inactive"
    };
    let delay = if row.lasts == AN_HOUR {
        "an hour"
    } else {
        "90 days"
    };
    format!(
        "| {} | {} | {} | {} | `{}` | {prints} | {delay} |",
        row.name,
        steps(row.given),
        steps(revoke),
        steps(restore),
        row.cause
    )
}

fn rows(way: impl Fn(&Row) -> Option<&Way>) -> Vec<String> {
    let rows = TABLE.iter().filter_map(|row| {
        let Way { revoke, restore } = way(row)?;
        Some(format!(
            "| {} | {} | {} |",
            row.name,
            steps(revoke),
            steps(restore)
        ))
    });
    rows.collect()
}

fn steps(steps: &[Step]) -> String {
    let steps = steps.iter().map(|step| match step {
        Step::Run(command) => format!("`sealock {command}`"),
        Step::Vault(method, path, "") | Step::Manage(method, path, "") => {
            format!("`{method} {path}`")
        }
        Step::Vault(method, path, body) | Step::Manage(method, path, body) => {
            format!("`{method} {path}` `{body}`")
        }
        Step::ManageRefused(method, path, body, code) => {
            format!("`{method} {path}` `{body}`, which fails with `{code}`")
        }
    });
    steps.collect::<Vec<_>>().join("<br>")
}
