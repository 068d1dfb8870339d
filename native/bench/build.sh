#!/usr/bin/env bash
# Bundles the measurements to native/build/bench/*.mjs: with native/build they are all that a GPU host needs beside Node.
set -euo pipefail
cd "$(dirname "$0")/../.."
node native/build.mjs
for entry in native/bench/*.ts; do
  name=$(basename "$entry" .ts)
  [ "$name" = open ] || npx --no-install rolldown "$entry" --platform node --format esm -o "native/build/bench/$name.mjs" >/dev/null
done
cp native/bench/*.py native/bench/*.sh native/build/bench/
