#!/usr/bin/env bash
# Backs up the log and the bytes of a registry, which may be running: backup.sh [--export FILE] DATA_FOLDER BACKUPS_FOLDER
#
#   --export FILE   The log is on a server: FILE is what `ghostdock export` has just written.
#
# Makes BACKUPS_FOLDER/<time> and prints its name. What has not changed since the last backup there is a hard link to it; any of the
# folders can be removed without harm to the others. The keys are NOT in it: back them up afterwards, elsewhere, with backup-keys.sh.
# Exit codes: 0 taken; 65 taken, but the log links bytes that are missing; 64, 69, 70, 75 not taken.

set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

options=()
while [[ ${1:-} == -* ]]; do
  case $1 in
    --export) options+=(--export "${2:?--export FILE}") && shift 2 ;;
    --help) usage ;;
    *) usage 64 >&2 ;;
  esac
done
(($# == 2)) || usage 64 >&2
data=$1
[[ -d $data ]] || fail 64 "There is no folder $data."

begin "$2"
shopt -s nullglob
earlier=("$place"/[0-9]*Z/backup.json)
((${#earlier[@]} == 0)) || options+=(--previous "$(dirname "${earlier[-1]}")")

code=0
run registry "$data" "$partial" "${options[@]}" || code=$?
((code == 0 || code == 65)) || exit "$code"
finish
exit "$code"
