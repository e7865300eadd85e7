#!/bin/bash
# Runs all tests: `npm test`, or `npm test -- test/crictl` for some. Needs root for the integration tests,
# which drive real containerds; without it they are skipped with a line that says so, and in CI they fail.
set -euo pipefail
cd "$(dirname "$0")/.."

# npm ci leaves this file; older than the lock file means that other versions are installed.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund
fi
PATH="$PWD/node_modules/.bin:$PATH" # Node 26 and vitest, whatever the machine's own node is
export PATH

scripts/generate.sh
if [ "$(id -u)" = 0 ]; then
  scripts/tools.sh critest kubelet criu || echo 'tools: no containerd could be had, so no integration test will run' >&2
fi
exec vitest run "$@"
