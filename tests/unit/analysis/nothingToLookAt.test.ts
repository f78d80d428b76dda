import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import * as analysis from "../../../src/analysis";
import { startBackend } from "../../../src/core/tf";
import { type ImageDataset, imageFolder, transforms } from "../../../src/data";
import type { Classifier } from "../../../src/models/classifier";
import { assertRejects, temporaryFolder, tinyClassifier, writeImages } from "./support";

before(() => startBackend());

const engine = { engine: "eager" } as const;
const looks: Record<string, (model: Classifier, set: ImageDataset) => Promise<unknown>> = {
  ablateHeads: (model, set) => analysis.ablateHeads(model, set, engine),
  attentionDistances: (model, set) => analysis.attentionDistances(model, set, engine),
  extractFeatures: (model, set) => analysis.extractFeatures(model, set, engine),
  faithfulness: (model, set) => analysis.faithfulness(model, set, { ...engine, methods: ["rollout"] }),
  lens: (model, set) => analysis.lens(model, set, engine),
  patchActivations: (model, set) => analysis.patchActivations(model, set, set, engine),
  relevance: (model, set) => analysis.relevance(model, set, engine),
  tokenNorms: (model, set) => analysis.tokenNorms(model, set, engine),
};

async function images(): Promise<ImageDataset> {
  const folder = await writeImages(temporaryFolder(), 2);
  return imageFolder(folder, { transform: transforms.evaluation(16) });
}

async function unreadable(): Promise<ImageDataset> {
  const root = temporaryFolder();
  for (const name of ["a", "b"]) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, "image.png"), "no image");
  }
  return imageFolder(root, { transform: transforms.evaluation(16) });
}

for (const [name, look] of Object.entries(looks)) {
  test(`${name}: an empty set, one of which nothing can be read, and images of NaN are refused by name`, async () => {
    const model = tinyClassifier();
    const whole = await images();
    await assertRejects(look(model, whole.subset([])), "bad-argument");
    const nothing = name === "faithfulness" ? [] : ["none of the 2 images can be read", "image.png"];
    const broken = await unreadable();
    await assert.rejects(look(model, broken), (error: Error & { code: string }) => {
      assert.match(error.code, /^bad-(dataset|argument)$/);
      for (const text of nothing) assert.ok(error.message.includes(text), error.message);
      return true;
    });
    const load: ImageDataset["load"] = async (index, ...rest) => {
      const sample = await whole.load(index, ...rest);
      return index === 1
        ? { ...sample, image: sample.image.map((x, i) => (i === 700 ? Number.NaN : x)) }
        : sample;
    };
    const nan: ImageDataset = Object.assign(Object.create(whole) as ImageDataset, { load });
    await assertRejects(look(model, nan), "non-finite", whole.path(1));
  });
}
