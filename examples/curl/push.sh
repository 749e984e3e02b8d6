#!/usr/bin/env bash
# Pushes an image of one layer with curl, as docker does it: the layer, the configuration, the manifest. Needs curl, jq, tar and sha256sum.
#
#   REGISTRY=http://localhost:5000 USERNAME=admin PASSWORD=… examples/curl/push.sh myapp/frontend latest FOLDER
set -euo pipefail

REGISTRY=${REGISTRY:-http://localhost:5000}
repository=${1:?'a repository, such as myapp/frontend'} tag=${2:?'a tag, such as latest'} folder=${3:?'a folder, which becomes the layer'}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# 1. Get authentication token. From standard input: what stands in a command's arguments, all users of the machine can read.
TOKEN=$(jq -n --arg username "${USERNAME:?}" --arg password "${PASSWORD:?}" '{$username, $password}' |
  curl -fsS -X POST "$REGISTRY/auth" -H 'Content-Type: application/json' -d @- | jq -r .token)
request() { curl -fsS -H @<(printf 'Authorization: Bearer %s\n' "$TOKEN") "$@"; }

digest_of() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }
size_of() { wc -c <"$1" | tr -d ' '; }

# 2. Upload blob: begin a session, and send the bytes to where it says in its Location, which may be relative and have a query.
upload() {
  local file=$1 digest location
  digest=$(digest_of "$file")
  if request -o /dev/null -I "$REGISTRY/v2/$repository/blobs/$digest" 2>/dev/null; then
    echo "There already: $digest"
    return
  fi
  location=$(request -o /dev/null -D - -X POST "$REGISTRY/v2/$repository/blobs/uploads/" |
    tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
  [[ $location == http* ]] || location=$REGISTRY$location
  [[ $location == *\?* ]] && location+='&' || location+='?'
  request -o /dev/null -X PUT "${location}digest=$digest" -H 'Content-Type: application/octet-stream' --data-binary "@$file"
  echo "Uploaded: $digest"
}

tar -C "$folder" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$work/layer.tar" .
gzip -n <"$work/layer.tar" >"$work/layer.tar.gz"
jq -n --arg diff "$(digest_of "$work/layer.tar")" \
  '{architecture: "amd64", os: "linux", config: {}, rootfs: {type: "layers", diff_ids: [$diff]}}' >"$work/config.json"
upload "$work/layer.tar.gz"
upload "$work/config.json"

# 3. Upload manifest
jq -n \
  --arg config "$(digest_of "$work/config.json")" --argjson configSize "$(size_of "$work/config.json")" \
  --arg layer "$(digest_of "$work/layer.tar.gz")" --argjson layerSize "$(size_of "$work/layer.tar.gz")" '{
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config: {mediaType: "application/vnd.docker.container.image.v1+json", size: $configSize, digest: $config},
    layers: [{mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip", size: $layerSize, digest: $layer}]
  }' >"$work/manifest.json"
request -o /dev/null -X PUT "$REGISTRY/v2/$repository/manifests/$tag" \
  -H 'Content-Type: application/vnd.docker.distribution.manifest.v2+json' --data-binary "@$work/manifest.json"
echo "Pushed $repository:$tag, $(digest_of "$work/manifest.json")"
