mod image;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use fs_err as fs;
use url::Url;

use self::image::{Image, Reference};
use crate::{client::Client, error::Error, output::Output};

/// The port of a URL without one.
const HTTP_PORT: u16 = 80;

#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    Image(ImageArgs),
}

/// Write a small image for `docker load`
///
/// The image has one layer with one text file, contains no program, and is always the same. The archive is also an OCI
/// layout, for podman and skopeo. The emulator need not be running.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock demo image | docker load
  sealock demo image --file hello.tar && podman load --input hello.tar")]
pub(crate) struct ImageArgs {
    /// File to write instead of standard output; an existing file is replaced
    #[arg(long)]
    file: Option<PathBuf>,
    /// Name of the image [default: hello:v1 at the emulator]
    #[arg(long, value_name = "HOST/REPOSITORY:TAG")]
    name: Option<Reference>,
}

impl DemoCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::Image(image) => image.run(client, output),
        }
    }
}

impl ImageArgs {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let name = match self.name {
            Some(name) => name,
            None => default_name(client)?,
        };
        let archive = Image::new()?.archive(&name)?;
        if let Some(file) = self.file {
            fs::write(&file, archive).map_err(|error| Error::system(&error))?;
            return output.done(format!("wrote {name} to {}", file.display()));
        }
        let mut stdout = io::stdout().lock();
        if stdout.is_terminal() {
            let load = client.commands().command("demo image");
            return Err(Error::Failed {
                message: "cannot write an archive to a terminal".to_owned(),
                hint: Some(format!(
                    "load it with: {load} | docker load; or write it to a file with --file FILE"
                )),
            });
        }
        stdout.write_all(&archive)?;
        Ok(stdout.flush()?)
    }
}

/// Returns the name under which an image is pushed to the emulator.
fn default_name(client: &Client) -> Result<Reference, Error> {
    let emulator = client.emulator();
    let url = Url::parse(emulator).ok();
    let host = url.as_ref().and_then(|url| {
        let port = url.port().unwrap_or(HTTP_PORT);
        Some(format!("{}:{port}", url.host_str()?))
    });
    let name = host.map(|host| format!("{host}/hello:v1"));
    let name = name.and_then(|name| name.parse().ok());
    name.ok_or_else(|| Error::Failed {
        message: format!("cannot derive an image name from {emulator}"),
        hint: Some("pass a name with --name".to_owned()),
    })
}
