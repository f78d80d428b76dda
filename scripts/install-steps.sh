#!/usr/bin/env bash
# What an image, a Binder or a class's server needs of this repository: its packages, the library, and the kernel put where
# Jupyter finds it. Arguments go to `luvit kernel install`: --user, --sys-prefix, --prefix <folder>, --link.
#   scripts/install-steps.sh --prefix /usr/local
set -euo pipefail
cd "$(dirname "$0")/.."
node --version
npm ci --no-audit --no-fund
node dist/cli.js kernel install "$@"
