import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import type { Place } from "../../../src/core/writeNumbers";
import { type Engine, saveState, stopEngineProcesses } from "../../../src/engine";
import { isLuvitError } from "../nn/support";
import { growingProduct, largeState, openInProcess, stopProcessesAfterwards } from "./processSupport";
import { engines, openGraph, withOnnxRuntime } from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));
stopProcessesAfterwards();

const folder = mkdtempSync(join(tmpdir(), "luvit-save-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "state.tmp-1-2");

/** Writes entries of four numbers each one after the other, behind `gap` bytes. */
async function saved(engine: Engine, names: readonly string[], gap = 12) {
  writeFileSync(file, Buffer.alloc(gap, 7));
  const places = names.map((name, i): [string, Place] => {
    const start = gap + 16 * i;
    return [name, { start, end: start + 16 }];
  });
  const broken = await saveState(engine, file, new Map(places));
  const bytes = readFileSync(file);
  const numbers = [
    ...new Float32Array(bytes.buffer.slice(bytes.byteOffset + gap, bytes.byteOffset + bytes.length)),
  ];
  return { broken, numbers, before: bytes.subarray(0, gap) };
}

const inProcess = { engine: "engine process", open: openInProcess, options: withOnnxRuntime };
for (const { engine, open, options } of [...engines, inProcess]) {
  test(
    `${engine}: state is written into a file at its place, and what is not finite is named`,
    options,
    async () => {
      const executor = await openGraph(growingProduct(), { w: Float32Array.of(1, 2, 3, 4) }, { open });
      await executor.run("step", { x: Float32Array.of(1, 1, 1, 1) });
      const good = await saved(executor, ["w"]);
      assert.deepEqual([good.broken, good.numbers], [[], [2, 4, 6, 8]]);
      assert.deepEqual(good.before, Buffer.alloc(12, 7), "what stood before it is still there");
      await executor.run("step", { x: Float32Array.of(1, Number.NaN, Number.NEGATIVE_INFINITY, 1) });
      const bad = await saved(executor, ["w"]);
      assert.deepEqual([bad.broken, bad.numbers], [["w"], [4, Number.NaN, Number.NEGATIVE_INFINITY, 16]]);
      await assert.rejects(saved(executor, ["v"]), isLuvitError("bad-argument", "v"));
      await executor.dispose();
    },
  );
}

test("a file that cannot be written is named as it was to become", async () => {
  const executor = await openGraph(
    growingProduct(),
    { w: new Float32Array(4) },
    { open: engines.at(-1)!.open },
  );
  const places = new Map([["w", { start: 0, end: 16 }]]);
  const missing = join(folder, "none", "state.tmp-1-2");
  await assert.rejects(
    saveState(executor, missing, places),
    isLuvitError("bad-file", join("none", "state: cannot")),
  );
  await executor.dispose();
});

test("a full disk ends a save of the engine process in the same words", withOnnxRuntime, async (t) => {
  const executor = await openGraph(growingProduct(), { w: new Float32Array(4) }, { open: openInProcess });
  const places = new Map([["w", { start: 0, end: 16 }]]);
  const full = "/dev/full";
  if (!existsSync(full)) return t.skip("NOT CHECKED: there is no /dev/full");
  const text = "/dev/full: cannot be written (ENOSPC";
  await assert.rejects(saveState(executor, full, places), isLuvitError("bad-file", text));
  await executor.dispose();
});

test("what the engine process writes never comes to this one", withOnnxRuntime, async () => {
  const graph = largeState(4, 16);
  const executor = await openGraph(graph, {}, { open: openInProcess });
  for (const { name } of graph.state)
    await executor.writeState({ [name]: new Float32Array(2 ** 22).fill(3) });
  writeFileSync(file, "");
  const places = graph.state.map(({ name }, i): [string, Place] => [
    name,
    { start: i * 2 ** 24, end: (i + 1) * 2 ** 24 },
  ]);
  const before = process.memoryUsage().arrayBuffers;
  assert.deepEqual(await saveState(executor, file, new Map(places)), []);
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 2 ** 24, `grew by ${grown} bytes`);
  const bytes = readFileSync(file);
  assert.ok(new Float32Array(bytes.buffer, bytes.byteOffset, 2 ** 24).every((x) => x === 3));
  await executor.dispose();
  await stopEngineProcesses();
});
