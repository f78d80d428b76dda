import assert from "node:assert/strict";
import fs, { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, mock, test } from "node:test";
import {
  ADDON,
  buildAddon,
  dropBuildFiles,
  explainBuild,
  fetchAddonSources,
  findAddon,
  placeLibraries,
  takeInstalledAddon,
} from "../../../src/engine/install/addon";
import { loaderEnvironment } from "../../../src/engine/install/loader";
import { findNodeGyp, findNpm } from "../../../src/engine/install/npm";
import { installStock } from "../../../src/engine/install/stock";
import { explainNoGpu, verifyAddon } from "../../../src/engine/install/verify";
import { assertRejects, temporaryFolder } from "../io/support";

/** Writes files of a folder, by their paths in it. */
function filled(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .sort();

/** Runs `use` with an npm of our own that does what `script` says, from `cwd` and `words`. */
async function withNpm<T>(script: string, use: () => Promise<T>): Promise<T> {
  const before = process.env.npm_execpath;
  const path = join(temporaryFolder(), "npm-cli.js");
  const head = `const fs = require("node:fs"), { join } = require("node:path"), { execFileSync } = require("node:child_process");
const cwd = process.cwd(), words = process.argv.slice(2);\n`;
  writeFileSync(path, head + script);
  process.env.npm_execpath = path;
  try {
    assert.equal(findNpm(), path);
    return await use();
  } finally {
    if (before === undefined) delete process.env.npm_execpath;
    else process.env.npm_execpath = before;
  }
}

describe("npm", () => {
  test("packs the addon's sources into the engine's folder, where they are unpacked without their first folder", async () => {
    const folder = temporaryFolder();
    const pack = `if (words[0] !== "pack" || words[1] !== "@tensorflow/tfjs-node-gpu@4.22.0") process.exit(1);
fs.mkdirSync(join(cwd, "package"));
fs.writeFileSync(join(cwd, "package", "binding.gyp"), "{}");
execFileSync("tar", ["-czf", "tfjs.tgz", "package"], { cwd });
fs.rmSync(join(cwd, "package"), { recursive: true });`;
    await withNpm(pack, () => fetchAddonSources(folder));
    assert.deepEqual(filesIn(folder), ["binding.gyp"]);
  });

  test("that fails, or packs nothing, is told with what it said", async () => {
    for (const [output, status, reason] of [
      ["npm error code E404", 1, "check the network and npm's registry"],
      ["npm error ENOSPC", 1, "the disk is full"],
      ["npm error something", 1, "npm failed"],
      ["done", 0, "npm failed"],
    ] as const) {
      const script = `console.log(${JSON.stringify(output)}); process.exitCode = ${status};`;
      const fetch = () => withNpm(script, () => fetchAddonSources(temporaryFolder()));
      await assertRejects(fetch, "engine", "@tensorflow/tfjs-node-gpu@4.22.0", reason, output);
    }
  });

  test("fetches node-gyp where it brings none along, into the engine's folder, and runs none of its scripts", async () => {
    const folder = temporaryFolder();
    const script = `fs.writeFileSync(join(cwd, "words"), words.join(" "));`;
    const path = await withNpm(script, () => findNodeGyp(folder));
    assert.equal(path, join(folder, "node_modules", "node-gyp", "bin", "node-gyp.js"));
    const words = readFileSync(join(folder, "words"), "utf8");
    assert.ok(words.startsWith(`install --prefix ${folder} --no-save --ignore-scripts node-gyp `), words);
    const failing = () => withNpm("process.exit(1)", () => findNodeGyp(folder));
    await assertRejects(failing, "engine", "node-gyp", "could not be fetched");
  });

  test("installs the stock package with its script, and only what loading takes is kept", async () => {
    const [work, folder] = [temporaryFolder(), temporaryFolder()];
    const script = `const { private: own, allowScripts } = JSON.parse(fs.readFileSync(join(cwd, "package.json"), "utf8"));
if (!own || !allowScripts["@tensorflow/tfjs-node-gpu"] || !words.includes("--ignore-scripts=false")) process.exit(1);
const folder = join(cwd, "node_modules", "@tensorflow", "tfjs-node-gpu");
for (const path of ["lib/napi-v8/tfjs_binding.node", "deps/lib/libtensorflow.so", "dist/index.js"]) {
  fs.mkdirSync(join(folder, path, ".."), { recursive: true });
  fs.writeFileSync(join(folder, path), path);
}`;
    assert.equal(await withNpm(script, () => installStock(work, folder)), ADDON);
    assert.deepEqual(filesIn(folder), ["deps/lib/libtensorflow.so", "lib/napi-v8/tfjs_binding.node"]);
    for (const [output, reason] of [
      ["getaddrinfo ENOTFOUND storage.googleapis.com", "was refused: check the network"],
      ["node-gyp rebuild failed", "its install script failed"],
    ]) {
      const failing = `console.log(${JSON.stringify(output)}); process.exitCode = 1;`;
      const install = () => withNpm(failing, () => installStock(temporaryFolder(), folder));
      await assertRejects(install, "engine", reason, output);
    }
    const killed = `process.kill(process.pid, "SIGKILL");`;
    for (const [what, install] of Object.entries({
      "its install script failed": () => installStock(temporaryFolder(), folder),
      "npm failed": () => fetchAddonSources(temporaryFolder()),
      "could not be fetched": () => findNodeGyp(temporaryFolder()),
    }))
      await assertRejects(() => withNpm(killed, install as () => Promise<string>), "engine", what, "SIGKILL");
  });
});

describe("the engine's folder", () => {
  test("gets libraries and headers of a wheel under the names the addon's build looks for", () => {
    const [wheel, folder] = [temporaryFolder(), temporaryFolder()];
    assert.throws(
      () => placeLibraries(wheel, folder),
      /has no libtensorflow_cc\.so\.2 and no libtensorflow_fr/,
    );
    filled(join(wheel, "tensorflow"), {
      "libtensorflow_cc.so.2": "cc",
      "libtensorflow_framework.so.2": "framework",
      "include/tensorflow/c/c_api.h": "",
    });
    placeLibraries(wheel, folder);
    assert.ok(existsSync(join(folder, "deps", "include", "tensorflow", "c", "c_api.h")));
    const libraries = join(folder, "deps", "lib");
    const contents = readdirSync(libraries).map((name) => [
      name,
      readFileSync(join(libraries, name), "utf8"),
    ]);
    assert.deepEqual(Object.fromEntries(contents), {
      "libtensorflow.so": "cc",
      "libtensorflow.so.2": "cc",
      "libtensorflow_cc.so.2": "cc",
      "libtensorflow_framework.so": "framework",
      "libtensorflow_framework.so.2": "framework",
    });
    assert.equal(readlinkSync(join(libraries, "libtensorflow.so")), "libtensorflow_cc.so.2");
  });

  test("keeps the addon and its libraries after the build, and neither sources nor headers", () => {
    const kept = { [ADDON]: "", "deps/lib/libtensorflow.so": "" };
    const built = { "build/x.o": "", "binding.gyp": "", "deps/include/tensorflow/c_api.h": "" };
    const folder = filled(temporaryFolder(), { ...kept, ...built });
    dropBuildFiles(folder);
    assert.deepEqual(filesIn(folder), Object.keys(kept).sort());
  });

  test("of several addons the one for the newest Node-API is taken; of none that is said", () => {
    const addon = (version: number) => join("lib", `napi-v${version}`, "tfjs_binding.node");
    const folder = filled(temporaryFolder(), {
      [addon(9)]: "",
      [addon(10)]: "",
      "lib/napi-v11/else": "",
      "lib/other/tfjs_binding.node": "",
    });
    assert.equal(findAddon(folder), addon(10));
    const without = temporaryFolder();
    assert.equal(findAddon(without), undefined);
    assert.throws(() => takeInstalledAddon(without, folder), /was installed but has no addon/);
  });
});

test("the loader is shown the libraries that an engine brings along, before those it was shown already", () => {
  const before = process.env.LD_LIBRARY_PATH;
  const folder = filled(temporaryFolder(), {
    "deps/nvidia/cublas/lib/libcublas.so": "",
    "deps/nvidia/cudnn/lib/libcudnn.so": "",
    "deps/nvidia/nvcc/bin/ptxas": "",
  });
  try {
    process.env.LD_LIBRARY_PATH = "/own";
    const [first, second, ...rest] = loaderEnvironment(folder).LD_LIBRARY_PATH.split(":");
    const own = ["cublas", "cudnn"].map((name) => join(folder, "deps", "nvidia", name, "lib"));
    assert.deepEqual([[first, second].sort(), rest], [own, ["/own"]]);
    process.env.LD_LIBRARY_PATH = "";
    assert.deepEqual(loaderEnvironment(folder).LD_LIBRARY_PATH.split(":").sort(), own, "no empty place");
    assert.deepEqual(loaderEnvironment(temporaryFolder()), {}, "nothing was brought along");
  } finally {
    if (before === undefined) delete process.env.LD_LIBRARY_PATH;
    else process.env.LD_LIBRARY_PATH = before;
  }
});

test("why TensorFlow takes no GPU is told in words, and what it wrote but for the product", () => {
  const gpu = { index: 0, name: "A100", capability: [8, 0] } as const;
  for (const [said, reason] of [
    ["cuInit: CUDA_ERROR_NO_DEVICE", "CUDA finds no device"],
    ["no CUDA-capable device is detected", "CUDA finds no device"],
    ["CUDA driver version is insufficient for CUDA runtime version", "NVIDIA's driver is too old for it"],
    ["CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "NVIDIA's driver is too old for it"],
    ["Could not find cuda drivers on your machine", "NVIDIA's driver (libcuda.so.1) is not found"],
    ["Cannot dlopen some GPU libraries", "CUDA's libraries do not load"],
    ["not compiled for compute capability 5.0", "it is not built for this compute capability"],
    ["something else", "it does not say why"],
  ]) {
    const { code, message } = explainNoGpu(gpu, `${said}\nverified {"gpu":false}\n`);
    const advice = 'it was not installed; use provider "webgpu", or install without --cuda for the processor';
    assert.deepEqual(
      [code, message],
      ["engine", `TensorFlow does not use A100: ${reason}; ${advice}\n  ${said}`],
    );
  }
});

test("an addon is tried in an environment without tokens, TensorFlow silent where there is no GPU", async () => {
  const folder = temporaryFolder();
  const code = `throw new Error(["HF_TOKEN", "TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"]
  .map((name) => process.env[name]).join());`;
  const path = join(filled(folder, { "addon.js": code }), "addon.js");
  Object.assign(process.env, { HF_TOKEN: "hf_secret", OMP_NUM_THREADS: "3" });
  try {
    await assertRejects(() => verifyAddon(path, folder), "engine", "Error: ,2,,3");
    const gpu = { index: 0, name: "A100", capability: [8, 0] } as const;
    await assertRejects(() => verifyAddon(path, folder, gpu), "engine", "Error: ,0,0,3");
  } finally {
    delete process.env.HF_TOKEN;
    delete process.env.OMP_NUM_THREADS;
  }
});

test("why a built addon does not load is told with what to do, and what the loader said", async () => {
  for (const [said, reason] of [
    ["libm.so.6: version `GLIBC_2.38' not found", "C library is older than the wheel needs"],
    ["libstdc++.so.6: version `GLIBCXX_3.4.32' not found", "libstdc++ is older than the wheel needs"],
    ["undefined symbol: TF_NewThing", "C interface lacks something"],
    ["libcudart.so.12: cannot open shared object file", "a library it needs is missing"],
    ["Illegal instruction (core dumped)", "processor lacks instructions"],
    ["std::bad_alloc: Cannot allocate memory", "not enough memory"],
    ["something else", "it failed"],
  ]) {
    const folder = filled(temporaryFolder(), { "addon.js": `throw new Error(${JSON.stringify(said)});` });
    const verify = () => verifyAddon(join(folder, "addon.js"), folder);
    await assertRejects(verify, "engine", reason, said);
  }
});

test("a build that fails for want of a compiler is told so although the headers came over the network", () => {
  const output = "gyp http GET https://nodejs.org/node-headers.tar.gz\nmake: g++: No such file or directory";
  assert.match(explainBuild({ status: 1, output }).message, /there is no C\+\+ compiler/);
  const plain = explainBuild({ status: 1, output: "error: expected ';'" }).message;
  assert.doesNotMatch(plain, /could not be fetched/);
});

describe("the addon is built", () => {
  /** Node's headers of this version lie in /usr, and nowhere else; undefined where there are none. */
  async function withHeaders<T>(version: string | undefined, use: () => Promise<T>): Promise<T> {
    const isHeader = (path: unknown) => `${path}`.endsWith(join("include", "node", "node_version.h"));
    const { existsSync: exists, readFileSync: read } = fs;
    const parts = (version ?? "")
      .split(".")
      .map((part, i) => `#define NODE_${["MAJOR", "MINOR", "PATCH"][i]}_VERSION ${part}`);
    const mocks = [
      mock.method(fs, "existsSync", (path: string) =>
        isHeader(path) ? version !== undefined && path.startsWith(join("/usr", "include")) : exists(path),
      ),
      mock.method(fs, "readFileSync", ((path: string, ...more: []) =>
        isHeader(path) ? parts.join("\n") : read(path, ...more)) as typeof read),
    ];
    try {
      return await use();
    } finally {
      for (const one of mocks) one.mock.restore();
    }
  }

  /** What node-gyp was called with, call by call; it finds no headers unless it is told where they are. */
  async function callsOfNodeGyp(version: string | undefined, python = "python3", args: string[] = []) {
    const [folder, place] = [temporaryFolder(), temporaryFolder()];
    filled(place, {
      "bin/npm-cli.js": "",
      "node_modules/node-gyp/bin/node-gyp.js": `const fs = require("node:fs"), words = process.argv.slice(2);
fs.appendFileSync("calls", JSON.stringify([...words, process.env.npm_config_python ?? ""]) + "\\n");
if (!words.some((word) => word.startsWith("--nodedir"))) { console.log("FetchError: headers"); process.exit(1); }
const path = words.find((word) => word.startsWith("--module_path=")).slice(14);
fs.mkdirSync(path, { recursive: true });
fs.writeFileSync(path + "/tfjs_binding.node", "");`,
    });
    const before = process.env.npm_execpath;
    process.env.npm_execpath = join(place, "bin", "npm-cli.js");
    let problem: unknown;
    try {
      await withHeaders(version, () => buildAddon(folder, { command: python, args, version: "3.12" }));
    } catch (error) {
      problem = error;
    } finally {
      if (before === undefined) delete process.env.npm_execpath;
      else process.env.npm_execpath = before;
    }
    const calls = readFileSync(join(folder, "calls"), "utf8").trim().split("\n");
    return { folder, problem, calls: calls.map((line) => JSON.parse(line) as string[]) };
  }

  const nodedir = (call: string[]) => call.find((word) => word.startsWith("--nodedir"));

  test("with the headers of this Node where the machine has them", async () => {
    const { folder, problem, calls } = await callsOfNodeGyp(process.versions.node, "/own/python");
    assert.equal(problem, undefined);
    assert.deepEqual(calls.map(nodedir), ["--nodedir=/usr"]);
    const module = ["--module_name=tfjs_binding", `--module_path=${dirname(join(folder, ADDON))}`];
    assert.deepEqual(calls[0].slice(0, 4), ["rebuild", ...module, "--napi_build_version=8"]);
    assert.equal(calls[0].at(-1), "/own/python");
  });

  test("with those of another Node where the right ones cannot be fetched", async () => {
    const { problem, calls } = await callsOfNodeGyp("1.2.3");
    assert.equal(problem, undefined);
    assert.deepEqual(calls.map(nodedir), [undefined, "--nodedir=/usr"]);
  });

  test("not at all where there are none, and that is said", async () => {
    const { problem, calls } = await callsOfNodeGyp(undefined, "py", ["-3"]);
    assert.deepEqual(calls.map(nodedir), [undefined]);
    assert.match(`${problem}`, /Node's headers could not be fetched/);
    assert.equal(calls[0].at(-1), "", "node-gyp takes a command alone, without arguments");
  });
});

test("of an addon's builds the one for the newest Node-API is found, by number; folders without one are passed over", () => {
  const folder = temporaryFolder();
  assert.equal(findAddon(folder), undefined);
  filled(folder, {
    "lib/napi-v8/tfjs_binding.node": "",
    "lib/napi-v9/tfjs_binding.node": "",
    "lib/napi-v10/tfjs_binding.node": "",
    "lib/napi-v11/other.node": "",
    "lib/old-napi-v12/tfjs_binding.node": "",
  });
  assert.equal(findAddon(folder), join("lib", "napi-v10", "tfjs_binding.node"));
  const older = { "lib/napi-v8/tfjs_binding.node": "", "lib/napi-v9/tfjs_binding.node": "" };
  assert.equal(findAddon(filled(temporaryFolder(), older)), join("lib", "napi-v9", "tfjs_binding.node"));
  assert.equal(findAddon(filled(temporaryFolder(), { "lib/napi-v3/other.node": "" })), undefined);
});
