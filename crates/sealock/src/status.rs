use crate::{
    client::Client,
    error::Error,
    output::{Output, record},
    registry::Registries,
};

pub(crate) fn run(client: &Client, output: &mut Output) -> Result<(), Error> {
    output.show(&client.get("status")?, |answer: &Registries| {
        let registries = answer.registries.iter();
        let records = registries.map(|registry| record(registry.title(), registry.custody(client)));
        records.collect::<Vec<_>>().join("\n\n")
    })
}
