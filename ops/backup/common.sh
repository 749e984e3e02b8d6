# shellcheck shell=bash
# For the scripts beside it, which source it.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The Node that the registry runs on: its own where it was installed by npm, the image’s otherwise. (Not NODE: npm sets that to its own.)
node=${BACKUP_NODE:-$here/../../node_modules/node/bin/node}
[[ -x $node ]] || node=$(command -v node) || {
  echo 'Node is missing: set BACKUP_NODE to the program that the registry runs on.' >&2
  exit 69
}

umask 077

usage() {
  sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
  exit "${1:-0}"
}

fail() {
  echo "$2" >&2
  exit "$1"
}

run() { "$node" --disable-warning=ExperimentalWarning "$here/main.ts" "$@"; }

# begin FOLDER: makes FOLDER/.partial-TIME, which goes when the script fails, and keeps other backups out meanwhile.
begin() {
  mkdir -p "$1"
  place=$(cd "$1" && pwd)
  exec {lock}>"$place/.lock"
  flock --nonblock "$lock" || fail 75 "Another backup is being made in $place."
  time=$(date -u +%Y-%m-%dT%H-%M-%S-%3NZ)
  finished=$place/$time
  [[ ! -e $finished ]] || fail 75 "$finished exists already: try again."
  rm -rf "$place"/.partial-*
  partial=$place/.partial-$time
  trap 'rm -rf "$partial"' EXIT
  mkdir "$partial"
}

# Everything on the disk, then the name: what has a name is a whole backup.
finish() {
  sync -f "$partial"
  mv "$partial" "$finished"
  sync -f "$place"
  echo "$finished"
}
