#!/usr/bin/env bash
# Installs the real clients and the peer that the end-to-end tests and the benchmarks use, on Debian or Ubuntu, as root.
# Each is optional: what cannot be had is named, and the tests that need it say that they are skipped.
set -euo pipefail

# program:package. Newer Debian releases ship docker's command apart from its daemon.
tools=(dockerd:docker.io docker:docker-cli skopeo:skopeo podman:podman buildah:buildah
  docker-registry:docker-registry wrk:wrk jq:jq)
export DEBIAN_FRONTEND=noninteractive
export PATH="$PATH:/usr/sbin:/sbin"

missing=()
for tool in "${tools[@]}"; do
  command -v "${tool%%:*}" >/dev/null || missing+=("$tool")
done
if ((${#missing[@]} == 0)); then
  echo 'Every tool is here.'
  exit 0
fi
echo "Missing: ${missing[*]%%:*}"
if ! command -v apt-get >/dev/null || ((EUID != 0)); then
  echo 'They are installed with apt-get, as root: going on without them.'
  exit 0
fi

log=$(mktemp)
policy=/usr/sbin/usr-policy-unused
cleanup() { rm -f "$log"; [[ $policy == /usr/sbin/policy-rc.d ]] && rm -f "$policy"; return 0; }
trap cleanup EXIT
# The packages' services must not start: a daemon on port 5000 would be in the way of the registry's own default.
if [[ ! -e /usr/sbin/policy-rc.d ]]; then
  policy=/usr/sbin/policy-rc.d
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi

install() { apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1; }

apt-get update -qq </dev/null >"$log" 2>&1 || { echo 'apt-get update failed; trying with the lists that are here:'; tail -3 "$log"; }
for tool in "${missing[@]}"; do
  program=${tool%%:*} package=${tool#*:}
  command -v "$program" >/dev/null && continue # came with another package
  if install "$package" && command -v "$program" >/dev/null; then
    echo "Installed $package."
  else
    echo "Could not install $package, going on without it: $(grep -m1 '^E:' "$log" || tail -1 "$log")"
  fi
done
