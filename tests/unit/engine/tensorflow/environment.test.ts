import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { mock, test } from "node:test";
import { MANIFEST } from "../../../../src/engine/install/cache";
import { findTensorflow, loadTensorflow } from "../../../../src/engine/tensorflow/binding";
import { type applyEnvironment, multipliesBfloat16 } from "../../../../src/engine/tensorflow/environment";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { isLuvitError } from "../../nn/support";

test("a processor multiplies bfloat16 where it says so in one of two ways", () => {
  const fs = createRequire(__filename)("node:fs") as typeof import("node:fs");
  let flags: string | undefined;
  const texts = mock.method(fs, "readFileSync", () => `flags : fpu ${flags} sse\n`);
  const files = mock.method(fs, "existsSync", () => flags !== undefined);
  try {
    const found = ["amx_bf16", "avx512_bf16", "avx512f", "amx_bf16x", undefined].map((given) => {
      flags = given;
      return multipliesBfloat16();
    });
    assert.deepEqual(found, [true, true, false, false, false]);
  } finally {
    texts.mock.restore();
    files.mock.restore();
  }
});

test("an engine of the cache is loaded from its folder, or refused with the first line of the reason", () => {
  const cache = temporaryFolder("engines");
  const { LUVIT_ENGINE_CACHE: before } = process.env;
  process.env.LUVIT_ENGINE_CACHE = cache;
  try {
    const folder = join(cache, "one");
    mkdirSync(folder);
    const { platform, arch } = process;
    const manifest = { addon: "addon.js", bytes: 1, platform, arch, tfjs: "4.22.0", installed: "2026-01-01" };
    writeFileSync(join(folder, MANIFEST), JSON.stringify(manifest));
    writeFileSync(join(folder, "addon.js"), 'throw new Error("a symbol is missing\\nin a library");');
    if (findTensorflow()?.folder !== folder) return; // one in node_modules goes before it
    assert.equal(findTensorflow()!.path, join(folder, "addon.js"));
    assert.throws(
      () => loadTensorflow(),
      (error: Error) =>
        isLuvitError(
          "engine",
          "addon.js does not load: a symbol is missing; npx luvit engine install",
        )(error) && !error.message.includes("in a library"),
    );
    writeFileSync(join(folder, "addon.js"), 'exports.TF_Version = "2.18.1";');
    assert.equal(loadTensorflow().TF_Version, "2.18.1");
  } finally {
    if (before === undefined) delete process.env.LUVIT_ENGINE_CACHE;
    else process.env.LUVIT_ENGINE_CACHE = before;
  }
});

test("what is missing of the environment is set once; what somebody has set stays", () => {
  const names = [
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTRAOP_THREADS",
    "OMP_NUM_THREADS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
  ];
  const before = names.map((name) => [name, process.env[name]] as const);
  const now = () => names.map((name) => process.env[name]);
  // Nobody else in this process is to have applied one.
  const file = require.resolve("../../../../src/engine/tensorflow/environment");
  delete require.cache[file];
  const { applyEnvironment: apply } = require(file) as { applyEnvironment: typeof applyEnvironment };
  try {
    for (const name of names) delete process.env[name];
    process.env.TF_CPP_MIN_LOG_LEVEL = "0";
    process.env.OMP_NUM_THREADS = "7";
    apply({ threads: 3, precision: "bfloat16" });
    assert.deepEqual(now(), ["0", "1", "3", "7", "BF16"]);
    delete process.env.TF_ENABLE_ONEDNN_OPTS;
    apply({ threads: 5, precision: "bfloat16" });
    assert.deepEqual(now(), ["0", undefined, "3", "7", "BF16"]);
    assert.throws(
      () => apply({}),
      isLuvitError(
        "engine",
        'products with ONEDNN_DEFAULT_FPMATH_MODE=BF16, precision "float32" needs STRICT; open it in a process of its own',
      ),
    );
  } finally {
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  }
});
