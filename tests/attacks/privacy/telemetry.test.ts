import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { before, test } from "node:test";
import { engineProcesses, onnxRuntimeProblem } from "../../../src/engine";
import { engineEnvironment } from "../../../src/engine/process/environment";
import { growingProduct, openInProcess, stopProcessesAfterwards } from "../../unit/engine/processSupport";
import { openGraph, withOnnxRuntime } from "../../unit/engine/support";
import { repository } from "../../unit/io/support";
import { temporaryFolder, writeImages } from "../../unit/train/support";

stopProcessesAfterwards();
const folder = temporaryFolder();
const child = join(__dirname, "telemetryChild.js");
const cli = join(repository, "build", "src", "cli.js");

const hasTools =
  spawnSync("unshare", ["-rn", "true"]).status === 0 && spawnSync("strace", ["-V"]).status === 0;
const reason = onnxRuntimeProblem() ?? (hasTools ? undefined : "needs unshare -rn and strace");
if (reason) console.log(`SKIPPED: that onnxruntime sends nothing: ${reason}`);
const watched = { skip: reason ?? false, concurrency: true };

/** What a process without a network, with nothing of the user's, did and left behind. */
interface Seen {
  status: number | null;
  output: string;
  /** Calls that go to the network, name servers among it. */
  calls: string[];
  /** Files in its home, its cache and its temporary folder. */
  files: string[];
}

async function watch(name: string, words: readonly string[]): Promise<Seen> {
  const own = join(folder, name);
  const places = { HOME: "home", XDG_CACHE_HOME: "cache", TMPDIR: "temporary" };
  const env: NodeJS.ProcessEnv = { PATH: process.env.PATH };
  for (const [variable, place] of Object.entries(places)) {
    env[variable] = join(own, place);
    mkdirSync(env[variable]!, { recursive: true });
  }
  const log = join(folder, `${name}.strace`);
  const traced = ["-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", log, process.execPath];
  const running = spawn("unshare", ["-rn", "strace", ...traced, ...words], { env });
  let output = "";
  for (const stream of [running.stdout, running.stderr])
    stream.on("data", (text: Buffer) => {
      output += text;
    });
  const status = await new Promise<number | null>((resolve) => running.on("close", resolve));
  const calls = readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => /sa_family=AF_INET6?\b/.test(line));
  const files = readdirSync(own, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(own, join(entry.parentPath ?? entry.path, entry.name)));
  return { status, output, calls, files };
}

before(async () => {
  if (!reason) await writeImages(join(folder, "images"));
});

function pretraining(): string {
  const file = join(folder, "pretrain.json");
  const vit = { imageSize: 16, patchSize: 8, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };
  const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
  const config = {
    model: { encoder: vit, decoder },
    data: { train: { path: "images" } },
    recipe: "pretrainToy",
    options: { batchSize: 4, accumulate: 1, lr: 1e-2, warmupEpochs: 1, epochs: 2 },
    engine: { engine: "onnxruntime" },
    out: "run",
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

/** The quickstart in a folder of its own, beside the data that it names: what it writes is taken away with the rest. */
function quickstart(): string {
  const notebooks = join(folder, "notebooks");
  mkdirSync(notebooks);
  symlinkSync(join(repository, "data"), join(folder, "data"));
  const name = "00-quickstart.ipynb";
  copyFileSync(join(repository, "notebooks", name), join(notebooks, name));
  return join(notebooks, name);
}

/** Opens a graph of no nodes in a worker thread of a process that has not loaded the library. */
const inWorker = `new (require("node:worker_threads").Worker)(${JSON.stringify(`
  const { openOnnxEngine } = require(${JSON.stringify(join(repository, "build", "src", "engine"))});
  const graph = { name: "empty", inputs: [], state: [], constants: [], nodes: [], outputs: [] };
  openOnnxEngine({ empty: { graph } }).then(() => console.log("opened"), (error) => console.log(error.message));
`)}, { eval: true })`;

test("nothing that runs onnxruntime sends anything or leaves anything of it behind", watched, async (t) => {
  const { skip } = watched;
  await Promise.all([
    t.test("the library by itself does, and is seen doing it", { skip }, async () => {
      const { output, calls, files } = await watch("bare", [child, "bare"]);
      assert.ok(
        files.some((file) => file.endsWith("deviceid")),
        `${output}${files}`,
      );
      assert.ok(
        files.some((file) => file.endsWith("onnxruntime.db")),
        `${files}`,
      );
      assert.notDeepEqual(calls, []);
    }),
    ...["session", "training"].map((what) =>
      t.test(what, { skip }, async () => {
        const seen = await watch(what, [child, what, join(folder, "images")]);
        assert.equal(seen.status, 0, seen.output);
        if (what === "training") assert.match(seen.output, /^onnxruntime cpu.*one graph$/m);
        assert.deepEqual([seen.calls, seen.files], [[], []]);
      }),
    ),
    t.test("the command line", { skip }, async () => {
      const seen = await watch("command", [cli, "pretrain", "--config", pretraining()]);
      assert.equal(seen.status, 0, seen.output);
      assert.match(seen.output, /onnxruntime cpu/);
      assert.deepEqual([seen.calls, seen.files], [[], []]);
    }),
    t.test("the quickstart, from its first cell to its last", { skip }, async () => {
      const run = ["run", quickstart(), "--out", join(folder, "out"), "-p", "epochs=1"];
      const seen = await watch("quickstart", [cli, ...run]);
      assert.equal(seen.status, 0, seen.output);
      assert.match(seen.output, /done: \d+ of \d+ cells/);
      // Machine code of the kernel's compiler, for the next start, is this library's own.
      const others = seen.files.filter((file) => !file.startsWith(join("cache", "luvit", "code")));
      assert.deepEqual([seen.calls, others], [[], []]);
    }),
    t.test("a worker thread, which cannot turn it off, refuses", { skip }, async () => {
      const seen = await watch("worker", ["-e", inWorker]);
      assert.match(
        seen.output,
        /onnxruntime in a worker thread would send telemetry.*ORT_DISABLE_TELEMETRY=1/,
      );
      assert.deepEqual([seen.calls, seen.files], [[], []]);
    }),
  ]);
});

test(
  "the engine process gets what its libraries need of the environment, and no tokens",
  withOnnxRuntime,
  async () => {
    const secrets = [
      "HF_TOKEN",
      "AWS_SECRET_ACCESS_KEY",
      "NPM_CONFIG__AUTH",
      "GITHUB_TOKEN",
      "JUPYTER_TOKEN",
    ];
    for (const name of secrets) process.env[name] = "secret";
    try {
      const executor = await openGraph(growingProduct(), {}, { threads: 1, open: openInProcess });
      const text = readFileSync(`/proc/${engineProcesses()[0].pid}/environ`, "utf8");
      await executor.dispose();
      assert.doesNotMatch(text, /secret/);
      assert.match(text, /(^|\0)ORT_DISABLE_TELEMETRY=1\0/);
      assert.match(text, /(^|\0)PATH=/);
    } finally {
      for (const name of secrets) delete process.env[name];
    }
  },
);

test("settings of the loader, thread pools, GPUs and engines reach the engine process", () => {
  const needed = {
    LD_LIBRARY_PATH: "/cuda",
    OMP_NUM_THREADS: "2",
    CUDA_VISIBLE_DEVICES: "1",
    NODE_OPTIONS: "--no-warnings",
    XDG_CACHE_HOME: "/cache",
    Path: "C:\\",
    SystemRoot: "C:\\Windows",
  };
  assert.deepEqual(engineEnvironment({ ...needed, HF_TOKEN: "x", HTTPS_PROXY: "http://u:p@host" }), needed);
});
