#!/usr/bin/env bash
# Checks on a machine with a GPU what has only been seen in software: first that everything is right, then how fast it is.
# Ends within ten minutes with one table; the whole log lies beside it. Run it in a checkout after `npm ci`:
#   scripts/verify-gpu.sh [folder for the log]
# LUVIT_PYTHON names a Python with PyTorch, which then does the same steps on the same GPU. LUVIT_VERIFY=toy rehearses it
# with small sizes on a Vulkan device in software (Debian's chromium brings one).
set -u
cd "$(dirname "$0")/.."
folder="${1:-out/verify-gpu}"
mkdir -p "$folder"
log="$folder/verify.log"
table="$folder/table.md"
: >"$log"
printf '| what | seen |\n|---|---|\n' >"$table"
began=$(date +%s)
seconds="${LUVIT_VERIFY_SECONDS:-570}"
toy=$([ "${LUVIT_VERIFY:-}" = toy ] && echo 1 || echo 0)
export CUDA_CACHE_MAXSIZE=4294967296 XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$(mktemp -d)}"

row() { printf '| %s | %s |\n' "$1" "$2" | tee -a "$table"; }

# run <limit in s> <command …>: its output goes to the log; fails where it does, or where the time is up.
run() {
  local limit=$1 left=$((seconds - $(date +%s) + began))
  shift
  [ "$left" -ge 10 ] || { echo "no time left: $*" >>"$log"; return 125; }
  [ "$limit" -le "$left" ] || limit=$left
  echo "== $*" >>"$log"
  timeout "$limit" "$@" >"$folder/last" 2>&1
  local code=$?
  cat "$folder/last" >>"$log"
  return $code
}

# check <name> <limit> <command …>
check() {
  local name=$1 limit=$2
  shift 2
  if run "$limit" "$@"; then row "$name" "$(grep -E 'passed,|^# pass' "$folder/last" | tail -n 1 | tr -d '#')"
  else
    case $? in
      124 | 125) row "$name" "no answer in time" ;;
      *) row "$name" "**FAILED**: $(grep -E '^not ok|FAIL|error:|Error' "$folder/last" | head -n 1 | cut -c1-120)" ;;
    esac
  fi
}

# bench <name> <limit> <arguments …>: the line with images per second and bytes per step
bench() {
  local name=$1 limit=$2
  shift 2
  if run "$limit" node build/bench/main.js pretrain-step "$@" --json "$folder/bench.json"; then
    row "$name" "$(node -e '
      const r = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
      const flat = (x, at = "") => typeof x === "object" && x ? Object.entries(x).flatMap(([k, v]) => flat(v, `${at}${at && "."}${k}`)) : [[at, x]];
      const wanted = /imagesPerSecond|msPerImage|device|bytes|resident|ratio|engine$/i;
      console.log(flat(r).filter(([k]) => wanted.test(k)).map(([k, v]) => `${k} ${typeof v === "number" ? +v.toPrecision(4) : v}`).slice(0, 14).join(", "));
    ' "$folder/bench.json")"
  else row "$name" "**no figure**: $(tail -n 1 "$folder/last" | cut -c1-120)"; fi
}

if [ "$toy" = 1 ]; then
  for icd in "${LUVIT_SWIFTSHADER:-}" /usr/lib/chromium/vk_swiftshader_icd.json; do
    [ -f "$icd" ] && export VK_DRIVER_FILES=$icd LD_LIBRARY_PATH="$(dirname "$icd"):${LD_LIBRARY_PATH:-}" && break
  done
fi
export LUVIT_TEST_GPU=1

: >"$folder/memory"
(while command -v nvidia-smi >/dev/null; do nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits | head -n 1 >>"$folder/memory"; sleep 1; done) &
watch=$!
row "machine" "$(nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total --format=csv,noheader 2>/dev/null | head -n 1 || true) $(uname -sm), node $(node --version)"
[ -f build/bench/main.js ] || run 200 npm run build:tests || row "build" "**FAILED**"

# Right?
check "golden training runs, webgpu" 200 node build/tests/golden/run.js --engine onnxruntime --provider webgpu
check "every op of the lowering table, webgpu" 200 node --test --test-reporter=tap --test-name-pattern "onnxruntime webgpu" build/tests/unit/engine/rules.test.js
check "state, guards, held and clipped gradients, webgpu" 100 node --test --test-reporter=tap --test-name-pattern "onnxruntime webgpu" build/tests/unit/engine/training.test.js
check "bytes that a step moves, webgpu" 60 node --test --test-reporter=tap build/tests/unit/engine/webgpuTraffic.test.js
if run 100 node -e 'require("./build/src/engine").ready({ provider: "webgpu", precision: "float16" }).then((s) => { console.log(`READY ${s}`); process.exit(); }, (e) => { console.log(`READY ${e.message}`); process.exit(); })'; then
  row "float16" "$(grep -a '^READY' "$folder/last" | sed 's/^READY //' | tr '\n' ';')"
else row "float16" "**FAILED**: $(tail -n 1 "$folder/last" | cut -c1-120)"; fi
check "wrong kernels of onnxruntime, as they are known" 60 node --test --test-reporter=tap build/tests/unit/engine/upstream.test.js
if run 100 node -e 'require("./build/src/engine").ready().then((s) => { console.log(`READY ${s}`); for (const p of s.passedOver) console.log(`READY ${p}`); process.exit(); })'; then
  row "what ready() chooses" "$(grep -a '^READY' "$folder/last" | sed 's/^READY //' | tr '\n' ';')"
else row "what ready() chooses" "**FAILED**: $(tail -n 1 "$folder/last" | cut -c1-120)"; fi

# Fast?
if [ "$toy" = 1 ]; then
  bench "toy, batch 2, webgpu" 200 --preset toy --provider webgpu --batch 2 --steps 2 --warmup 1
else
  for batch in 8 64 256; do
    bench "LUViT-B, batch $batch, webgpu" 90 --preset luvit-b --provider webgpu --batch "$batch" --steps 6 --warmup 2
  done
  for batch in 8 64; do
    bench "LUViT-B, batch $batch, webgpu in float16" 90 --preset luvit-b --provider webgpu --precision float16 --batch "$batch" --steps 6 --warmup 2
  done
  [ -n "${LUVIT_PYTHON:-}" ] && bench "LUViT-B, batch 64, webgpu beside PyTorch" 90 --preset luvit-b --provider webgpu --batch 64 --steps 4 --warmup 2 --peer torch --peer-device cuda --peer-precision float32,bfloat16
fi
if node dist/cli.js engine list 2>/dev/null | grep -q cuda; then
  check "golden training runs, tensorflow on CUDA" 150 env NVIDIA_TF32_OVERRIDE=0 node build/tests/golden/run.js --engine tensorflow --provider cuda
  for precision in float32 bfloat16; do
    bench "LUViT-B, batch 64, tensorflow CUDA $precision" 90 --preset luvit-b --engine tensorflow --provider cuda --precision $precision --batch 64 --steps 6 --warmup 2
  done
else row "tensorflow on CUDA" "not installed (npx luvit engine install --cuda)"; fi
kill "$watch" 2>/dev/null
row "most memory of the GPU in use, MB" "$(sort -n "$folder/memory" 2>/dev/null | tail -n 1)"
row "seconds" "$(($(date +%s) - began))"
echo "the table is $table, the log $log"
! grep -qE 'FAILED|no answer in time|no figure' "$table"
