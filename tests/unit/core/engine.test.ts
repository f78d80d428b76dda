import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { LuvitError, listOffenders } from "../../../src/core/errors";
import { formatShape, sizeOf } from "../../../src/core/hostTensor";
import { packageRoot, packageVersion } from "../../../src/core/packageRoot";
import { onHost, startBackend, tf } from "../../../src/core/tf";
import { isLuvitError, repository } from "../nn/support";
import { temporaryFolder } from "../train/support";

test("a backend says in one line what it is, and is started once", async () => {
  const status = await startBackend({ backend: "wasm" });
  assert.match(`${status}`, /^tfjs wasm \(.+, 1 thread, SIMD, float32\)$/);
  assert.equal(await startBackend({ backend: "wasm" }), status);
  assert.equal((await startBackend({ backend: "cpu" })).backend, "cpu");
  assert.equal(tf.getBackend(), "cpu");
});

test("a forced backend that cannot start is an error that names the ones there are", async () => {
  const forced = { backend: "abacus" as "cpu" };
  await assert.rejects(startBackend(forced), isLuvitError("engine", "abacus", "tensorflow, wasm, cpu"));
});

test("LUVIT_BACKEND chooses the backend", async () => {
  const script = `require(${JSON.stringify(join(__dirname, "../../../src/core/tf"))}).startBackend().then((s) => console.log(s.backend))`;
  const env = { ...process.env, LUVIT_BACKEND: "cpu" };
  assert.equal(execFileSync(process.execPath, ["-e", script], { env, encoding: "utf8" }).trim(), "cpu");
  process.env.LUVIT_BACKEND = "abacus";
  try {
    assert.equal((await startBackend({ backend: "cpu" })).backend, "cpu", "an option goes before it");
    await assert.rejects(startBackend(), isLuvitError("engine", "abacus"));
  } finally {
    delete process.env.LUVIT_BACKEND;
  }
});

test("tensors survive a change of backend", async () => {
  await startBackend({ backend: "cpu" });
  const x = tf.tensor([1, 2, 3]);
  await startBackend({ backend: "wasm" });
  assert.deepEqual([...tf.add(x, 1).dataSync()], [2, 3, 4]);
});

test("onHost frees what its body made and gives back its result, also undefined", async () => {
  await startBackend();
  const before = tf.memory().numTensors;
  assert.equal(
    onHost(() => tf.sum(tf.ones([3])).dataSync()[0]),
    3,
  );
  assert.equal(
    onHost(() => void tf.ones([3])),
    undefined,
  );
  assert.equal(tf.memory().numTensors, before);
});

test("an error prints as one line with its code, without a stack", () => {
  assert.equal(
    inspect(new LuvitError("bad-file", "x.pth: cut off")),
    "LuvitError [bad-file]: x.pth: cut off",
  );
});

test("a long list of offenders is cut with a count", () => {
  assert.equal(listOffenders(["a", "b", "c"], 2), "  a\n  b\n  … and 1 more");
  assert.equal(listOffenders(["a"]), "  a");
});

test("shapes print and multiply", () => {
  assert.equal(formatShape([2, 3]), "[2, 3]");
  assert.deepEqual([sizeOf([2, 3]), sizeOf([]), sizeOf([4, 0])], [6, 1, 0]);
});

test("the package is the one of its name, not of another package.json on the way", () => {
  const folder = temporaryFolder();
  const inner = join(folder, "build", "core");
  mkdirSync(inner, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"name":"luvit"}');
  writeFileSync(join(folder, "build", "package.json"), '{"name":"other","type":"commonjs"}');
  copyFileSync(require.resolve("../../../src/core/packageRoot"), join(inner, "packageRoot.js"));
  const found = require(join(inner, "packageRoot.js")) as { packageRoot(): string };
  assert.equal(found.packageRoot(), folder);
});

test("the package is found above its own files", () => {
  assert.equal(packageRoot(), repository);
  assert.match(packageVersion(), /^\d+\.\d+\.\d+$/);
});
