#!/usr/bin/env bash
# Installs the real clients and the peer that the end-to-end tests and the benchmarks use: packages on Debian or Ubuntu, as root, and what
# those do not have by Go, into .tools/bin. Each is optional: what cannot be had is named, and the tests that need it say that they are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# program:package. Newer Debian releases ship docker's command apart from its daemon.
tools=(dockerd:docker.io docker:docker-cli skopeo:skopeo podman:podman buildah:buildah
  docker-registry:docker-registry wrk:wrk jq:jq curl:curl python3:python3)
export DEBIAN_FRONTEND=noninteractive
export PATH="$PATH:/usr/sbin:/sbin"

# program module version: built by Go, where there is one that is new enough; it fetches no other.
go_tools=('oras oras.land/oras/cmd/oras v1.3.6'
  'crane github.com/google/go-containerregistry/cmd/crane v0.22.1'
  'regctl github.com/regclient/regclient/cmd/regctl v0.11.7'
  'conformance github.com/opencontainers/distribution-spec/conformance v0.0.0-20260831232431-97274622c111')

log=$(mktemp)
policy=
cleanup() { rm -f "$log" ${policy:+"$policy"}; }
trap cleanup EXIT

install() { apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1; }

can_install() { command -v apt-get >/dev/null && ((EUID == 0)); }

install_packages() {
  local missing=() tool program package
  for tool in "${tools[@]}"; do
    command -v "${tool%%:*}" >/dev/null || missing+=("$tool")
  done
  if ((${#missing[@]} == 0)); then
    echo 'Every package is here.'
    return
  fi
  echo "Missing: ${missing[*]%%:*}"
  if ! can_install; then
    echo 'They are installed with apt-get, as root: going on without them.'
    return
  fi
  # The packages' services must not start: a daemon on port 5000 would be in the way of the registry's own default.
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
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
}

# Newer Debian releases have ORAS as a package.
has_package() { [[ -n $(apt-cache madison "$1" 2>/dev/null) ]]; }

# A minute or two the first time, all three together; seconds with what Go remembers of that.
build() {
  local program=$1 module=$2 version=$3 started=$SECONDS
  [[ -x .tools/bin/$program && $(cat ".tools/bin/$program.version" 2>/dev/null) == "$version" ]] && return
  mkdir -p .tools/bin
  if GOBIN=$PWD/.tools/bin GOTOOLCHAIN=local GOFLAGS=-buildvcs=false CGO_ENABLED=0 \
    timeout 300 go install -trimpath -ldflags='-s -w' "$module@$version" </dev/null >"$log" 2>&1; then
    echo "$version" >".tools/bin/$program.version"
    echo "Built $program $version in $((SECONDS - started)) s."
  else
    echo "Could not build $program, going on without it: $(grep -v downloading "$log" | tail -1)"
  fi
}

install_go_tools() {
  local tool program module version
  for tool in "${go_tools[@]}"; do
    read -r program module version <<<"$tool"
    command -v "$program" >/dev/null && continue
    can_install && has_package "$program" && install "$program" && continue
    if command -v go >/dev/null; then
      build "$program" "$module" "$version"
    else
      echo "Going on without $program: it is neither a package here, nor is there Go to build it."
    fi
  done
}

# The library of the Python examples: for the python3 on the PATH, or for Debian's, which the tests look for next.
install_requests() {
  local python
  for python in python3 /usr/bin/python3; do
    "$python" -c 'import requests' 2>/dev/null && return
  done
  if can_install && install python3-requests; then
    echo 'Installed python3-requests.'
  else
    echo "Going on without Python's requests: the Python examples are skipped."
  fi
}

install_packages
install_requests
install_go_tools
echo 'The clients are as complete as they can be here.'
