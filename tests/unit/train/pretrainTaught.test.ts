import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { mae } from "../../../src/models";
import { pretrain } from "../../../src/train/pretrain";
import {
  assertSameBits,
  assertSameCheckpoint,
  assertThrows,
  images,
  losses,
  pretraining,
  stopAfter,
  temporaryFolder,
  tinyDecoder,
  tinyMae,
  tinyViT,
} from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

const patches = { ...tinyViT, patchSize: 4 };
const student = (seed = 0) => mae.create({ encoder: patches, decoder: tinyDecoder, seed });
const teacher = (seed = 3) =>
  mae.create({ encoder: { ...patches, dim: 24, depth: 3 }, decoder: tinyDecoder, seed });
const features = [{ teacher: "blocks.2", student: "blocks.1", loss: "l1", normalize: "unit" }] as const;

test("pretraining with a teacher goes on bit for bit, and leaves the teacher as it is", async () => {
  const set = await images();
  const folder = temporaryFolder();
  const theirs = teacher();
  const before = await theirs.stateDict();
  const start = (out: string, resume = false) =>
    pretrain(student(), set, { ...pretraining, distill: { teacher: theirs, features }, out, resume });
  const whole = await start(join(folder, "whole")).done;
  await stopAfter(start(join(folder, "stopped")), 2);
  const rest = await start(join(folder, "stopped"), true).done;
  assert.deepEqual(losses(rest.history), losses(whole.history));
  await assertSameCheckpoint(rest.checkpoint, whole.checkpoint);
  assertSameBits(await theirs.stateDict(), before);
  assertSameBits(await (await mae.open(join(folder, "whole"))).stateDict(), await rest.model.stateDict());
});

test("a weight of 0 is plain pretraining to the bit, another one is not", async () => {
  const set = await images();
  const run = async (weight?: number) => {
    const distill = { teacher: teacher(), features: [{ ...features[0], weight }] };
    const more = weight === undefined ? {} : { distill };
    return losses((await pretrain(student(), set, { ...pretraining, ...more, out: false }).done).history);
  };
  const alone = await run();
  assert.deepEqual(await run(0), alone);
  assert.notDeepEqual(await run(1), alone);
});

test("layers that are not there and other patches are refused", async () => {
  const set = await images();
  const go = (theirs: ReturnType<typeof teacher>, layer: string) => () => {
    const distill = { teacher: theirs, features: [{ teacher: layer, student: "blocks.1" }] };
    return pretrain(student(), set, { ...pretraining, distill, out: false });
  };
  const known = /The teacher has .*blocks\.0, .*blocks\.1, .*blocks\.2/;
  assertThrows(go(teacher(), "blocks.5"), "bad-argument", "no layer blocks.5", known);
  assertThrows(go(tinyMae(), "blocks.1"), "bad-argument", "in patches of 8", "in patches of 4");
});

test("a share of patches that is no whole number is cut down, as masking does it", async () => {
  const set = await images();
  // 16 patches, of which 4.8 would be seen.
  const model = mae.create({ encoder: patches, decoder: tinyDecoder, maskRatio: 0.7 });
  const options = {
    ...pretraining,
    epochs: 1,
    warmupEpochs: 0,
    distill: { teacher: teacher(), features },
    out: false,
  } as const;
  const { history } = await pretrain(model, set, options).done;
  assert.ok(losses(history).length > 0 && losses(history).every(Number.isFinite));
});
