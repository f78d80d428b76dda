#!/usr/bin/env bash
# Open MPI for the tests in tests/unit/distributed, where Debian has it; what cannot be had is named and its tests skipped.
set -uo pipefail
command -v mpirun >/dev/null && command -v mpicxx >/dev/null && exit 0
export DEBIAN_FRONTEND=noninteractive
if [ "$(id -u)" = 0 ] && { timeout 120 apt-get update -q && timeout 300 apt-get install -qy --no-install-recommends libopenmpi-dev openmpi-bin; } >/dev/null 2>&1; then
  echo "many machines are tested with $(mpirun --version | head -n 1)"
else
  echo "SKIPPED: there is no MPI and it cannot be installed; tests of many machines are skipped"
fi
