use sealock_tests::{Answer, Client, digest_of};

use crate::{
    median::{ROUNDS, median, time},
    medium::Medium,
    peer::{Kind, Peer},
    report::{Report, Unit},
};

const BLOBS: usize = 200;
const SIZE: usize = 64 * 1024;

/// Measures pushes and pulls of many small blobs, one after the other on one connection.
pub(crate) fn measure(medium: &Medium, report: &mut Report) {
    let mut samples = [const { (Vec::new(), Vec::new()) }; 2];
    for _ in 0..ROUNDS {
        let blobs: Vec<_> = (0..BLOBS).map(|_| random()).collect();
        for (kind, (pushes, pulls)) in Kind::BOTH.into_iter().zip(&mut samples) {
            let peer = Peer::start(kind, medium);
            let client = peer.client();
            let (.., took) = time(|| {
                for blob in &blobs {
                    assert_eq!(push(&client, "small", blob).status, 201);
                }
            });
            pushes.push(per_second(took.as_secs_f64()));
            let digests: Vec<_> = blobs.iter().map(|blob| digest_of(blob)).collect();
            let (.., took) = time(|| {
                for digest in &digests {
                    let pulled = client.get(&format!("/v2/small/blobs/{digest}"));
                    assert_eq!((pulled.status, pulled.body.len()), (200, SIZE));
                }
            });
            pulls.push(per_second(took.as_secs_f64()));
        }
    }
    let [sealock, docker_registry] = samples.map(|(pushes, pulls)| (median(pushes), median(pulls)));
    let what = |verb| format!("{verb} {BLOBS} blobs of 64 KiB, {}", medium.name);
    report.compare(&what("push"), Unit::PerSecond, sealock.0, docker_registry.0);
    report.compare(&what("pull"), Unit::PerSecond, sealock.1, docker_registry.1);
}

/// Pushes like Docker: POST, PATCH, PUT.
pub(crate) fn push(client: &Client, repository: &str, blob: &[u8]) -> Answer {
    let begun = client.send(
        "POST",
        &format!("/v2/{repository}/blobs/uploads/"),
        &[],
        b"",
    );
    let octets = [("content-type", "application/octet-stream")];
    let sent = client.send("PATCH", begun.header("location"), &octets, blob);
    let location = sent.header("location");
    let separator = if location.contains('?') { '&' } else { '?' };
    let path = format!("{location}{separator}digest={}", digest_of(blob));
    client.send("PUT", &path, &[], b"")
}

fn random() -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    rand::fill(&mut bytes[..]);
    bytes
}

#[expect(clippy::cast_precision_loss, reason = "it is small")]
fn per_second(seconds: f64) -> f64 {
    BLOBS as f64 / seconds
}
