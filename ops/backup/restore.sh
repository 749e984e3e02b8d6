#!/usr/bin/env bash
# Restores a registry into a new data folder:
#   restore.sh [--accept-missing] [--older-keys] BACKUP KEYS NEW_DATA_FOLDER
#   restore.sh [--accept-missing] --log-on-server BACKUP NEW_DATA_FOLDER
#
#   --accept-missing   Also a backup that lacked bytes when it was taken.
#   --older-keys       Also keys that were taken before the log.
#   --log-on-server    Only the bytes, and the export of the log, which `ghostdock import` then takes to its server.
#
# BACKUP is a folder that backup.sh printed, KEYS one of backup-keys.sh, taken after it. NEW_DATA_FOLDER does not exist, or is empty. Every
# byte is compared with what was taken. Views are not restored: the next start of the registry builds them from the log.

set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

options=()
wanted=3
while [[ ${1:-} == -* ]]; do
  case $1 in
    --accept-missing | --older-keys) options+=("$1") && shift ;;
    --log-on-server) options+=("$1") && wanted=2 && shift ;;
    --help) usage ;;
    *) usage 64 >&2 ;;
  esac
done
(($# != 2 || wanted == 2)) || fail 64 'Which keys? A log without its keys cannot be read: restore.sh BACKUP KEYS NEW_DATA_FOLDER'
(($# == wanted)) || usage 64 >&2

run restore "$@" "${options[@]}"
sync -f "${!#}"
