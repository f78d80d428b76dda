import { afterEach, before, test } from "node:test";
import {
  chain,
  eachHeadOff,
  gateHeads,
  layerOfHeads,
  patchTokens,
  type Skip,
  skip,
} from "../../../../src/analysis/interventions/edits";
import { openHeadGates } from "../../../../src/analysis/interventions/headGates";
import { closed, headsOf } from "../../../../src/analysis/interventions/heads";
import { logitsWithoutEach } from "../../../../src/analysis/interventions/withoutEach";
import { showWorkWith } from "../../../../src/core/progress";
import { startBackend, tf } from "../../../../src/core/tf";
import { Calls } from "../../../support/calls";
import { smallClassifier, smallLuvit, smallViT } from "../imagesInMemory";

before(() => startBackend({ backend: "wasm" }));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const eager = { engine: "eager" } as const;
const numbers = (shape: number[], step = 0.7) =>
  tf.tensor(
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(step * i) + i / 70),
    shape,
  );

test("edits of a forward pass are approved", async () => {
  const calls = new Calls();
  for (const name of [
    "blocks.11.attn.heads",
    "llama.layers.0.attention.heads",
    "blocks.0.attn.head",
    "attn.heads",
    "blocks.0.attn.heads.x",
  ])
    await calls.of(layerOfHeads, name);
  const edited = (
    name: string,
    edit: (name: string, value: tf.Tensor) => tf.Tensor,
    site: string,
    value: () => tf.Tensor,
  ) => calls.does(name, () => tf.tidy(() => tf.clone(edit(site, value()))));
  const heads = () => numbers([2, 3, 2, 2]);
  const gate = tf.tensor([
    [1, 0, 1, 9],
    [0, 1, 1, 1],
  ]);
  for (const site of ["b.attn.heads", "a.attention.heads", "c.attn.heads", "a.attn.out"]) {
    await edited(`gateHeads at ${site}`, gateHeads(["a", "b"], gate), site, heads);
    await edited(
      `gateHeads with means at ${site}`,
      gateHeads(["a", "b"], gate, new Map([["b", numbers([1, 3, 2, 2], 1.9)]])),
      site,
      heads,
    );
    await edited(`eachHeadOff at ${site}`, eachHeadOff("b", 3), site, () => numbers([1, 3, 2, 2]));
    await edited(
      `eachHeadOff with means at ${site}`,
      eachHeadOff("b", 3, numbers([1, 3, 2, 2], 1.9)),
      site,
      () => numbers([1, 3, 2, 2]),
    );
  }
  const donors = new Map([
    ["a", numbers([2, 3, 2], 1.9)],
    ["c", numbers([2, 2, 2], 1.9)],
  ]);
  for (const site of ["a", "b", "c", "d"])
    await edited(
      `patchTokens at ${site}`,
      patchTokens(
        ["b", "a", "c"],
        donors,
        tf.tensor([
          [1, 1, 1],
          [0, 1, 0],
          [1, 0, 0],
        ]),
      ),
      site,
      () => numbers([2, 3, 2]),
    );
  await edited(
    "chain",
    chain(
      (_, value) => tf.add(value, 1),
      (name, value) => (name === "a" ? tf.mul(value, 2) : value),
    ),
    "a",
    () => numbers([3]),
  );
  await edited("chain of none", chain(), "a", () => numbers([3]));
  const skips: [string, Skip[]][] = [
    ["nothing", []],
    ["attention", [{ attention: "blocks.1" }]],
    ["feedForward", [{ feedForward: "blocks.1" }]],
    ["layer", [{ layer: "llama.layers.0" }]],
    ["lora", ["lora"]],
    ["fusion", ["fusion"]],
    ["two", [{ attention: "blocks.0" }, { feedForward: "llama.layers.0" }]],
  ];
  const sites = [
    "fusion.in",
    "blocks.0.attn.out",
    "blocks.1.attn.out",
    "blocks.1.mlp.out",
    "llama.layers.0.attention.out",
    "llama.layers.0.feed_forward.out",
    "llama.layers.0.attention.wq.lora",
    "fusion.out",
    "blocks.1.out",
  ];
  for (const [name, some] of skips)
    await calls.does(`skip ${name}`, () =>
      tf.tidy(() => {
        const edit = skip(...some);
        return sites.map((site, i) => `${site} ${edit(site, tf.tensor([i + 1])).dataSync()[0]}`);
      }),
    );
  await calls.does("skip fusion that was not entered", () =>
    tf.tidy(() => skip("fusion")("fusion.out", tf.tensor([5])).dataSync()[0]),
  );
  calls.approve("analysis/interventions/edits");
});

test("heads of models and what they answer without each are approved", async () => {
  const calls = new Calls();
  const models = {
    luvit: smallLuvit(),
    cls: smallClassifier({ pooling: "cls" }),
    attention: smallClassifier({ pooling: "attention" }),
    registers: smallClassifier({ encoder: { ...smallViT, registers: 2 } }),
  };
  const image = Float32Array.from({ length: 432 }, (_, i) => Math.sin(0.3 * i));
  for (const [name, model] of Object.entries(models)) {
    calls.note(`heads of ${name}`, headsOf(model, "x"));
    const images = tf.tensor(image, [1, 3, 12, 12]);
    await calls.does(`${name} without each`, () =>
      tf.tidy(() =>
        Object.entries(logitsWithoutEach(model, images, headsOf(model, "x"), {})).map(([layer, logits]) => [
          layer,
          logits.shape,
          [...logits.dataSync()],
        ]),
      ),
    );
    images.dispose();
    const gates = await openHeadGates("x", model, { data: image, height: 12, width: 12, context: {} }, eager);
    await calls.does(`${name} with all`, () => gates.without());
    await calls.does(`${name} without one`, () => gates.without({ layer: "blocks.1", head: 1 }));
    await calls.does(`${name} without two`, () =>
      gates.without({ layer: "blocks.1", head: 1 }, { layer: "blocks.0", head: 0 }),
    );
    await gates.dispose();
  }
  const { luvit } = models;
  for (const layers of [["blocks.1"], ["llama.layers.0", "blocks.0"], ["x", "blocks.0"]])
    await calls.does(`heads of ${layers}`, () => headsOf(luvit, "here", layers));
  const all = headsOf(luvit, "x");
  await calls.of(closed, all);
  await calls.of(closed, all, { layer: "llama.layers.0", head: 3 }, { layer: "blocks.0", head: 1 });
  const wide = await openHeadGates(
    "x",
    luvit,
    { data: image.subarray(0, 3 * 8 * 4), height: 4, width: 8, context: { positions: "dino" } },
    eager,
  );
  await calls.does("another shape", () => wide.without({ layer: "llama.layers.0", head: 2 }));
  await wide.dispose();
  calls.approve("analysis/interventions/heads");
});
