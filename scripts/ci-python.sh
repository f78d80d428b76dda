#!/usr/bin/env bash
# A virtual environment with what ci-python.txt lists, for the tests that need Jupyter. Prints `export` lines for the
# shell that runs the tests; everything else goes to stderr. What cannot be had is named, and its tests are skipped.
#   eval "$(scripts/ci-python.sh [folder])"
set -uo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
folder="$(mkdir -p "${1:-out/ci-python}" && cd "${1:-out/ci-python}" && pwd)"
python="$folder/venv/bin/python"

say() { echo "$*" >&2; }

from_pip() {
  [ -x "$python" ] || python3 -m venv "$folder/venv" >&2 || return 1
  local wanted
  wanted="$(grep -v '^#' "$here/ci-python.txt")"
  # shellcheck disable=SC2086
  timeout 300 "$python" -m pip install --quiet --retries 0 $wanted >"$folder/pip.log" 2>&1 && return
  for one in $wanted; do
    timeout 300 "$python" -m pip install --quiet --retries 0 "$one" >>"$folder/pip.log" 2>&1 ||
      say "SKIPPED: pip cannot install $one: $(grep '^ERROR' "$folder/pip.log" | tail -n 1)"
  done
}

# Debian's jupyter_kernel_test goes with Debian's older jupyter_client, so all of it is unpacked aside, without root.
from_debian() {
  local packages="python3-jupyter-kernel-test python3-jupyter-client python3-jupyter-core python3-zmq python3-tornado
    python3-traitlets python3-dateutil python3-nest-asyncio python3-entrypoints python3-jsonschema python3-attr
    python3-pyrsistent python3-platformdirs python3-six python3-typing-extensions libzmq5 libnorm1 libpgm-5.3-0"
  local debian="$folder/debian"
  mkdir -p "$debian"
  # shellcheck disable=SC2086
  (cd "$debian" && timeout 120 apt-get download -q $packages && for one in *.deb; do dpkg -x "$one" root; done) \
    >"$folder/debian.log" 2>&1 || return 1
  cat >"$folder/debian-python" <<END
#!/bin/sh
export PYTHONPATH="$debian/root/usr/lib/python3/dist-packages"
export LD_LIBRARY_PATH="\$(echo "$debian"/root/usr/lib/*-linux-gnu)"
exec /usr/bin/python3 "\$@"
END
  chmod +x "$folder/debian-python"
  "$folder/debian-python" -c "import jupyter_kernel_test" 2>>"$folder/debian.log"
}

if from_pip; then
  echo "export LUVIT_JUPYTER_PYTHON='$python'"
else
  say "SKIPPED: no virtual environment for Jupyter (python3 -m venv failed); its tests are skipped"
fi
if "$python" -c "import jupyter_kernel_test" 2>/dev/null; then
  echo "export LUVIT_KERNEL_TEST_PYTHON='$python'"
elif from_debian; then
  say "jupyter_kernel_test comes from Debian's packages"
  echo "export LUVIT_KERNEL_TEST_PYTHON='$folder/debian-python'"
else
  say "SKIPPED: jupyter_kernel_test comes neither from pip nor from Debian; its test is skipped"
fi
