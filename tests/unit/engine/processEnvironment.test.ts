import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import { engineProcesses, stopEngineProcesses } from "../../../src/engine";
import { startEngineProcess } from "../../../src/engine/process";
import { environmentFor } from "../../../src/engine/process/engines";
import { engineEnvironment, launcherDescriptor } from "../../../src/engine/process/environment";
import { findTensorflow } from "../../../src/engine/tensorflow/binding";
import { temporaryFolder } from "../io/support";

test("an engine's process gets what it needs by name or family, and nothing that looks like a secret", () => {
  const given = {
    PATH: "/bin",
    LC_ALL: "C",
    OMP_NUM_THREADS: "2",
    LUVIT_SEED: "1",
    HF_TOKEN: "t",
    LUVIT_TOKEN: "t",
    TF_API_KEY: "k",
    CUDA_PASSWORD: "p",
    MY_OWN: "x",
    PMI_FD: "5",
    OMP_UNSET: undefined,
  };
  assert.deepEqual(engineEnvironment(given), {
    PATH: "/bin",
    LC_ALL: "C",
    OMP_NUM_THREADS: "2",
    LUVIT_SEED: "1",
  });
});

test("one worker of several gets also how it finds the others", () => {
  const worker = { OMPI_COMM_WORLD_RANK: "0", OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_LOCAL_RANK: "0" };
  assert.deepEqual(engineEnvironment({ ...worker, SLURM_JOB_NAME: "x" }), worker);
  assert.deepEqual(engineEnvironment({ ...worker, OMPI_COMM_WORLD_SIZE: "1" }), {});
});

test("a launcher's descriptor is a whole number, or there is none", () => {
  assert.equal(launcherDescriptor({ PMI_FD: "12" }), 12);
  for (const PMI_FD of [undefined, "", "a", "-1", "1.5"])
    assert.equal(launcherDescriptor({ PMI_FD }), undefined);
});

test("an engine's process gets what programs, loaders, allocators, threads and graphics cards read", () => {
  const read = {
    system: "PATH HOME TMPDIR TEMP TMP LANG LANGUAGE TZ DISPLAY NODE_OPTIONS NODE_PATH UV_THREADPOOL_SIZE",
    windows: "PATHEXT USERPROFILE APPDATA LOCALAPPDATA PROGRAMDATA SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC",
    more: "HOMEDRIVE HOMEPATH NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE NODE_V8_COVERAGE GLIBC_TUNABLES",
    loaders: "LC_NUMERIC LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH MALLOC_ARENA_MAX",
    threads: "OMP_NUM_THREADS GOMP_CPU_AFFINITY EIGEN_X KMP_AFFINITY MKL_NUM_THREADS OPENBLAS_NUM_THREADS",
    kernels:
      "ONEDNN_VERBOSE DNNL_VERBOSE CUDA_VISIBLE_DEVICES CUDNN_X CUBLAS_X NCCL_DEBUG NVIDIA_TF32_OVERRIDE",
    cards:
      "ROCM_PATH HIP_VISIBLE_DEVICES HSA_X VK_DRIVER_FILES DAWN_X WAYLAND_DISPLAY XDG_RUNTIME_DIR MESA_X",
    engines: "TF_CPP_MIN_LOG_LEVEL XLA_FLAGS ORT_DISABLE_TELEMETRY LUVIT_ENGINE_CACHE",
    "as Windows writes it": "Path SystemRoot ProgramData",
  };
  const names = Object.values(read).flatMap((line) => line.split(" "));
  const given = Object.fromEntries(names.map((name) => [name, name.toLowerCase()]));
  assert.deepEqual(engineEnvironment(given), given);
  const others =
    "TFX ORTHO MY_PATH PATHS HOMES XLADDER OMPI_X SLURM_STEP_ID PS1 USER NODE_EXTRA_CA_CERTS NPM_X";
  const strangers = Object.fromEntries(others.split(" ").map((name) => [name, "x"]));
  assert.deepEqual(engineEnvironment(strangers), {});
});

test("names that tell of a secret are kept back in every family, those that only look alike are not", () => {
  const secrets = [
    "LUVIT_AUTH",
    "TF_SECRET_X",
    "XDG_CREDENTIALS",
    "CUDA_KEY",
    "ORT_APIKEY",
    "ORT_API_KEY_X",
    "LC_KEY_A",
    "Luvit_Token",
    "cuda_password",
    "ort_api_key",
  ];
  const others = ["LUVIT_KEYS", "TF_MONKEY", "XDG_KEYBOARD", "Omp_Num_Threads"];
  const all = Object.fromEntries([...secrets, ...others].map((name) => [name, "x"]));
  assert.deepEqual(Object.keys(engineEnvironment(all)), others);
});

test("a worker's process gets what launchers of every family tell it", () => {
  const worker = { OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_LOCAL_RANK: "0" };
  const told =
    "OPAL_X ORTE_X PRTE_X PMI_FD PMIX_RANK MPI_LOCALRANKID MPICH_X MPIR_X MPIEXEC_X HYDRA_X I_MPI_X UCX_TLS FI_PROVIDER " +
    "HFI_X PSM2_X HWLOC_X SLURM_STEP_ID SLURM_PROCID SLURM_NTASKS SLURM_JOB_ID SLURM_JOBID SLURM_LOCALID SLURM_NODEID " +
    "SLURM_NODELIST SLURM_MPI_TYPE SLURM_PMI_X";
  const given = { ...worker, ...Object.fromEntries(told.split(" ").map((name) => [name, "x"])) };
  assert.deepEqual(engineEnvironment({ ...given, SLURM_CONF: "x", PMI_TOKEN: "x", USER: "u" }), given);
});

test("engines begin with the environment that their options need", () => {
  const visible = process.env.CUDA_VISIBLE_DEVICES;
  delete process.env.CUDA_VISIBLE_DEVICES;
  try {
    const onnx = environmentFor("onnxruntime", {});
    assert.deepEqual(onnx, {
      MALLOC_ARENA_MAX: "1",
      MALLOC_MMAP_THRESHOLD_: "4294967296",
      MALLOC_TRIM_THRESHOLD_: "17179869184",
      MALLOC_TOP_PAD_: "16777216",
      ORT_DISABLE_TELEMETRY: "1",
    });
    assert.deepEqual(
      environmentFor("onnxruntime", { threads: 3, provider: "cpu" }),
      onnx,
      "sessions take them",
    );
    const { LD_LIBRARY_PATH: _, ...plain } = environmentFor("tensorflow", {});
    assert.deepEqual(plain, {
      MALLOC_ARENA_MAX: "1",
      CUDA_VISIBLE_DEVICES: "0",
      CUDA_CACHE_MAXSIZE: "4294967296",
      NVIDIA_TF32_OVERRIDE: "0",
      ONEDNN_DEFAULT_FPMATH_MODE: "STRICT",
      TF_CPP_MIN_LOG_LEVEL: "2",
      TF_ENABLE_ONEDNN_OPTS: "1",
      TF_FORCE_GPU_ALLOW_GROWTH: "true",
    });
    for (const [options, change] of [
      [{ precision: "float32" }, {}],
      [{ precision: "bfloat16" }, { ONEDNN_DEFAULT_FPMATH_MODE: "BF16" }],
      [{ threads: 3 }, { TF_NUM_INTRAOP_THREADS: "3", OMP_NUM_THREADS: "3" }],
      [{ provider: "cpu" }, { CUDA_VISIBLE_DEVICES: "-1" }],
      [{ provider: "cuda" }, {}],
      [{ tf32: true }, { NVIDIA_TF32_OVERRIDE: "1" }],
    ] as const) {
      const { LD_LIBRARY_PATH: __, ...found } = environmentFor("tensorflow", options);
      assert.deepEqual(found, { ...plain, ...change }, JSON.stringify(options));
    }
  } finally {
    if (visible !== undefined) process.env.CUDA_VISIBLE_DEVICES = visible;
  }
});

test("where its engine has brought CUDA's libraries along, TensorFlow's process finds them", () => {
  const cache = temporaryFolder();
  const engine = join(cache, "made-up");
  const libraries = join(engine, "deps", "nvidia", "cublas", "lib");
  mkdirSync(libraries, { recursive: true });
  writeFileSync(join(engine, "a.node"), "");
  const { platform, arch, env } = process;
  const manifest = { addon: "a.node", installed: "2026-01-01", platform, arch };
  writeFileSync(join(engine, "manifest.json"), JSON.stringify(manifest));
  const before = env.LUVIT_ENGINE_CACHE;
  env.LUVIT_ENGINE_CACHE = cache;
  try {
    const { LD_LIBRARY_PATH: paths } = environmentFor("tensorflow", {});
    if (findTensorflow()?.folder === engine) assert.equal(paths.split(delimiter)[0], libraries);
    assert.equal(environmentFor("onnxruntime", {}).LD_LIBRARY_PATH, undefined);
  } finally {
    if (before === undefined) delete env.LUVIT_ENGINE_CACHE;
    else env.LUVIT_ENGINE_CACHE = before;
  }
});

after(stopEngineProcesses);

test("a process is shared by those who need the same engine and environment, and by nobody else", async () => {
  const starts = () => [
    startEngineProcess("onnxruntime", {}),
    startEngineProcess("tensorflow", { threads: 1 }),
    startEngineProcess("tensorflow", { threads: 2 }),
  ];
  const [first, again] = [starts(), starts()];
  assert.equal(new Set(first).size, 3);
  for (const [i, process] of first.entries()) assert.equal(again[i], process);
  assert.equal(startEngineProcess("onnxruntime", { threads: 2 }), first[0], "its environment is the same");
  assert.deepEqual(
    engineProcesses().map(({ engine, pid, executors }) => [engine, pid, executors]),
    first.map(({ engine, pid }) => [engine, pid, 0]),
  );
  await stopEngineProcesses();
  assert.deepEqual(engineProcesses(), []);
  assert.ok(first.every(({ alive }) => !alive));
  assert.notEqual(startEngineProcess("onnxruntime", {}), first[0]);
});
