import assert from "node:assert/strict";
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import type { FilePlace, HostTensor, StateDict } from "../../../src/core/hostTensor";
import { startBackend } from "../../../src/core/tf";
import { loadState } from "../../../src/engine/process/loadState";
import { openCheckpoint } from "../../../src/io/checkpoint";
import { writeSafetensors } from "../../../src/io/safetensors";
import { sendParameters } from "../../../src/nn/modelState";
import { Parameter } from "../../../src/nn/parameter";
import { temporaryFolder } from "../io/support";
import { growingProduct, openInProcess, stopProcessesAfterwards } from "./processSupport";
import { openGraph, withOnnxRuntime } from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));
stopProcessesAfterwards();

const values = Float32Array.of(0.5, -3, 1024, 2 ** -14);

async function inFile(dtype: "F32" | "F16" | "BF16"): Promise<{ path: string; tensor: HostTensor }> {
  const path = join(temporaryFolder(), "w.safetensors");
  const tensors: StateDict = new Map([
    ["before", { shape: [3], data: new Float32Array(3) }],
    ["w", { shape: [4], data: values }],
  ]);
  await writeSafetensors(path, tensors, { dtype });
  const file = await openCheckpoint(path);
  const tensor = (await file.readTensors(["w"])).get("w")!;
  await file.close();
  return { path, tensor };
}

const opened = () => openGraph(growingProduct(), { w: new Float32Array(4) }, { open: openInProcess });

for (const dtype of ["F32", "F16", "BF16"] as const) {
  test(`${dtype}: an engine process reads entries from their file itself`, withOnnxRuntime, async () => {
    const { tensor } = await inFile(dtype);
    const executor = await opened();
    const { process: before } = executor.traffic;
    assert.deepEqual(await executor.loadState!(new Map([["w", tensor.place!()!]])), []);
    assert.equal(executor.traffic.process, before);
    assert.deepEqual((await executor.readState(["w"])).w, values);
    await executor.dispose();
  });
}

test(
  "a system that reads less than it was asked for is asked for the rest, at its place",
  withOnnxRuntime,
  async (t) => {
    const { tensor } = await inFile("F32");
    const executor = await openGraph(growingProduct(), { w: new Float32Array(4) }, { threads: 1 });
    const handle = await open(__filename);
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    const read = prototype.read as unknown as (
      ...asked: [Uint8Array, number, number, number]
    ) => Promise<unknown>;
    const asked: number[] = [];
    t.mock.method(
      prototype,
      "read",
      function (this: FileHandle, into: Uint8Array, at: number, count: number, from: number) {
        asked.push(count);
        return read.call(this, into, at, Math.min(count, 5), from);
      },
    );
    assert.deepEqual(await loadState(executor, [["w", tensor.place!()!]]), []);
    assert.deepEqual(asked, [16, 11, 6, 1]);
    assert.deepEqual((await executor.readState(["w"])).w, values);
    await executor.dispose();
  },
);

const changes: Record<string, (path: string) => void> = {
  "is gone": (path) => rmSync(path),
  "was written into": (path) => writeFileSync(path, Buffer.alloc(1000)),
  "gave way to another": (path) => {
    writeFileSync(`${path}.new`, Buffer.alloc(1000));
    renameSync(`${path}.new`, path);
  },
};
for (const [what, change] of Object.entries(changes)) {
  test(`of a file that ${what} nothing is taken, and what is here goes over`, withOnnxRuntime, async () => {
    const { path, tensor } = await inFile("F32");
    const place = tensor.place!()!;
    change(path);
    const executor = await opened();
    assert.deepEqual(await executor.loadState!(new Map([["w", place]])), ["w"]);
    assert.deepEqual((await executor.readState(["w"])).w, new Float32Array(4));
    const parameter = new Parameter([4], () => {}, 0);
    parameter.load({ shape: [4], data: values, place: () => place });
    await sendParameters(executor, [["w", parameter]]);
    assert.deepEqual((await executor.readState(["w"])).w, values);
    await executor.dispose();
  });
}

test("numbers that somebody has, or that are in use, are in no file", async () => {
  const { tensor } = await inFile("F32");
  const parameter = new Parameter([4], () => {}, 0);
  parameter.load(tensor);
  const place = parameter.place() as FilePlace;
  assert.deepEqual([place.dtype, place.end - place.start], ["F32", 16]);
  assert.equal(parameter.value.size, 4);
  assert.equal(parameter.place(), undefined);
  assert.equal(tensor.data.length, 4);
  assert.equal(tensor.place!(), undefined);
});

test("what does not fit its entry is refused", withOnnxRuntime, async () => {
  const { tensor } = await inFile("F32");
  const executor = await openGraph(growingProduct(5), { w: new Float32Array(5) }, { open: openInProcess });
  const loading = executor.loadState!(new Map([["w", tensor.place!()!]]));
  await assert.rejects(loading, /w: 4 numbers, expected 5/);
  await executor.dispose();
});

const openFiles = () => readdirSync("/proc/self/fd").length;
const linuxOnly = { skip: existsSync("/proc/self/fd") ? false : "needs /proc" };

test(
  "files are closed again, also where the state is refused or a file is no longer as it was",
  linuxOnly,
  async () => {
    const { path, tensor } = await inFile("F32");
    const place = tensor.place!()!;
    const short = { ...place, start: place.end - 8, end: place.end + 8 };
    const given: Record<string, Float32Array> = {};
    const engine = (failure?: Error) =>
      ({
        writeState: async (state: object) => {
          if (failure) throw failure;
          Object.assign(given, state);
        },
      }) as never;
    const before = openFiles();
    const gone = { ...place, path: `${path}.gone` };
    const changed = { ...place, identity: "another" };
    const left = await loadState(engine(), [
      ["gone", gone],
      ["changed", changed],
    ]);
    assert.deepEqual(left, ["gone", "changed"]);
    assert.deepEqual(
      await loadState(engine(), [
        ["short", short],
        ["w", place],
        ["again", place],
      ]),
      ["short"],
    );
    assert.deepEqual(given, { w: values, again: values });
    await assert.rejects(loadState(engine(new Error("refused")), [["w", place]]), /refused/);
    assert.equal(openFiles(), before);
  },
);
