"""Drives a registry with Microsoft's SDK: azure_registry.py COMMAND ENDPOINT, by default with a managed identity.

The identity's tokens come from where the environment says, as the SDK finds it.
"""

import hashlib
import io
import json
import os
import sys

from azure.containerregistry import ArtifactTagOrder, ContainerRegistryClient
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import ManagedIdentityCredential

REPOSITORY = "sdk/app"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, not {actual!r}")


def gone(call, *arguments):
    try:
        call(*arguments)
    except ResourceNotFoundError:
        return
    raise AssertionError(f"{call.__name__}{arguments} found what was deleted")


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def push(client, tag):
    """An image with one layer, for which the SDK needs three chunks."""
    config, layer = json.dumps({"tag": tag}).encode(), os.urandom(9_000_000)
    descriptors = []
    for data in config, layer:
        digest, size = client.upload_blob(REPOSITORY, io.BytesIO(data))
        same((digest, size), (digest_of(data), len(data)))
        descriptors.append({"mediaType": "application/octet-stream", "digest": digest, "size": size})
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptors[0], "layers": descriptors[1:]}
    digest = client.set_manifest(REPOSITORY, manifest, tag=tag)
    return digest, manifest, layer


def content(client):
    digest, manifest, layer = push(client, "v1")
    for reference in "v1", digest:
        found = client.get_manifest(REPOSITORY, reference)
        same((found.digest, found.manifest, found.media_type), (digest, manifest, OCI_MANIFEST))
    stream = client.download_blob(REPOSITORY, digest_of(layer))
    same(b"".join(stream), layer)
    client.delete_blob(REPOSITORY, client.upload_blob(REPOSITORY, io.BytesIO(b"unwanted"))[0])
    gone(lambda: b"".join(client.download_blob(REPOSITORY, digest_of(b"unwanted"))))


def properties(client):
    digests = {push(client, tag)[0] for tag in ("v1", "v2", "v3")}
    assert REPOSITORY in list(client.list_repository_names())
    same(list(client.list_repository_names(results_per_page=1)), list(client.list_repository_names()))
    found = client.get_repository_properties(REPOSITORY)
    same((found.name, found.tag_count), (REPOSITORY, 3))
    assert found.manifest_count >= 3
    assert found.created_on <= found.last_updated_on

    tags = client.list_tag_properties(REPOSITORY, results_per_page=1, order_by=ArtifactTagOrder.LAST_UPDATED_ON_ASCENDING)
    same([tag.name for tag in tags], ["v1", "v2", "v3"])
    tags = client.list_tag_properties(REPOSITORY, results_per_page=2, order_by=ArtifactTagOrder.LAST_UPDATED_ON_DESCENDING)
    same([tag.name for tag in tags], ["v3", "v2", "v1"])
    same(client.get_tag_properties(REPOSITORY, "v1").name, "v1")

    manifests = list(client.list_manifest_properties(REPOSITORY, results_per_page=2))
    assert digests <= {manifest.digest for manifest in manifests}
    manifest = client.get_manifest_properties(REPOSITORY, "v2")
    same((manifest.tags, manifest.repository_name), (["v2"], REPOSITORY))
    same(client.get_manifest_properties(REPOSITORY, manifest.digest).digest, manifest.digest)

    for update, get, arguments in (
        (client.update_repository_properties, client.get_repository_properties, [REPOSITORY]),
        (client.update_tag_properties, client.get_tag_properties, [REPOSITORY, "v1"]),
        (client.update_manifest_properties, client.get_manifest_properties, [REPOSITORY, "v1"]),
    ):
        for value in False, True:
            same(update(*arguments, can_delete=value, can_write=value).can_delete, value)
            found = get(*arguments)
            same((found.can_delete, found.can_write, found.can_read, found.can_list), (value, value, True, True))


def deletes(client):
    digest, *_ = push(client, "v4")
    client.delete_tag(REPOSITORY, "v4")
    gone(client.get_tag_properties, REPOSITORY, "v4")
    same(client.get_manifest_properties(REPOSITORY, digest).digest, digest)
    client.delete_manifest(REPOSITORY, digest)
    gone(client.get_manifest_properties, REPOSITORY, digest)
    client.delete_tag(REPOSITORY, "v4")  # which the SDK takes for done
    for tag in list(client.list_tag_properties(REPOSITORY)):
        client.delete_tag(REPOSITORY, tag.name)
    same(list(client.list_tag_properties(REPOSITORY)), [])
    client.delete_repository(REPOSITORY)
    gone(client.get_repository_properties, REPOSITORY)
    assert REPOSITORY not in list(client.list_repository_names())


def pull(client):
    found = client.get_manifest(REPOSITORY, "v1")
    layer = found.manifest["layers"][0]
    same(digest_of(b"".join(client.download_blob(REPOSITORY, layer["digest"]))), layer["digest"])
    same(client.get_tag_properties(REPOSITORY, "v1").digest, found.digest)


command, endpoint = sys.argv[1:]
commands = {
    "content": content,
    "properties": properties,
    "deletes": deletes,
    "pull": pull,
    "push": lambda client: push(client, "v1"),
}
if command == "anonymous":
    credential, command = None, "pull"
else:
    credential = ManagedIdentityCredential(client_id=os.environ.get("CLIENT_ID"))
with ContainerRegistryClient(endpoint, credential) as client:
    commands[command](client)
