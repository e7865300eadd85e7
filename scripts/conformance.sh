#!/bin/bash
# `sudo npm run conformance`: runs all of critest against cristal, and prints what became of each spec.
# `npm run conformance -- 1.6 Streaming -websocket-exec` chooses the containerd, the specs, and critest's flags.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
  echo 'conformance: namespaces and mounts need root; run: sudo npm run conformance' >&2
  exit 1
fi
PATH="$PWD/node_modules/.bin:$PATH" # Node 26, whatever the machine's own node is
export PATH
scripts/generate.sh
scripts/tools.sh critest
exec node test/conformance/run.ts "$@"
