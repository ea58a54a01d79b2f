use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use fs_err as fs;
use sealock_api::{self as api, ShowHosts};
use sealock_core::PublicName;
use sealock_emulator::is_azure_host;

use crate::{
    client::Client,
    error::Error,
    output::{Output, printable},
};

const BEGIN: &str = "# sealock: begin";
const END: &str = "# sealock: end";

/// Print the names of registries and vaults as lines for /etc/hosts, or write them there
///
/// Most resolvers map every name under localhost to this machine. Some do not, such as glibc's without systemd and
/// Alpine's.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock hosts
  sudo sealock hosts --write
  sudo sealock hosts --write --azure-names
  sudo sealock hosts --remove")]
pub(crate) struct Hosts {
    /// Write the lines to the file, replacing those written before
    #[arg(long, conflicts_with = "remove")]
    write: bool,
    /// Remove the lines from the file; the emulator need not be running
    #[arg(long)]
    remove: bool,
    /// Include Azure's own names, such as sealock.azurecr.io; this machine then no longer reaches the real ones
    #[arg(long, conflicts_with = "remove")]
    azure_names: bool,
    /// File to change; --write creates it if it is missing
    #[arg(long, value_name = "FILE", default_value = "/etc/hosts")]
    file: PathBuf,
}

impl Hosts {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let file = &self.file;
        if self.remove {
            let path = file.display();
            return if rewrite(file, &[])? {
                output.done(format!("removed the lines from {path}"))
            } else {
                output.done(format!("there were no lines to remove from {path}"))
            };
        }
        let answer = client.ask(&ShowHosts {})?;
        if !self.write {
            return output.show(&answer, |names| lines(names, self.azure_names).join("\n"));
        }
        let names = answer.parse()?;
        check(&names, self.azure_names)?;
        let lines = lines(&names, self.azure_names);
        rewrite(file, &lines)?;
        output.done(format!("wrote {} names to {}", lines.len(), file.display()))
    }
}

/// Rejects names and addresses that are not local. They come from any program that listens on the port, and decide where
/// this machine connects to.
fn check(names: &api::Hosts, with_azures: bool) -> Result<(), Error> {
    let is_valid = |host: &str| PublicName::new(host, 0).is_ok();
    let is_local = |host: &str| is_valid(host) && host.ends_with(".localhost");
    let is_azures = |host: &str| is_valid(host) && is_azure_host(host);
    let foreign = names.hosts.iter().find(|host| !is_local(host)).or_else(|| {
        let mut azures = names.azure_hosts.iter().filter(|_| with_azures);
        azures.find(|host| !is_azures(host))
    });
    if let Some(host) = foreign {
        return Err(Error::Failed {
            message: format!(
                "'{}' is not a name under localhost, so nothing was written",
                printable(host)
            ),
            hint: Some(
                "if it is the emulator's public name, add the lines by hand that this prints: sealock hosts"
                    .to_owned(),
            ),
        });
    }
    if !names.address.is_loopback() {
        return Err(Error::Failed {
            message: format!(
                "{} is not a loopback address, so nothing was written",
                names.address
            ),
            hint: None,
        });
    }
    Ok(())
}

fn lines(names: &api::Hosts, with_azures: bool) -> Vec<String> {
    let line = |host| format!("{} {host}", names.address);
    let azures = names.azure_hosts.iter().filter(|_| with_azures);
    names.hosts.iter().chain(azures).map(line).collect()
}

/// Replaces the lines between our marks. Returns true if that changed the file.
///
/// Writes in place, because a container's hosts file is a mount and cannot be replaced by renaming.
fn rewrite(file: &Path, lines: &[String]) -> Result<bool, Error> {
    let old = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !lines.is_empty() => String::new(),
        old => old.map_err(|error| Error::system(&error))?,
    };
    let new = replaced(&old, lines).ok_or_else(|| Error::Failed {
        message: format!("{} has '{BEGIN}' without '{END}'", file.display()),
        hint: Some("repair the file by hand".to_owned()),
    })?;
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(file)?;
        file.write_all(new.as_bytes())?;
        file.set_len(new.len() as u64)?;
        file.sync_all()
    };
    if new == old {
        return Ok(false);
    }
    write().map_err(|error| Error::system(&error))?;
    Ok(true)
}

/// Returns `old` with `lines` between our marks, without marks if there are no lines, or `None` if a mark is missing.
fn replaced(old: &str, lines: &[String]) -> Option<String> {
    let mut kept = Vec::new();
    let mut ours = false;
    for line in old.lines() {
        match line.trim() {
            BEGIN => ours = true,
            END if ours => ours = false,
            _ if ours => {}
            _ => kept.push(line),
        }
    }
    if ours {
        return None;
    }
    if !lines.is_empty() {
        kept.push(BEGIN);
        kept.extend(lines.iter().map(String::as_str));
        kept.push(END);
    }
    Some(kept.iter().flat_map(|line| [*line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_replaced_and_removed_between_their_marks() {
        let old = "127.0.0.1 localhost\n# mine\n\n";
        let lines = |names: &[&str]| -> Vec<_> { names.iter().map(ToString::to_string).collect() };
        let first = replaced(old, &lines(&["127.0.0.1 a.localhost"])).unwrap();
        assert_eq!(
            first,
            format!("{old}{BEGIN}\n127.0.0.1 a.localhost\n{END}\n")
        );
        let second = replaced(&first, &lines(&["::1 b.localhost"])).unwrap();
        assert_eq!(second, format!("{old}{BEGIN}\n::1 b.localhost\n{END}\n"));
        assert_eq!(replaced(&second, &[]).unwrap(), old);
        assert_eq!(replaced(old, &[]).unwrap(), old);
        assert_eq!(replaced(&format!("{BEGIN}\nx\n"), &[]), None);
    }
}
