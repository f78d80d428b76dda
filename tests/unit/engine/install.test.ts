import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { ADDON, TFJS_VERSION } from "../../../src/engine/install/addon";
import { engineName, installedEngines, MANIFEST } from "../../../src/engine/install/cache";
import { installEngine, megabytes, removeEngines } from "../../../src/engine/install/install";
import { installMpi } from "../../../src/engine/install/mpi";
import { findPython } from "../../../src/engine/install/python";
import { assertRejects, temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";
import { plainAddon } from "./plainAddon";

/** Runs `use` with these variables in this process's environment, which is as before afterwards. */
async function withEnvironment<T>(variables: Record<string, string>, use: () => T | Promise<T>): Promise<T> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return await use();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

function written(path: string, content: string, mode = 0o644): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** A Python whose pip has every wheel in version 2.18.0, and which notes what it is asked for. */
const python = (log: string) => `#!/bin/sh
if [ "$1" = -m ]; then
  [ "$3" = --version ] && exit 0
  while [ $# -gt 1 ]; do [ "$1" = --dest ] && dest=$2; shift; done
  echo "download $1" >> ${log}
  : > "$dest/$(echo "$1" | sed 's/[=<>].*//; s/-/_/g')-2.18.0-cp312.whl"
  exit 0
fi
case "$2" in
  *version_info*) echo 3.12; exit 0;;
  *Requires-Dist*) echo "nvidia-one>=1"; echo "nvidia-two"; exit 0;;
esac
wheel=$(basename "$3" .whl); folder=$4; shift 4
[ "$1" = nvidia/ ] && echo "unpack $wheel $*" >> ${log} || echo "unpack $wheel" >> ${log}
if [ "$1" = nvidia/ ]; then
  mkdir -p "$folder/nvidia/$wheel/lib"
  exit 0
fi
mkdir -p "$folder/tensorflow/include/tensorflow/c"
: > "$folder/tensorflow/libtensorflow_cc.so.2"
: > "$folder/tensorflow/libtensorflow_framework.so.2"
`;

const npm = `const fs = require("node:fs"), { execFileSync } = require("node:child_process");
if (process.argv[2] !== "pack") { console.log("ENOTFOUND"); process.exit(1); }
fs.mkdirSync("package");
fs.writeFileSync("package/binding.gyp", "{}");
execFileSync("tar", ["-czf", "tfjs.tgz", "package"]);
fs.rmSync("package", { recursive: true });`;

/** A machine with Python, npm, node-gyp and, where asked for, a GPU; what its Python did is in `did`. */
function machine(gpu = false) {
  const place = temporaryFolder();
  const [log, cache] = [join(place, "log"), join(place, "cache")];
  const addonFile = written(join(place, "addon.js"), plainAddon(gpu));
  const nodeGyp = `const fs = require("node:fs");
const path = process.argv.find((word) => word.startsWith("--module_path=")).slice(14);
fs.mkdirSync(path, { recursive: true });
fs.copyFileSync(${JSON.stringify(addonFile)}, path + "/tfjs_binding.node");`;
  written(join(place, "node_modules", "node-gyp", "bin", "node-gyp.js"), nodeGyp);
  const plain = `const { _extensions } = require("node:module"); _extensions[".node"] = _extensions[".js"];`;
  const tool = written(join(place, "bin", "nvidia-smi"), "#!/bin/sh\necho '0, A100, 8.0'\n", 0o755);
  const environment = {
    LUVIT_ENGINE_CACHE: cache,
    PYTHON: written(join(place, "python"), python(log), 0o755),
    npm_execpath: written(join(place, "bin", "npm-cli.js"), npm),
    NODE_OPTIONS: `--require ${written(join(place, "plain.cjs"), plain)}`,
    PATH: `${dirname(tool)}:${process.env.PATH}`,
  };
  return {
    cache,
    did: () => readFileSync(log, "utf8").trim().split("\n"),
    within: <T>(use: () => T | Promise<T>) => withEnvironment(environment, use),
  };
}

const { platform, arch } = process;
const skip = platform === "linux" ? false : "engines are built on Linux";

describe("an engine is installed", { skip }, () => {
  test("from pip's wheel of the version asked for: in the place of the one of its name, told stage by stage", async () => {
    const { cache, did, within } = machine();
    const name = `tensorflow-cpu-2.18.1-${platform}-${arch}`;
    written(join(cache, name, "old"), "");
    const lines: string[] = [];
    const report = (line: string) => void lines.push(line);
    const installed = await within(() => installEngine({ tensorflow: "2.18.0", report }));
    const wheel = arch === "x64" ? "tensorflow-cpu" : "tensorflow";
    const file = `${wheel.replace("-", "_")}-2.18.0-cp312`;
    assert.deepEqual(did(), [`download ${wheel}==2.18.0`, `unpack ${file}`]);
    const folder = join(cache, name);
    const { installed: when, bytes, ...rest } = installed;
    const facts = { variant: "cpu", tensorflow: "2.18.1", tfjs: TFJS_VERSION, platform, arch, addon: ADDON };
    assert.deepEqual(rest, { ...facts, name, folder });
    assert.equal(new Date(when).toISOString(), when);
    assert.equal(bytes, statSync(join(folder, ADDON)).size, "links are not counted twice");
    assert.deepEqual(JSON.parse(readFileSync(join(folder, MANIFEST), "utf8")), {
      ...facts,
      installed: when,
      bytes,
    });
    assert.deepEqual(readdirSync(folder).sort(), ["deps", "lib", MANIFEST]);
    assert.deepEqual(readdirSync(cache), [name], "nothing is left beside it");
    assert.deepEqual(
      lines.map((line) => /^\w+/.exec(line)![0]),
      ["downloading", "unpacking", "fetching", "compiling", "loading", "TensorFlow"],
    );
    assert.match(lines[1], new RegExp(`^unpacking ${wheel} 2\\.18\\.0 \\(0 MB\\)$`));
    assert.match(lines[5], /^TensorFlow 2\.18\.1, on the CPU, error \d\.\de-\d$/);
    assert.deepEqual(await within(() => installedEngines()), [installed]);
  });

  test("with CUDA's libraries, as the wheel asks for them, where it is for a GPU; the GPU is named", async () => {
    const { cache, did, within } = machine(true);
    const lines: string[] = [];
    const report = (line: string) => void lines.push(line);
    const { name, variant } = await within(() => installEngine({ variant: "cuda", report }));
    assert.deepEqual([name, variant], [`tensorflow-cuda-2.18.1-${platform}-${arch}`, "cuda"]);
    assert.deepEqual(did(), [
      "download tensorflow",
      "unpack tensorflow-2.18.0-cp312",
      ...["one", "two"].flatMap((part) => [
        `download nvidia-${part}${part === "one" ? ">=1" : ""}`,
        `unpack nvidia_${part}-2.18.0-cp312 nvidia/`,
      ]),
    ]);
    assert.ok(lines.includes("downloading nvidia-one>=1 with pip"));
    assert.match(lines.at(-1)!, /, on A100, error/);
    const libraries = readdirSync(join(cache, name, "deps", "nvidia")).sort();
    assert.deepEqual(libraries, ["nvidia_one-2.18.0-cp312", "nvidia_two-2.18.0-cp312"]);
  });

  test("or not at all: where it fails the cache is as it was", async () => {
    const { cache, within } = machine();
    written(join(cache, "own", "file"), "");
    await within(() => assertRejects(() => installEngine({ variant: "stock" }), "engine", "was refused"));
    assert.deepEqual(readdirSync(cache), ["own"]);
  });
});

test("engines are removed by name or all, of other machines too; a name that is none removes nothing", async () => {
  const cache = temporaryFolder();
  const engine = (name: string, of: string) => {
    const manifest = { addon: "a.node", installed: "2026-01-01", platform: of, arch };
    written(join(cache, name, MANIFEST), JSON.stringify(manifest));
    written(join(cache, name, "a.node"), "");
  };
  engine("here", platform);
  engine("there", "plan9");
  engine("other", platform);
  written(join(cache, "no manifest", "a.node"), "");
  await withEnvironment({ LUVIT_ENGINE_CACHE: cache }, () => {
    const there = () => readdirSync(cache).sort();
    assert.throws(
      () => removeEngines(["here", "nowhere"]),
      isLuvitError("bad-argument", `engine remove: no nowhere in ${cache}; there: `),
    );
    assert.deepEqual(there(), ["here", "no manifest", "other", "there"]);
    assert.deepEqual(removeEngines([]), []);
    assert.deepEqual(removeEngines(["there"]), ["there"]);
    assert.deepEqual(removeEngines().sort(), ["here", "other"]);
    assert.deepEqual(there(), ["no manifest"]);
    assert.throws(() => removeEngines(["here"]), isLuvitError("bad-argument", "there: none"));
  });
});

test("an engine's manifest counts where it names the addon and its day, both texts", async () => {
  const cache = temporaryFolder();
  const good = { addon: "a.node", installed: "2026-01-01", platform, arch };
  const manifests = {
    good,
    "no addon": { ...good, addon: undefined },
    "no day": { ...good, installed: 2026 },
    "another processor": { ...good, arch: "vax" },
    nothing: null,
  };
  for (const [name, manifest] of Object.entries(manifests)) {
    written(join(cache, name, MANIFEST), JSON.stringify(manifest));
    written(join(cache, name, "a.node"), "");
  }
  written(join(cache, "not JSON", MANIFEST), "{");
  await withEnvironment({ LUVIT_ENGINE_CACHE: cache }, () => {
    assert.deepEqual(
      installedEngines().map(({ name }) => name),
      ["good"],
    );
    const all = installedEngines({ here: false });
    assert.deepEqual(all.map(({ name }) => name).sort(), ["another processor", "good"]);
    assert.equal(all[0].folder, join(cache, all[0].name));
  });
  const none = join(cache, "none");
  await withEnvironment({ LUVIT_ENGINE_CACHE: none }, () => assert.deepEqual(installedEngines(), []));
  assert.ok(!existsSync(none), "looking makes no folder");
});

test("an engine's name says what it is for; megabytes are millions of bytes, rounded", () => {
  const facts = { variant: "stock", tensorflow: "2.9.1", platform: "win32", arch: "x64" } as never;
  assert.equal(engineName(facts), "tensorflow-stock-2.9.1-win32-x64");
  assert.deepEqual([0, 499_999, 500_000, 1_499_999, 2e9].map(megabytes), [
    "0 MB",
    "0 MB",
    "1 MB",
    "1 MB",
    "2000 MB",
  ]);
});

test("Python is what PYTHON names, else python3, else python; the first that has pip, with its version", async () => {
  const folder = temporaryFolder();
  const script = (version: string, pip: number) =>
    `#!/bin/sh\nif [ "$1" = -m ]; then exit ${pip}; fi\necho ${version}\n`;
  const own = written(join(folder, "own"), script("3.9", 0), 0o755);
  written(join(folder, "python3"), script("3.11", 1), 0o755);
  written(join(folder, "python"), script("3.10", 0), 0o755);
  const PATH = `${folder}:/bin:/usr/bin`;
  await withEnvironment({ PATH, PYTHON: "" }, async () => {
    assert.deepEqual(await findPython(), { command: "python", args: [], version: "3.10" });
    written(join(folder, "python"), script("3.10", 1), 0o755);
    await assertRejects(findPython, "engine", "(python3 3.11: has no pip; python 3.10: has no pip)");
  });
  await withEnvironment({ PATH, PYTHON: own }, async () =>
    assert.deepEqual(await findPython(), { command: own, args: [], version: "3.9" }),
  );
});

test("MPI's addon takes its place when it has summed over two processes; else what was there stays, and it is said why", async () => {
  const place = temporaryFolder();
  const [cache, log] = [join(place, "cache"), join(place, "log")];
  const compiler = written(
    join(place, "mpicxx"),
    `#!/bin/sh\necho "compile $*" >> ${log}\nwhile [ $# -gt 0 ]; do [ "$1" = -o ] && echo built > "$2"; shift; done\n`,
    0o755,
  );
  const launcher = (name: string, line: string, status = 0) =>
    written(
      join(place, name),
      `#!/bin/sh\necho "launch $1 $2 $(basename $4) $OMPI_ALLOW_RUN_AS_ROOT $OMPI_ALLOW_RUN_AS_ROOT_CONFIRM $OMPI_MCA_rmaps_base_oversubscribe" >> ${log}\necho '${line}'\nexit ${status}\n`,
      0o755,
    );
  const install = (MPICXX: string, MPIEXEC: string, report?: (line: string) => void) =>
    withEnvironment({ LUVIT_ENGINE_CACHE: cache, MPICXX, MPIEXEC }, () => installMpi(report));
  const path = join(cache, `mpi-${platform}-${arch}`, "mpi.node");
  const lines: string[] = [];
  const good = launcher("mpirun", "summed over 2 with Open MPI 4.1.4");
  const installed = await install(compiler, good, (line) => void lines.push(line));
  assert.deepEqual(installed, { path, mpi: "Open MPI 4.1.4", workers: 2 });
  assert.deepEqual(lines, [`compiling with ${compiler}`, `summing over two processes with ${good}`]);
  assert.equal(readFileSync(path, "utf8"), "built\n");
  const [compiled, launched] = readFileSync(log, "utf8").trim().split("\n");
  assert.match(compiled, /^compile -std=c\+\+17 -O3 -fPIC -shared .*-o \S+mpi\.node \S+mpi\.cc$/);
  assert.equal(launched, "launch -n 2 check.js 1 1 1");
  lines.length = 0;
  const PATH = `${place}:${process.env.PATH}`;
  const unnamed = await withEnvironment({ PATH }, () => install("", "", (line) => void lines.push(line)));
  assert.deepEqual(unnamed, installed, "those of the path, where variables of no text name none");
  assert.deepEqual(lines, ["compiling with mpicxx", "summing over two processes with mpirun"]);
  writeFileSync(path, "before");
  for (const [MPICXX, MPIEXEC, words] of [
    [join(place, "none"), good, "MPI's compiler is not there: on a cluster load its module"],
    [
      written(join(place, "broken"), "#!/bin/sh\necho 'error: x'\nexit 1\n", 0o755),
      good,
      "it could not compile the addon\n  error: x",
    ],
    [
      compiler,
      launcher("failing", "summed over 2 with X", 3),
      "MPI: the addon was built but does not sum\n  summed over 2 with X",
    ],
    [compiler, launcher("silent", "hello"), "MPI: the addon was built but does not sum\n  hello"],
    [compiler, join(place, "no launcher"), "MPI: the addon was built but does not sum"],
  ])
    await assertRejects(() => install(MPICXX, MPIEXEC, (line) => void lines.push(line)), "engine", words);
  assert.deepEqual(
    lines.filter((line) => line.includes("alone")),
    [`${join(place, "no launcher")} is not there: summing over this process alone`],
  );
  assert.equal(readFileSync(path, "utf8"), "before");
  assert.deepEqual(readdirSync(cache), [`mpi-${platform}-${arch}`], "nothing is left beside it");
});
