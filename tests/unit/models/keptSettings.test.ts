import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { Preprocessing } from "../../../src/core/preprocessing";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { writeSafetensors } from "../../../src/io/safetensors";
import { classifier, detector, fusion, llavit, mae, segmenter } from "../../../src/models";
import { poolTokens } from "../../../src/models/classifier";
import { prefixMask } from "../../../src/nn";
import { temporaryFolder } from "../../support/temporaryFolder";
import {
  assertClose,
  assertSameState,
  isLuvitError,
  randomTensor,
  repository,
  valuesOf,
} from "../nn/support";
import { tinyLanguage, tinyLlavit } from "./llavit/support";
import { perturb, tinyBlock, tinyDecoder, tinyHead, tinyImages, tinyViT } from "./support";

before(() => startBackend());

const folder = () => join(temporaryFolder("kept"), "model");
const preprocessing: Preprocessing = {
  size: 10,
  resize: "none",
  cropRatio: 0.5,
  interpolation: "bicubic",
  mean: [0.1, 0.2, 0.3],
  std: [0.4, 0.5, 0.6],
};

test("how images are prepared, and what classes are called, is saved and opened with every model that has it", async () => {
  const classes = { classes: 3, preprocessing: { ...preprocessing } };
  const one = classifier.create({ encoder: tinyViT, ...classes, classNames: ["a", "b", "c"] });
  const two = segmenter.create({ encoder: tinyViT, ...classes, classNames: ["a", "b"] });
  const three = await tinyLlavit({ tower: classifier.create({ encoder: tinyViT, ...classes }) });
  for (const [model, { load }] of [
    [one, classifier],
    [two, segmenter],
    [three, llavit],
  ] as const) {
    const place = folder();
    await model.save(place);
    const opened = await load(place);
    assert.deepEqual(opened.preprocessing, preprocessing);
    if ("classNames" in opened) assert.deepEqual(opened.classNames, (model as typeof one).classNames);
    assert.deepEqual(
      JSON.parse(readFileSync(join(place, "config.json"), "utf8")).preprocessing,
      preprocessing,
    );
  }
});

test("what is saved has the version of the library, and what no config may be is not saved at all", async () => {
  const model = classifier.create({ encoder: tinyViT, classes: 2 });
  const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  assert.equal(model.describe().luvitVersion, version);
  model.classNames = [1 as never, "b"];
  const place = folder();
  await assert.rejects(model.save(place), isLuvitError("bad-file", `${place}: not saved`, "classNames.0"));
  assert.ok(!existsSync(place));
});

test("a mean over patches is over all tokens where there is no class token, and else behind it", () => {
  const tokens = randomTensor([2, 4, 3], 1);
  const rows = tokens.arraySync() as number[][][];
  const meanFrom = (first: number) =>
    rows.flatMap((own) =>
      own[0].map((_, c) => own.slice(first).reduce((sum, token) => sum + token[c], 0) / (4 - first)),
    );
  assertClose(poolTokens(tokens, "mean").dataSync(), meanFrom(1), 1e-6);
  assertClose(poolTokens(tokens, "mean", 0).dataSync(), meanFrom(0), 1e-6);
  assertClose(
    poolTokens(tokens, "cls").dataSync(),
    rows.flatMap(([first]) => first),
    0,
  );
  for (const classToken of [true, false]) {
    const model = classifier.create({ encoder: { ...tinyViT, classToken }, classes: 2 });
    const found = model.poolTokens(tokens);
    assertClose(found.dataSync(), meanFrom(classToken ? 1 : 0), 1e-6);
  }
});

test("what stands between mappers is told of a path without a block alone", () => {
  const described = (plan: fusion.FusionOptions & { width: number }) =>
    new fusion.FusionPath(16, plan as never).describe(2);
  assert.equal(described({ ...fusion.mlp(6), activation: "gelu" } as never).activation, "gelu");
  assert.equal(described({ ...fusion.through(tinyBlock()), activation: "gelu" } as never).activation, "none");
  const block = described(fusion.through(tinyBlock({ depth: 2 }), { after: 1, rmsNorm: false }));
  assert.deepEqual([block.after, block.rmsNorm, block.width, block.block?.depth], [1, false, 24, 2]);
  assert.deepEqual(described(fusion.mlp(6)), {
    ...{ after: 2, normFirst: false, residual: false, mapperBias: false, rmsNorm: false },
    ...{ activation: "none", width: 6, block: null },
  });
});

test("a window of the language model cuts the text that a model which sees looks back on, not its image", async () => {
  for (const visionMask of ["bidirectional", "none"] as const) {
    const model = await tinyLlavit({ language: tinyLanguage({ slidingWindow: 4 }), visionMask });
    const image = (at: number | undefined) =>
      Array.from({ length: 14 }, (_, i) => Number(at !== undefined && i >= at && i < at + 9));
    const { mask, visual } = model.contextAt(2, 14);
    const expected = prefixMask({ image: [image(2)], within: visionMask, window: 4 });
    assert.deepEqual([...mask!.dataSync()], [...expected.numbers()]);
    assert.deepEqual(visual, [{ start: 2, end: 11 }]);
    const each = model.contextAt([1, undefined], 14);
    const both = prefixMask({ image: [image(1), image(undefined)], within: visionMask, window: 4 });
    assert.deepEqual([...each.mask!.dataSync()], [...both.numbers()]);
    assert.deepEqual(each.visual, [[{ start: 1, end: 10 }], []]);
  }
  const causal = await tinyLlavit();
  const tap = () => {};
  assert.deepEqual(causal.contextAt(2, 14, { tap }), { tap, visual: [{ start: 2, end: 11 }] });
});

test("a tower that is looked through is seen and edited, and the last places of a sequence may be its image's", async () => {
  const model = await tinyLlavit();
  const images = tinyImages(1);
  const seen: string[] = [];
  const plain = valuesOf(() => model.see(images, { tap: (name) => void seen.push(name) }));
  assert.ok(seen.includes("blocks.1.out"));
  const edit = (name: string, x: Tensor) => (name === "blocks.1.out" ? tf.mul(x, 2) : x);
  assert.notDeepEqual(
    valuesOf(() => model.see(images, { edit })),
    plain,
  );
  const ids = tf.zeros([1, 12], "int32");
  const visual = model.see(images);
  const spliced = model.splice(visual, ids, 3);
  assert.deepEqual(spliced.shape, [1, 12, 24]);
  assert.deepEqual([...tf.slice(spliced, [0, 3, 0], [1, 9, 24]).dataSync()], [...plain]);
  assert.throws(
    () => model.splice(visual, ids, 4),
    isLuvitError("shape-mismatch", "9 tokens of an image from token 4 on"),
  );
});

test("a detector's file, or a part of it by its key, is what its weights come from", async () => {
  const [from, to] = [1, 2].map((seed) =>
    detector.create({ encoder: tinyViT, classes: 2, ...tinyHead, seed }),
  );
  const state = await from.stateDict();
  const path = join(temporaryFolder("kept"), "model.safetensors");
  await writeSafetensors(
    path,
    new Map(
      [...state].flatMap(
        ([name, x]) =>
          [
            [`student.${name}`, x],
            [`teacher.${name}`, { ...x, data: new Float32Array(x.data.length) }],
          ] as const,
      ),
    ),
  );
  const report = await detector.loadCheckpoint(to, path, { key: "student" });
  assertSameState(await to.stateDict(), state);
  assert.equal(report.source, path);
  const saved = join(temporaryFolder("kept"), "saved.pth");
  await detector.saveCheckpoint(from, saved);
  assert.equal((await detector.loadCheckpoint(to, saved)).source, saved);
  assert.deepEqual([...new Set([...to.namedParameters()].map(([, { source }]) => source))], [saved]);
});

test("models that are given no path have none, and a plain auto-encoder's encoder keeps its final norm", () => {
  const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  assert.deepEqual(
    [model.encoder.fusion, model.encoder.norm?.dim, model.describe().encoder.fusion],
    [undefined, 16, null],
  );
  assert.equal(classifier.create({ encoder: tinyViT, classes: 2 }).encoder.norm, undefined);
  assert.deepEqual(model.describe().decoder, { dim: 8, depth: 1, heads: 2, mlpRatio: 2, normEps: 1e-6 });
  const own = classifier.create({
    encoder: { ...tinyViT, normEps: 1e-3, registers: 0, mlp: "gelu", preNorm: false, classToken: true },
    classes: 2,
  });
  const { normEps, finalNorm, fusion: path, ...sizes } = own.describe().encoder;
  assert.deepEqual([normEps, finalNorm, path, sizes], [1e-3, false, null, tinyViT]);
  perturb(own);
  assert.ok(own.forward(tinyImages(1)).dataSync().every(Number.isFinite));
});
