#!/bin/bash
# `sudo npm run quickstart`: from a fresh clone to a running pod, and back to a clean machine.
# With `-- --keep` all of it stays up until you stop it.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
  echo 'quickstart: namespaces and mounts need root; run: sudo npm run quickstart' >&2
  exit 1
fi
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo '== installing the dependencies'
  npm ci --no-audit --no-fund --loglevel=error
fi
PATH="$PWD/node_modules/.bin:$PATH" # Node 26, whatever the machine's own node is
export PATH
scripts/generate.sh
scripts/tools.sh
exec node scripts/quickstart.ts "$@"
