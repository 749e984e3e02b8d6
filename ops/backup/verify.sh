#!/usr/bin/env bash
# Reads a backup to its last byte and says whether it is what was taken: verify.sh BACKUP
#
# BACKUP is a folder that backup.sh or backup-keys.sh printed. Exit codes: 0 sound; 65 not, with every fault; 64 no backup.

set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[[ ${1:-} != --help ]] || usage
(($# == 1)) || usage 64 >&2
run verify "$1"
