# shellcheck shell=bash
# Images from Debian's own files and from noise, without any network. Sourced after lib.sh.
# `build` has the same form for docker, podman and buildah; `use` in engines.sh selects the client.
# The files of image NAME are in $STATE/images/NAME/rootfs, for comparison with the pulled image.

# build_hello [NAME] [TEXT]: builds an image of a static busybox and a greeting. Each text gives another image.
build_hello() {
    local name=${1:-hello} text=${2:-hello from behind the lock}
    local context=$STATE/images/$name
    mkdir -p "$context/rootfs/bin"
    cp "$(command -v busybox)" "$context/rootfs/bin/busybox"
    echo "$text" >"$context/rootfs/greeting"
    # One layer, so that these images share none that a pull would skip.
    printf '%s\n' 'FROM scratch' 'COPY rootfs /' 'CMD ["/bin/busybox", "cat", "/greeting"]' >"$context/Dockerfile"
    "${tool:-docker}" build --tag "$name" "$context"
}

# build_layers: builds an image of 24 layers, more than any client transfers at once.
build_layers() {
    local context=$STATE/images/layers layer
    mkdir -p "$context/rootfs/layers"
    echo 'FROM scratch' >"$context/Dockerfile"
    for layer in {01..24}; do
        head -c "$((10#$layer * 5000))" /dev/urandom >"$context/rootfs/layers/$layer"
        echo "COPY rootfs/layers/$layer /layers/$layer" >>"$context/Dockerfile"
    done
    echo 'CMD ["/none"]' >>"$context/Dockerfile"
    "${tool:-docker}" build --tag layers "$context"
}

# build_big: builds an image with one incompressible layer of 300 MiB.
build_big() {
    local context=$STATE/images/big
    mkdir -p "$context/rootfs"
    head -c 314572800 /dev/urandom >"$context/rootfs/noise"
    printf '%s\n' 'FROM scratch' 'COPY rootfs/noise /noise' 'CMD ["/none"]' >"$context/Dockerfile"
    "${tool:-docker}" build --tag big "$context"
}

# build_index LAYOUT TAG: creates an OCI layout directory with an index of two architectures under the tag.
build_index() {
    local layout=$1 tag=$2 architecture manifests=()
    mkdir -p "$layout/blobs/sha256"
    for architecture in amd64 arm64; do
        manifests+=("$(architecture_manifest "$layout" "$architecture")")
    done
    printf '%s\n' "${manifests[@]}" |
        jq --slurp '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: .}' |
        add_blob "$layout" application/vnd.oci.image.index.v1+json |
        jq --arg tag "$tag" '{
            schemaVersion: 2,
            manifests: [. + {annotations: {"org.opencontainers.image.ref.name": $tag}}]
        }' >"$layout/index.json"
    echo '{"imageLayoutVersion": "1.0.0"}' >"$layout/oci-layout"
}

# architecture_manifest LAYOUT ARCHITECTURE: adds an image with one layer, and prints its manifest's descriptor.
architecture_manifest() {
    local layout=$1 architecture=$2 tar=$STATE/layer.tar diff_id config layer
    mkdir -p "$STATE/layer"
    echo "made for $architecture" >"$STATE/layer/architecture"
    tar -C "$STATE/layer" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$tar" .
    diff_id=sha256:$(sha256sum <"$tar" | cut -d ' ' -f 1)
    # skopeo would compress an uncompressed layer and change every digest.
    layer=$(gzip --no-name <"$tar" | add_blob "$layout" application/vnd.oci.image.layer.v1.tar+gzip)
    config=$(
        jq -n --arg architecture "$architecture" --arg diff_id "$diff_id" \
            '{architecture: $architecture, os: "linux", config: {}, rootfs: {type: "layers", diff_ids: [$diff_id]}}' |
            add_blob "$layout" application/vnd.oci.image.config.v1+json
    )
    jq -n --argjson config "$config" --argjson layer "$layer" '{
        schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config: $config, layers: [$layer]
    }' |
        add_blob "$layout" application/vnd.oci.image.manifest.v1+json |
        jq --arg architecture "$architecture" '. + {platform: {architecture: $architecture, os: "linux"}}'
}

# add_blob LAYOUT MEDIA-TYPE: stores standard input as a blob, and prints its descriptor.
add_blob() {
    local layout=$1 media_type=$2 file digest
    file=$(mktemp "$layout/blobs/sha256/new.XXXXXX")
    cat >"$file"
    digest=$(sha256sum <"$file" | cut -d ' ' -f 1)
    jq -n --arg type "$media_type" --arg digest "sha256:$digest" --argjson size "$(stat -c %s "$file")" \
        '{mediaType: $type, digest: $digest, size: $size}'
    mv "$file" "$layout/blobs/sha256/$digest"
}
