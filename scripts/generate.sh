#!/bin/sh
# Makes src/gen/ from proto/: the types of every message and service, never committed.
# Runs after every install, and again whenever a .proto is newer than what it made.
set -eu
cd "$(dirname "$0")/.."

# The types are for the compiler: who installs without the tools of development runs without types.
if [ "${npm_config_omit:-}" = dev ]; then
  exit 0
fi
if [ ! -x node_modules/.bin/proto-loader-gen-types ]; then
  echo "generate: dependencies are not installed; run npm ci" >&2
  exit 1
fi

stamp=src/gen/.stamp
if [ -f "$stamp" ] && [ -z "$(find proto scripts/generate.sh -newer "$stamp" -type f)" ]; then
  exit 0
fi

rm -rf src/gen
PATH="$PWD/node_modules/.bin:$PATH" proto-loader-gen-types \
  --longs=String --enums=String --defaults --oneofs \
  --grpcLib=@grpc/grpc-js --importFileExtension=.ts \
  --includeDirs=proto --outDir=src/gen \
  $(cd proto && ls cri.proto containerd/*.proto) >/dev/null
touch "$stamp"
