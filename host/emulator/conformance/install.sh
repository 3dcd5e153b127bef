#!/bin/sh
# Installs the pinned clients below target/conformance, or below $FORCEPUMP_CONFORMANCE_DIR.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
to=${FORCEPUMP_CONFORMANCE_DIR:-$here/../../../target/conformance}
mkdir -p "$to/node" "$to/python"
cp "$here/package.json" "$here/package-lock.json" "$to/node/"
(cd "$to/node" && npm ci --no-audit --no-fund)
python3 -m pip install --quiet --upgrade --target "$to/python" --requirement "$here/requirements.txt"
