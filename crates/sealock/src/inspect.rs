use clap::Args;
use sealock_api::{self as api, ImageName, Inspection, StoredObject};
use sealock_core::RegistryName;

use crate::{
    client::Client,
    error::Error,
    output::{Output, TITLE, record},
    target::ParentArgs,
};

/// The length of an object's header, which precedes the ciphertext (docs/blob-format.md).
const HEADER_LEN: usize = 48;

/// Show how an image is stored on disk, and the key version that wraps its key
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock inspect hello
  sealock inspect hello:v1 --registry sealock")]
pub(crate) struct Inspect {
    /// Image: `REPOSITORY[:TAG|@DIGEST]`
    #[arg(value_name = "IMAGE")]
    name: String,
    #[command(flatten)]
    registry: ParentArgs<RegistryName>,
}

impl Inspect {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let name = self.without_host(client.emulator()).to_owned();
        let registry = self.registry.name;
        let answer = client.ask_with_query(&api::Inspect { registry }, &ImageName { name })?;
        output.show(&answer, render)
    }

    /// Returns the image's name within its registry, without the host that Docker's name begins with.
    fn without_host(&self, emulator: &str) -> &str {
        let (_, authority) = emulator.split_once("://").unwrap_or_default();
        let port = authority.rsplit_once(':').map_or("80", |it| it.1);
        match self.name.split_once('/') {
            Some((host, name))
                if host == authority
                    || host == format!("localhost:{port}")
                    || host == format!("{}.azurecr.localhost:{port}", self.registry.name) =>
            {
                name
            }
            _ => &self.name,
        }
    }
}

fn render(image: &Inspection) -> String {
    let separator = if image.reference.contains(':') {
        '@'
    } else {
        ':'
    };
    let title = format!(
        "{TITLE}{}{separator}{}{TITLE:#} in registry {}",
        image.repository, image.reference, image.registry
    );
    let wrapped_by = match &image.wrapped_by {
        Some(key) => format!("{} ({})", key.kid, key.algorithm),
        None => "no key; only the service layer encrypts it".to_owned(),
    };
    let mut fields = vec![
        ("digest", image.digest.to_string()),
        ("layers", image.layers.join(", then ")),
        ("wrapped by", wrapped_by),
    ];
    fields.extend(image.note.clone().map(|note| ("note", note)));

    let mut parts = vec![record(title, fields)];
    parts.extend(image.objects.iter().map(render_object));
    parts.join("\n\n")
}

fn render_object(object: &StoredObject) -> String {
    let title = format!("{TITLE}{}{TITLE:#}  {}", object.kind, object.media_type);
    let mut fields = vec![
        ("digest", object.digest.to_string()),
        ("object", object.object.clone()),
        (
            "size",
            format!("{} bytes, {} on disk", object.size, object.stored_size),
        ),
    ];
    fields.extend(header_fields(&object.header));
    fields.push(("binding", object.binding.clone()));
    let dump = hexdump(HEADER_LEN, &object.ciphertext);
    format!("{}\n  ciphertext\n{dump}", record(title, fields))
}

/// Returns the fields of a header in hexadecimal, or the text itself if it is not a header.
fn header_fields(header: &str) -> Vec<(&'static str, String)> {
    match hex::decode(header) {
        Ok(bytes) if bytes.len() == HEADER_LEN => vec![
            ("magic", bytes[..8].escape_ascii().to_string()),
            ("version", bytes[8].to_string()),
            ("layers", bytes[9].to_string()),
            ("segments", format!("2^{} bytes", bytes[10])),
            ("salt", hex::encode(&bytes[16..])),
        ],
        _ => vec![("header", header.to_owned())],
    }
}

/// Renders hexadecimal bytes, 16 on a line, with their offsets in the file. The first is at `offset`.
fn hexdump(offset: usize, bytes: &str) -> String {
    let Ok(bytes) = hex::decode(bytes) else {
        return format!("    {bytes}");
    };
    let printable = |byte: &u8| {
        if (b' '..=b'~').contains(byte) {
            char::from(*byte)
        } else {
            '.'
        }
    };
    let lines = bytes.chunks(16).enumerate().map(|(index, row)| {
        let hex = row
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .join(" ");
        let text: String = row.iter().map(printable).collect();
        format!("    {:08x}  {hex:<47}  |{text}|", offset + 16 * index)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexdump_shows_the_offsets_in_the_file() {
        let bytes = hex::encode(b"sixteen bytes...\x00\xffz");
        assert_eq!(
            hexdump(48, &bytes),
            "    00000030  73 69 78 74 65 65 6e 20 62 79 74 65 73 2e 2e 2e  |sixteen bytes...|\n    \
             00000040  00 ff 7a                                         |..z|"
        );
        assert_eq!(hexdump(48, ""), "");
        assert_eq!(hexdump(48, "no hex"), "    no hex");
    }

    #[test]
    fn header_is_split_into_its_fields() {
        let mut header = [0_u8; HEADER_LEN];
        header[..11].copy_from_slice(b"sealock\0\x01\x02\x10");
        header[16] = 0xaa;
        let fields = header_fields(&hex::encode(header));
        assert_eq!(fields[0].1, "sealock\\x00");
        assert_eq!(fields[3], ("segments", "2^16 bytes".to_owned()));
        assert!(fields[4].1.starts_with("aa00"));
        assert_eq!(header_fields("00"), [("header", "00".to_owned())]);
    }
}
