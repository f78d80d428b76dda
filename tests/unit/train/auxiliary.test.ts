import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import * as transforms from "../../../src/data/transforms";
import { readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { baselines, classifier, fusion } from "../../../src/models";
import { llama7b } from "../../../src/models/llamaConfig";
import * as lora from "../../../src/models/lora";
import { type AuxiliaryOptions, auxiliary } from "../../../src/train/auxiliary";
import { finetune } from "../../../src/train/finetune";
import {
  assertRejects,
  assertSameBits,
  assertSameCheckpoint,
  assertThrows,
  finetuning,
  images,
  losses,
  stopAfter,
  temporaryFolder,
  tinyClassifier,
  tinyViT,
} from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

function block(seed = 0) {
  const made = baselines.randomBlock({ ...llama7b, dim: 24, heads: 2, hiddenDim: 32 }, { seed });
  lora.attach(made, { rank: 2 });
  return made;
}

const options = (seed = 0): AuxiliaryOptions => ({ ...finetuning, branch: block(seed) });

test("an auxiliary run stopped in the middle goes on bit for bit, and leaves the plain exit alone", async () => {
  const set = await images(transforms.finetune);
  const folder = temporaryFolder();
  const start = (out: string, resume = false) =>
    auxiliary(tinyClassifier(), set, { ...options(), out, resume });
  const whole = await start(join(folder, "whole")).done;
  await stopAfter(start(join(folder, "stopped")), 2);
  const rest = await start(join(folder, "stopped"), true).done;
  assert.deepEqual(losses(rest.history), losses(whole.history));
  await assertSameCheckpoint(rest.checkpoint, whole.checkpoint);
  const { helpers } = await readTrainingCheckpoint(rest.checkpoint!);
  assert.ok(helpers!.has("auxiliary.head.weight") && helpers!.has("auxiliary.llama_dim_mapper1.weight"));
  const opened = await classifier.open(join(folder, "whole"));
  assert.deepEqual([...(await opened.stateDict()).keys()], [...(await tinyClassifier().stateDict()).keys()]);
  assertSameBits(await opened.stateDict(), await whole.model.stateDict());
});

test("the block stays as it is, its LoRA and mappers are trained, and so is the trunk through them", async () => {
  const set = await images();
  const made = block();
  const frozen = new Map([...(await made.stateDict())].filter(([path]) => !path.includes("lora_")));
  const adapters = await made.stateDict();
  const model = tinyClassifier();
  await auxiliary(model, set, { ...finetuning, branch: made, out: false }).done;
  const after = await made.stateDict();
  assertSameBits(new Map([...after].filter(([path]) => !path.includes("lora_"))), frozen);
  const changed = [...after].filter(([path, { data }]) =>
    adapters.get(path)!.data.some((x, i) => x !== data[i]),
  );
  assert.ok(changed.some(([path]) => path.includes("lora_B")));
  const alone = tinyClassifier();
  await finetune(alone, set, { ...finetuning, out: false }).done;
  const [a, b] = [await model.stateDict(), await alone.stateDict()];
  assert.notDeepEqual(a.get("blocks.0.mlp.fc1.weight"), b.get("blocks.0.mlp.fc1.weight"));
});

test("a weight of 0 is finetuning to the bit", async () => {
  const set = await images(transforms.finetune);
  const [alone, beside] = [tinyClassifier(), tinyClassifier()];
  const expected = await finetune(alone, set, { ...finetuning, out: false }).done;
  const found = await auxiliary(beside, set, { ...options(), weight: 0, out: false }).done;
  assert.deepEqual(losses(found.history), losses(expected.history));
  assertSameBits(await beside.stateDict(), await alone.stateDict());
});

test("another block cannot take over a run", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  await stopAfter(auxiliary(tinyClassifier(), set, { ...options(), out }), 2);
  const other = auxiliary(tinyClassifier(), set, { ...options(3), out, resume: true }).done;
  await assertRejects(other, "key-mismatch", "auxiliary.llama.layers.0.attention.wq.weight");
});

test("a model with a path of its own, and a branch inside the trunk, are refused", async () => {
  const set = await images();
  const luvit = classifier.create({ encoder: tinyViT, fusion: block(), classes: 2 });
  assertThrows(
    () => auxiliary(luvit, set, { ...options(), out: false }),
    "bad-argument",
    "fusion path already",
  );
  const inside = { ...finetuning, branch: fusion.through(block(), { after: 1 }), out: false } as const;
  assertThrows(() => auxiliary(tinyClassifier(), set, inside), "bad-argument", "branch", "after");
});
