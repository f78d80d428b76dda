import assert from "node:assert/strict";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { LuvitError } from "../../../../src/core/errors";
import { type StateDict, streamOf, type TensorStream } from "../../../../src/core/hostTensor";
import {
  latestTrainingCheckpoint,
  listTrainingCheckpoints,
  pruneTrainingCheckpoints,
  readTrainingCheckpoint,
  writeTrainingCheckpoint,
} from "../../../../src/io/runs/trainingCheckpoint";
import { assertRejects, assertSameTensors, eighths, temporaryFolder } from "../support";

const model: StateDict = new Map([["cls_token", eighths([1, 1, 8])]]);
const optimizer: StateDict = new Map([["cls_token.m", eighths([1, 1, 8])]]);
const streams = { model: streamOf(model), optimizer: streamOf(optimizer) };
const state = { epoch: 1, rng: { seed: 7 }, losses: [1.5, 0.1] };
const save = (run: string, step: number, more = {}) =>
  writeTrainingCheckpoint(run, step, { ...streams, state: { ...state, ...more } });

test("a checkpoint is read back exactly and leaves no temporaries", async () => {
  const run = join(temporaryFolder(), "runs", "first");
  const folder = await save(run, 100);
  assert.equal(basename(folder), "checkpoint-000100");
  assert.deepEqual(readdirSync(run), ["checkpoint-000100"]);
  assert.deepEqual(readdirSync(folder).sort(), ["model.safetensors", "optimizer.safetensors", "state.json"]);
  const read = await readTrainingCheckpoint(folder);
  assertSameTensors(read.model, model);
  assertSameTensors(read.optimizer, optimizer);
  assert.deepEqual(read.state, state);
  assert.equal(read.step, 100);
});

test("averaged weights and helpers are saved and read with a config and without one, each in its own file", async () => {
  const [average, helpers] = [2, 3].map((side): StateDict => new Map([["cls_token", eighths([1, side, 8])]]));
  for (const config of [undefined, { kind: "vit", depth: 2 }]) {
    const more = { ...(config && { config }), average: streamOf(average), helpers: streamOf(helpers) };
    const folder = await writeTrainingCheckpoint(temporaryFolder(), 7, { ...streams, ...more, state });
    const names = ["average", "helpers", "model", "optimizer"].map((name) => `${name}.safetensors`);
    const all = [...names, "state.json", ...(config ? ["config.json"] : [])];
    assert.deepEqual(readdirSync(folder).sort(), all.sort());
    const read = await readTrainingCheckpoint(folder);
    assert.deepEqual(read.config, config);
    for (const [found, expected] of [
      [read.model, model],
      [read.optimizer, optimizer],
      [read.average!, average],
      [read.helpers!, helpers],
    ])
      assertSameTensors(found, expected);
    await read.close();
  }
});

test("saving a step again replaces it", async () => {
  const run = temporaryFolder();
  await save(run, 5);
  const folder = await save(run, 5, { again: true });
  assert.equal((await readTrainingCheckpoint(folder)).state.again, true);
  assert.deepEqual(readdirSync(run), ["checkpoint-000005"]);
});

test("pruning leaves what this very process is writing", async () => {
  const run = temporaryFolder();
  await save(run, 1);
  const writing = save(run, 2);
  while (!readdirSync(run).some((name) => name.includes(".tmp-"))) await new Promise(setImmediate);
  assert.deepEqual(await pruneTrainingCheckpoints(run, 2), []);
  assert.equal((await readTrainingCheckpoint(await writing)).step, 2);
  assert.deepEqual(readdirSync(run).sort(), ["checkpoint-000001", "checkpoint-000002"]);
});

test("checkpoints are listed by step; temporaries and other folders are not", async () => {
  const run = temporaryFolder();
  for (const step of [1000000, 20, 3]) await save(run, step);
  mkdirSync(join(run, "checkpoint-000099.tmp-1"));
  mkdirSync(join(run, "checkpoint-best"));
  assert.deepEqual(
    (await listTrainingCheckpoints(run)).map(({ step }) => step),
    [3, 20, 1000000],
  );
  assert.deepEqual(await listTrainingCheckpoints(join(run, "none")), []);
});

test("the newest checkpoint is taken, or the one before when it is damaged, with the reason", async () => {
  const run = temporaryFolder();
  assert.equal(await latestTrainingCheckpoint(run), undefined);
  for (const step of [1, 2, 3]) await save(run, step, { at: step });
  assert.deepEqual((await latestTrainingCheckpoint(run))!.notes, []);
  truncateSync(join(run, "checkpoint-000003", "optimizer.safetensors"), 90);
  writeFileSync(join(run, "checkpoint-000002", "state.json"), '{"at": 2');
  const latest = (await latestTrainingCheckpoint(run))!;
  assert.equal(latest.step, 1);
  assert.equal(latest.state.at, 1);
  assert.match(latest.notes[0], /checkpoint-000003.*optimizer\.safetensors/s);
  assert.match(latest.notes[1], /checkpoint-000002.*not JSON/s);
  truncateSync(join(run, "checkpoint-000001", "model.safetensors"), 3);
  await assertRejects(
    () => latestTrainingCheckpoint(run),
    "bad-file",
    "checkpoint-000003",
    "checkpoint-000001",
  );
});

test("what is no fault of a checkpoint's files is not taken for one, and no older one is gone back to", async (t) => {
  const run = temporaryFolder();
  for (const step of [1, 2]) await save(run, step);
  const decode = t.mock.method(TextDecoder.prototype, "decode", () => {
    throw new RangeError("no memory left");
  });
  await assert.rejects(latestTrainingCheckpoint(run), RangeError);
  await assert.rejects(pruneTrainingCheckpoints(run, 1), RangeError);
  decode.mock.restore();
  const { step, notes } = (await latestTrainingCheckpoint(run))!;
  assert.deepEqual([step, notes], [2, []]);
});

test("pruning keeps the newest and removes what dead writers left", async () => {
  const run = temporaryFolder();
  for (const step of [1, 2, 3, 4]) await save(run, step);
  const dead = join(run, "checkpoint-000005.tmp-999999999");
  const namesake = join(run, `checkpoint-000005.tmp-${process.pid}`);
  const alive = join(run, `checkpoint-000006.tmp-${process.ppid}`);
  const log = join(run, "metrics.jsonl.tmp-999999999-0");
  for (const folder of [dead, namesake, alive, log]) mkdirSync(folder);
  const removed = await pruneTrainingCheckpoints(run, 2);
  assert.deepEqual(
    removed.map((folder) => basename(folder)).sort(),
    ["checkpoint-000001", "checkpoint-000002", ...[dead, namesake, log].map((path) => basename(path))].sort(),
  );
  assert.deepEqual(
    (await listTrainingCheckpoints(run)).map(({ step }) => step),
    [3, 4],
  );
  assert.deepEqual(readdirSync(run).sort(), ["checkpoint-000003", "checkpoint-000004", basename(alive)]);
  await assertRejects(() => pruneTrainingCheckpoints(run, 0), "bad-argument");
});

test("a checkpoint that stepped aside for one that never came is still there, and stays until one follows", async () => {
  const run = temporaryFolder();
  await save(run, 5, { first: true });
  const aside = join(run, "checkpoint-000005.old.tmp-999999999");
  renameSync(join(run, "checkpoint-000005"), aside);
  await pruneTrainingCheckpoints(run, 1);
  const { step, folder, state: read } = (await latestTrainingCheckpoint(run))!;
  assert.deepEqual([step, folder, read.first], [5, aside, true]);
  await save(run, 5);
  assert.deepEqual((await latestTrainingCheckpoint(run))!.state, state);
  await pruneTrainingCheckpoints(run, 1);
  assert.deepEqual(readdirSync(run), ["checkpoint-000005"]);
});

test("a failed write leaves the earlier checkpoint and no temporaries", async () => {
  const run = temporaryFolder();
  await save(run, 1);
  const wrong: StateDict = new Map([["w", { shape: [3], data: new Float32Array(2) }]]);
  await assertRejects(
    () => writeTrainingCheckpoint(run, 1, { ...streams, optimizer: streamOf(wrong), state }),
    "shape-mismatch",
    "w:",
  );
  assert.deepEqual(readdirSync(run), ["checkpoint-000001"]);
  assert.deepEqual((await latestTrainingCheckpoint(run))!.state, state);
  await assertRejects(() => save(run, 1.5), "bad-argument", "1.5");
  writeFileSync(join(run, "file"), "");
  await assertRejects(() => save(join(run, "file"), 1), "bad-file");
});

test("pruning counts only checkpoints that can be read, and never deletes the newest of them", async () => {
  const run = temporaryFolder();
  for (const step of [1, 2, 3, 10, 20, 30]) await save(run, step);
  truncateSync(join(run, "checkpoint-000010", "model.safetensors"), 90);
  writeFileSync(join(run, "checkpoint-000020", "state.json"), "{");
  rmSync(join(run, "checkpoint-000030", "optimizer.safetensors"));
  await pruneTrainingCheckpoints(run, 2);
  const steps = async () => (await listTrainingCheckpoints(run)).map(({ step }) => step);
  assert.deepEqual(await steps(), [2, 3, 10, 20, 30]);
  assert.equal((await latestTrainingCheckpoint(run))!.step, 3);
  await save(run, 4);
  await pruneTrainingCheckpoints(run, 1);
  assert.deepEqual(await steps(), [4, 10, 20, 30]);
});

test("a config that is not that of the weights makes a checkpoint unreadable", async () => {
  const run = temporaryFolder();
  const write = (step: number, heads: number) =>
    writeTrainingCheckpoint(run, step, { ...streams, config: { encoder: { heads } }, state });
  await write(1, 2);
  const newer = await write(2, 2);
  assert.deepEqual((await readTrainingCheckpoint(newer)).config, { encoder: { heads: 2 } });
  writeFileSync(join(newer, "config.json"), '{"encoder": {"heads": 4}}');
  await assertRejects(() => readTrainingCheckpoint(newer), "key-mismatch", "encoder.heads: was 2, now 4");
  assert.equal((await latestTrainingCheckpoint(run))!.step, 1);
});

test("a checkpoint whose tensors stop coming, or do not fit, is not there, and the one before it is", async () => {
  const run = temporaryFolder();
  await save(run, 1);
  const died = async () => {
    throw new LuvitError("engine-died", "the engine's process has ended");
  };
  const write = (step: number, part: Partial<TensorStream>) =>
    writeTrainingCheckpoint(run, step, {
      ...streams,
      optimizer: { shapes: new Map([["a", [2]]]), read: died, ...part },
      state,
    });
  await assertRejects(() => write(1, {}), "engine-died");
  await assertRejects(() => write(1, { writeInto: died }), "engine-died");
  for (const count of [0, 1, 3]) {
    const read = async () => ({ a: new Float32Array(count) });
    await assertRejects(() => write(2, { read }), "shape-mismatch", `a: ${count} numbers`);
  }
  assert.deepEqual(readdirSync(run), ["checkpoint-000001"]);
  assert.deepEqual((await latestTrainingCheckpoint(run))!.state, state);
});

test("a checkpoint that was opened is read when it is needed, also when its folder is gone by then", async () => {
  const run = temporaryFolder();
  const opened = await readTrainingCheckpoint(await save(run, 1));
  rmSync(run, { recursive: true });
  assertSameTensors(opened.model, model);
  await opened.close();
  assertSameTensors(opened.model, model); // was read before
  assert.throws(() => opened.optimizer.get("cls_token.m")!.data, /optimizer\.safetensors: was closed/);
});

test("a checkpoint that was written into after it was opened is refused", async () => {
  const folder = await save(temporaryFolder(), 1);
  const opened = await readTrainingCheckpoint(folder);
  const file = join(folder, "model.safetensors");
  const bytes = readFileSync(file);
  await new Promise((resolve) => setTimeout(resolve, 20));
  writeFileSync(file, bytes.fill(0, bytes.length - 4));
  assert.throws(() => opened.model.get("cls_token")!.data, /model\.safetensors: was written into/);
});
