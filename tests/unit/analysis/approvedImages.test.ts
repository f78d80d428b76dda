import { afterEach, before, test } from "node:test";
import type { Table } from "apache-arrow";
import {
  attentionEntropy,
  layersOf,
  patchMaps,
  summarizeEntropy,
} from "../../../src/analysis/attentionEntropy";
import { attentionMaps } from "../../../src/analysis/attentionMaps";
import { rowsOf } from "../../../src/analysis/provenance";
import { reconstruct } from "../../../src/analysis/reconstruction";
import {
  answerTo,
  asEnd,
  forAnswer,
  isWide,
  meanOfPatches,
  patchesAmong,
  readTokens,
  stagesOf,
} from "../../../src/analysis/stages";
import { showWorkWith } from "../../../src/core/progress";
import { startBackend, tf } from "../../../src/core/tf";
import { mae } from "../../../src/models";
import { Calls } from "../../support/calls";
import { perturb } from "../models/support";
import { inMemory, smallClassifier, smallLuvit, smallViT } from "./imagesInMemory";

before(() => startBackend({ backend: "wasm" }));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const eager = { engine: "eager" } as const;
const lines = (table: Table) => rowsOf(table).map(({ commit: _, ...row }) => row);
const smallMae = (options: object = {}) => {
  const model = mae.create({
    encoder: smallViT,
    decoder: { dim: 8, depth: 1, heads: 2, mlpRatio: 2 },
    ...options,
  });
  perturb(model);
  return model;
};
/** What is shown of work, and what happens at an advance. */

test("what single images show is approved", async () => {
  const calls = new Calls();
  const [model, set, masked] = [smallLuvit(), inMemory({ count: 3 }), inMemory({ count: 3, masks: 4 })];
  const looked = async (...given: unknown[]) => {
    const { sample, grid, layers } = await attentionMaps(...(given as Parameters<typeof attentionMaps>));
    return { path: sample.path, grid, layers };
  };
  const eagerly = (options: object) => ({ ...options, ...eager });
  for (const options of [
    {},
    { index: 2 },
    { layers: ["blocks.1"] },
    { layers: ["llama.layers.0", "blocks.0"] },
    { layers: ["x"] },
    { layers: [] },
    { index: 3 },
    { index: -1 },
    { index: 0.5 },
    { other: 1 },
  ])
    await calls.once(`attentionMaps ${JSON.stringify(options)}`, () => looked(model, set, eagerly(options)));
  const aMae = smallMae();
  await calls.once("attentionMaps of a mae", () => looked(aMae, set, { ...eager, layers: ["blocks.0"] }));
  await calls.once("attentionMaps of whole images", () =>
    looked(model, inMemory({ shapes: [[8, 4]] }), { ...eager, layers: ["blocks.0"], positions: "dino" }),
  );
  await calls.once("attentionMaps of an image", () =>
    looked(
      model,
      { width: 12, height: 12, data: Uint8Array.from({ length: 432 }, (_, i) => (i * 37) % 256) },
      { ...eager, layers: ["blocks.1"] },
    ),
  );
  await calls.once("attentionMaps of a broken one", () =>
    looked(model, inMemory({ broken: [1] }), { ...eager, index: 1 }),
  );
  await calls.once("attentionMaps of no model", () => looked({}, set));
  await calls.once("attentionMaps of no set", () => looked(model, [1]));
  for (const [name, options] of Object.entries({
    all: {},
    two: { layers: ["llama.layers.0", "blocks.1"] },
    one: { layers: ["blocks.0"], batchSize: 1 },
    none: { layers: ["blocks.2"] },
    noList: { layers: [] },
    batch: { batchSize: 0 },
    half: { batchSize: 1.5 },
  }))
    await calls.once(`attentionEntropy ${name}`, async () => {
      const table = await attentionEntropy(model, masked, eagerly(options));
      return {
        layers: layersOf(table),
        rows: table.numRows,
        some: lines(table).filter((_, i) => i % 23 === 0),
        summary: summarizeEntropy(table, layersOf(table)[0]),
      };
    });
  await calls.once("attentionEntropy without masks", async () =>
    lines(
      await attentionEntropy(model, inMemory({ shapes: [[4, 8]], count: 1 }), {
        layers: ["blocks.1"],
        ...eager,
      }),
    ),
  );
  for (const [name, options] of Object.entries({
    last: {},
    first: { layer: "blocks.0", batchSize: 2 },
    llama: { layer: "llama.layers.0" },
    none: { layer: "blocks.2" },
  }))
    await calls.once(`patchMaps ${name}`, async () =>
      (await patchMaps(model, masked, eagerly(options))).map(({ sample, ...map }) => ({
        path: sample.path,
        ...map,
      })),
    );
  await calls.once("patchMaps of whole images", async () =>
    (
      await patchMaps(
        model,
        inMemory({
          shapes: [
            [4, 12],
            [8, 4],
          ],
          count: 3,
        }),
        eager,
      )
    ).map(({ sample, ...map }) => ({ path: sample.path, ...map })),
  );
  const maker = smallMae({ normPixLoss: false });
  const pictures = async (...given: Parameters<typeof reconstruct>) =>
    (await reconstruct(...given)).map((made) => made);
  for (const [name, of, options] of [
    ["plain", maker, {}],
    ["seed 3", maker, { seed: 3 }],
    ["normed", smallMae({ normPixLoss: true }), {}],
    ["half of it", smallMae({ maskRatio: 0.5 }), { seed: 0 }],
  ] as const)
    await calls.once(`reconstruct ${name}`, () =>
      pictures(of, inMemory({ count: 2 }), { ...options, ...eager }),
    );
  const fresh = smallMae();
  (fresh as { decoderIsFresh: boolean }).decoderIsFresh = true;
  await calls.once("reconstruct with a fresh decoder", async () =>
    (await pictures(fresh, inMemory({ count: 1 }), eager)).map(({ note }) => note),
  );
  await calls.once("reconstruct whole images", () =>
    pictures(
      maker,
      inMemory({
        count: 3,
        shapes: [
          [8, 12],
          [12, 8],
        ],
      }),
      { ...eager, positions: "dino", graphs: 1 },
    ),
  );
  for (const [of, given, options] of [
    [model, set, {}],
    [maker, [], {}],
    [maker, set, { seed: -1 }],
    [maker, inMemory({ size: 16 }), {}],
    [maker, set, { graphs: 0 }],
  ])
    await calls.once("reconstruct what cannot be", () =>
      pictures(of as never, given as never, eagerly(options as object)),
    );
  calls.approve("analysis/images");
});

test("the stages of models are approved", async () => {
  const calls = new Calls();
  const models = {
    plain: smallClassifier(),
    cls: smallClassifier({ pooling: "cls" }),
    attention: smallClassifier({ pooling: "attention" }),
    luvit: smallLuvit(),
    registers: smallClassifier({ encoder: { ...smallViT, registers: 2 } }),
    bare: smallClassifier({ encoder: { ...smallViT, classToken: false } }),
  };
  const numbers = (...shape: number[]) =>
    tf.tensor(
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(0.37 * i) + i / 300),
      shape,
    );
  for (const [name, model] of Object.entries(models)) {
    calls.title(name);
    calls.note("stages", stagesOf(model));
    calls.note("patches among 12", patchesAmong(model, 12));
    calls.note("for an answer", forAnswer(model));
    await calls.does("mean of patches", () => tf.tidy(() => meanOfPatches(model, numbers(2, 12, 16))));
    await calls.does("tokens read", () => tf.tidy(() => readTokens(model, numbers(2, 12, 16))));
    await calls.does("answer", () => tf.tidy(() => answerTo(model, numbers(2, 12, 16))));
    if (name === "cls")
      await calls.does("answer to one token", () => tf.tidy(() => answerTo(model, numbers(2, 1, 16))));
    for (const stage of stagesOf(model).slice(0, 3)) {
      await calls.does(`${stage.layer} run`, () =>
        tf.tidy(() => stage.run(numbers(2, 10, stage.layer.startsWith("llama") ? 24 : 16), {})),
      );
      await calls.does(`${stage.layer} run for one query`, () =>
        tf.tidy(() => stage.run(numbers(2, 10, stage.layer.startsWith("llama") ? 24 : 16), {}, 1)),
      );
    }
  }
  calls.title("ends");
  for (const name of [
    "embed",
    "blocks.0.out",
    "fusion.mapper1",
    "fusion.block",
    "fusion.out",
    "llama.layers.0.out",
    "llama.layers.0.middle",
  ]) {
    await calls.of(isWide, name);
    const value = numbers(2, 3, isWide(name) ? 24 : 16);
    await calls.does(`${name} as an end`, () => tf.tidy(() => tf.clone(asEnd(models.luvit, name, value))));
    await calls.does(`${name} as an end, behind what entered`, () =>
      tf.tidy(() => tf.clone(asEnd(models.luvit, name, value, numbers(2, 5, 16)))),
    );
  }
  await calls.does("without a fusion", () =>
    tf.tidy(() => tf.clone(asEnd(models.plain, "llama.x", numbers(1, 2, 16)))),
  );
  calls.approve("analysis/stages");
});
