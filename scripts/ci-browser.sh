#!/usr/bin/env bash
# Chromium and JupyterLab for the tests in tests/browser: JupyterLab from pip, else Debian's Jupyter Notebook. Prints
# `export` lines for the shell that runs the tests; everything else goes to stderr. What cannot be had is named, and
# its tests are skipped.
#   eval "$(scripts/ci-browser.sh [folder])"
set -uo pipefail
folder="$(mkdir -p "${1:-out/ci-python}" && cd "${1:-out/ci-python}" && pwd)"
log="$folder/browser.log"

say() { echo "$*" >&2; }

from_debian() {
  [ "$(id -u)" = 0 ] || { echo "not root" >>"$log"; return 1; }
  export DEBIAN_FRONTEND=noninteractive
  { timeout 120 apt-get update -q && timeout 400 apt-get install -qy --no-install-recommends "$@"; } >>"$log" 2>&1
}

why() { tail -n 1 "$log" 2>/dev/null || echo "unknown reason"; }

if ! command -v "${LUVIT_CHROMIUM:-chromium}" >/dev/null && ! from_debian chromium; then
  say "SKIPPED: there is no Chromium and it cannot be installed ($(why)); tests with a browser are skipped"
  exit 0
fi

python="${LUVIT_JUPYTER_PYTHON:-$folder/venv/bin/python}"
[ -x "$python" ] || python3 -m venv "$folder/venv" >>"$log" 2>&1
if "$python" -m jupyterlab --version >/dev/null 2>&1 ||
  timeout 400 "$python" -m pip install --quiet --retries 0 jupyterlab >>"$log" 2>&1; then
  say "notebooks in the browser are tested in JupyterLab $("$python" -m jupyterlab --version) from pip"
  echo "export LUVIT_JUPYTER_PYTHON='$python'"
elif say "JupyterLab cannot be had from pip ($(why))" && from_debian jupyter-notebook python3-nbconvert; then
  say "notebooks in the browser are tested in Debian's Jupyter Notebook $(/usr/bin/python3 -m notebook --version)"
  echo "export LUVIT_NOTEBOOK_PYTHON=/usr/bin/python3"
else
  say "SKIPPED: there is neither JupyterLab nor Debian's Jupyter Notebook ($(why)); tests of notebooks in a browser are skipped"
fi
