#!/usr/bin/env bash
# Watches a registry, as the monitoring API's own script does. Needs curl and jq.
#
#   REGISTRY=http://localhost:5000 USERNAME=admin PASSWORD=… examples/curl/monitor.sh [rounds] [seconds between them]
set -euo pipefail

REGISTRY=${REGISTRY:-http://localhost:5000}
rounds=${1:-0} interval=${2:-10} # 0: for ever

# From a file that is none: what stands in a command's arguments, all users of the machine can read.
ask() { curl -fsS -K <(printf 'user = "%s:%s"\n' "${USERNAME:?}" "${PASSWORD:?}") "$REGISTRY$1"; }

for ((round = 1; rounds == 0 || round <= rounds; round++)); do
  ((round == 1)) || sleep "$interval"
  echo "=== Registry Status $(date) ==="
  if ! health=$(ask /api/registry/health); then
    echo 'ALERT: the registry does not answer'
    continue
  fi
  echo "Health: $(jq -r .status <<<"$health")"
  jq -r '.warnings[] | "Warning: \(.)"' <<<"$health"
  # limit=0: the summary without the lists of what there is.
  ask '/api/registry/state?limit=0' | jq -r '
    "Repositories: \(.summary.totalRepositories)",
    "Manifests: \(.summary.totalManifests)",
    "Blobs: \(.summary.totalBlobs)",
    "Active Sessions: \(.activeSessions.count)"'
  # Tags without a manifest, of the first hundred repositories; `after=` has the next.
  ask '/api/registry/state?limit=100' | jq -r '.repositories[].name' | while read -r repository; do
    ask "/api/registry/repositories/$repository" | jq -r '.name as $name | .tags[] | select(.hasManifest == false) | "Broken: \($name):\(.tag)"'
  done
done
