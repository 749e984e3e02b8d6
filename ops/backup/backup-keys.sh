#!/usr/bin/env bash
# Backs up the keys of a registry, which may be running: backup-keys.sh DATA_FOLDER KEYS_FOLDER
#
# Makes KEYS_FOLDER/<time> and prints its name. Run it after backup.sh, and keep KEYS_FOLDER on another medium than the backups of the log:
# the two together read everything. Whoever was erased from the registry lives on in old backups of the keys: remove those in time.

set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[[ ${1:-} != --help ]] || usage
(($# == 2)) || usage 64 >&2
[[ -d $1 ]] || fail 64 "There is no folder $1."

begin "$2"
run keys "$1" "$partial"
finish
