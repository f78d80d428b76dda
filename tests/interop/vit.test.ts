import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { HostTensor, StateDict } from "../../src/core/hostTensor";
import { startBackend, type Tensor, tf } from "../../src/core/tf";
import { fileSource } from "../../src/io/bytes/byteSource";
import { openSafetensors, writeSafetensors } from "../../src/io/safetensors";
import { randomBlock } from "../../src/models/baselines";
import * as classifier from "../../src/models/classifier";
import * as lora from "../../src/models/lora";
import { openClassifier } from "../../src/models/openClassifier";
import { loadClassifier } from "../../src/models/pretrained";
import { saveCheckpoint } from "../../src/models/saveCheckpoint";
import type { ViTConfig } from "../../src/models/vit";
import { perturb } from "../unit/models/support";
import { assertClose, randomTensor } from "../unit/nn/support";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("torch", "timm", "transformers", "safetensors");
const folder = mkdtempSync(join(tmpdir(), "luvit-timm-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** As in vit.py. */
const encoder: ViTConfig = { imageSize: 32, patchSize: 8, dim: 32, depth: 2, heads: 2, mlpRatio: 2 };
const toTensor = ({ shape, data }: HostTensor): Tensor => tf.tensor(data, [...shape]);
let io: StateDict = new Map();

before(async () => {
  await startBackend();
  if (skip) return;
  runPython("vit.py", "make", folder);
  const source = await fileSource(join(folder, "io.safetensors"));
  io = await (await openSafetensors(source)).readTensors();
  await source.close();
});

for (const [name, file] of [
  ["token", "token.pth"],
  ["avg", "avg"],
  ["bare", "bare.pth"],
]) {
  test(`a ViT of timm (${name}) gives timm's logits, at its own and at other image sizes`, {
    skip,
  }, async () => {
    const path = join(folder, file);
    const opened = await openClassifier(path, { heads: 2 });
    assert.equal(opened.pooling, name === "avg" ? "mean" : "cls");
    for (const imageSize of [32, 64, 16]) {
      const model = classifier.create({
        encoder: { ...encoder, imageSize },
        classes: 5,
        pooling: opened.pooling,
      });
      await loadClassifier(model, path, { positions: "timm" });
      const images = toTensor(io.get(`${name}.${imageSize}.images`)!);
      const expected = io.get(`${name}.${imageSize}.logits`)!.data;
      assertClose(model.forward(images).dataSync(), expected, 2e-5, `${imageSize} pixels`);
      if (imageSize === 32) assertClose(opened.forward(images).dataSync(), expected, 2e-5, "opened");
    }
  });
}

test("timm, torch and transformers compute our logits from checkpoints written here, LoRA merged", {
  skip,
}, async () => {
  const images = randomTensor([2, 3, 32, 32], 4);
  const given: StateDict = new Map([["images", { shape: images.shape, data: images.dataSync<"float32">() }]]);
  const write = async (file: string, model: classifier.Classifier, dtype?: "BF16") => {
    await saveCheckpoint(model, join(folder, file), { extras: { epoch: 7 }, dtype });
    if (dtype) await loadClassifier(model, join(folder, file));
    const logits = model.forward(images);
    given.set(file, { shape: logits.shape, data: logits.dataSync<"float32">() });
  };
  const make = (options: Partial<classifier.ClassifierOptions> = {}) => {
    const model = classifier.create({ encoder, classes: 5, ...options });
    perturb(model);
    return model;
  };
  await write("cls.pth", make({ pooling: "cls" }));
  const mean = make();
  await write("mean.pth", mean);
  await write("mean.safetensors", mean);
  await write("half.pth", make(), "BF16");

  const block = randomBlock({
    dim: 48,
    heads: 4,
    kvHeads: 2,
    hiddenDim: 64,
    normEps: 1e-5,
    ropeTheta: 10000,
    causal: false,
    rope: false,
    rowOrder: "hf",
  });
  lora.attach(block, { rank: 3, targets: ["q_proj", "k_proj", "v_proj"] });
  await write("luvit.pth", make({ fusion: block }));

  await writeSafetensors(join(folder, "given.safetensors"), given);
  const differences = runPython<Record<string, number>>("vit.py", "read", folder);
  assert.deepEqual(
    Object.keys(differences).sort(),
    [...given.keys()].filter((key) => key !== "images").sort(),
  );
  for (const [file, difference] of Object.entries(differences)) {
    assert.ok(difference < 5e-5, `${file}: off by ${difference}`);
  }
});
