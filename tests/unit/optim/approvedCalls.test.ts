import { before, describe, it } from "node:test";
import { checkOptions } from "../../../src/core/options";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { Module, Parameter } from "../../../src/nn";
import * as optim from "../../../src/optim";
import { adamWOptions, momentNames } from "../../../src/optim/adamw";
import { detectorRules } from "../../../src/optim/detectorRules";
import { layerDecayOptions, rulesOf } from "../../../src/optim/groups";
import { larsStep } from "../../../src/optim/lars";
import * as fields from "../../../src/optim/options";
import { epochCosineOptions, scheduleFits, stepRate, warmupCosineOptions } from "../../../src/optim/schedule";
import { Calls } from "../../support/calls";

/** A model of parameters under these paths, with 1 and 2 axes in turn; those after "!" are frozen. */
class Paths extends Module {
  constructor(paths: readonly string[]) {
    super();
    for (const [i, path] of paths.entries()) {
      const parts = path.replace("!", "").split(".");
      let at: Module = this;
      for (const part of parts.slice(0, -1)) {
        const within = at as unknown as Record<string, Module>;
        within[part] ??= new Paths([]);
        at = within[part];
      }
      const shape = path.endsWith("norm") || path.endsWith("bias") ? [3] : [2, 3];
      const parameter = new Parameter(
        shape,
        (values) =>
          values.forEach((_, k) => {
            values[k] = (k + 1) * (i + 1) * (k % 2 ? -0.1 : 0.1);
          }),
        1,
      );
      if (path.startsWith("!")) parameter.trainable = false;
      (at as unknown as Record<string, Parameter>)[parts.at(-1)!] = parameter;
    }
  }
}

const numbers = (map: ReadonlyMap<string, Tensor>) =>
  [...map].map(([name, tensor]) => [name, tensor.shape, Array.from(tensor.dataSync())]);

describe("of optimizers", () => {
  before(() => startBackend({ backend: "cpu" }));

  it("what schedules and rates come to is approved", async () => {
    const calls = new Calls();
    const warm = { lr: 2.4e-3, minLr: 1e-4, warmupEpochs: 5, epochs: 20 };
    const late = { ...warm, warmupLr: 3e-4 };
    for (const epoch of [0, 0.5, 1, 4.99, 5, 5.5, 12.5, 19.99, 20, 21]) {
      await calls.does(`at ${epoch}`, () => [
        optim.warmupCosine(warm, epoch),
        optim.epochCosine(late, epoch),
        optim.rateAt(warm, epoch),
        optim.rateAt(late, epoch),
        optim.warmupCosine({ ...warm, warmupEpochs: 0 }, epoch),
        optim.epochCosine({ ...late, warmupEpochs: 0 }, epoch),
        optim.warmupCosine({ ...warm, warmupEpochs: 20 }, epoch),
      ]);
    }
    const steps = { lr: 1e-3, warmupSteps: 4, warmupFactor: 0.25, milestones: [10, 12], factor: 0.1 };
    for (const step of [0, 1, 3, 4, 9, 10, 11, 12, 13])
      await calls.does(`of step ${step}`, () => [
        stepRate(steps, step),
        stepRate({ ...steps, warmupSteps: 0, milestones: [] }, step),
      ]);
    for (const [base, batch] of [
      [1.5e-4, 4096],
      [1e-3, 256],
      [1, 1],
      [0, 5],
    ])
      await calls.of(optim.scaledRate, base, batch);
    calls.title("what fits");
    for (const schedule of [
      {},
      { lr: 1, minLr: 1, warmupLr: 1, warmupEpochs: 5, epochs: 5 },
      { lr: 1, minLr: 1.1 },
      { lr: 1, warmupLr: 2 },
      { warmupEpochs: 6, epochs: 5 },
      { minLr: 5 },
      { lr: 1, minLr: 2, warmupLr: 3, warmupEpochs: 2, epochs: 1 },
    ])
      await calls.of(scheduleFits, schedule);
    for (const [name, options] of Object.entries({ warmupCosineOptions, epochCosineOptions }))
      for (const changed of [
        {},
        { lr: 0 },
        { lr: 1e39 },
        { lr: 1e38 },
        { minLr: -1 },
        { minLr: 0 },
        { minLr: 1 },
        { epochs: 0 },
        { epochs: 4 },
        { epochs: 0.5, warmupEpochs: 0.5 },
        { epochs: 1e7 },
        { epochs: 1e7 + 1 },
        { warmupEpochs: -1 },
        { warmupLr: 1 },
        { more: 1 },
      ])
        await calls.does(`${name} ${JSON.stringify(changed)}`, () =>
          checkOptions("train", options as never, {
            ...(name === "epochCosineOptions" ? late : warm),
            ...changed,
          }),
        );
    for (const [name, field] of Object.entries(fields)) {
      const { expected, about, example } = field as { expected?: string; about?: string; example?: unknown };
      calls.note(name, [expected, about, example]);
    }
    await calls.does("rateAt of none", () => optim.rateAt({} as never, 1));
    await calls.does("rateAt of a wrong one", () => [optim.rateAt({ ...late, warmupLr: 1 }, 1)]);
    calls.approve("optim/schedules");
  });

  it("what rules say of parameters is approved", async () => {
    const calls = new Calls();
    const paths = [
      "cls_token",
      "pos_embed",
      "register_tokens",
      "mask_token",
      "patch_embed.proj.weight",
      "patch_embed.proj.bias",
      "blocks.0.norm1.norm",
      "blocks.0.attn.weight",
      "blocks.11.mlp.weight",
      "blocks.11.mlp.bias",
      "norm.norm",
      "head.weight",
      "head.bias",
      "!head.frozen",
      "llama.blocks.2.weight",
    ];
    const model = new Paths(paths);
    await calls.does("pretrainRules", () => optim.pretrainRules(model, 0.05));
    await calls.does("finetuneRules", () =>
      optim.finetuneRules(model, { weightDecay: 0.3, layerDecay: 0.5, depth: 12 }),
    );
    await calls.does("without decay", () =>
      optim.finetuneRules(model, { weightDecay: 0, layerDecay: 1, depth: 12 }),
    );
    const detector = new Paths([
      "backbone.net.pos_embed",
      "backbone.net.patch_embed.proj.weight",
      "backbone.net.patch_embed.proj.bias",
      "backbone.net.blocks.0.norm1.norm",
      "backbone.net.blocks.3.norm2.weight",
      "backbone.net.blocks.3.attn.rel_pos_h",
      "backbone.net.blocks.3.norm.weight",
      "backbone.net.mlp_norm.norm",
      "backbone.net.lora.weight",
      "backbone.simfp_2.norm",
      "blocks.1.weight",
      "roi_heads.bias",
      "!backbone.net.blocks.1.attn.weight",
    ]);
    await calls.does("detectorRules", () =>
      detectorRules(detector, { weightDecay: 0.1, layerDecay: 0.7, depth: 4 }),
    );
    await calls.does("rulesOf", () =>
      rulesOf(model, (path, shape) => ({ weightDecay: shape.length, lrScale: path.length })),
    );
    const good = { weightDecay: 0.1, layerDecay: 0.5, depth: 2 };
    for (const changed of [
      {},
      { weightDecay: -1 },
      { weightDecay: 1001 },
      { weightDecay: 1000 },
      { layerDecay: 0 },
      { layerDecay: 1.1 },
      { depth: -1 },
      { depth: 0 },
      { depth: 1.5 },
      { depth: 10001 },
      { lr: 1 },
    ]) {
      await calls.does(`finetuneRules ${JSON.stringify(changed)}`, () =>
        optim.finetuneRules(new Paths([]), { ...good, ...changed }),
      );
      await calls.does(`detectorRules ${JSON.stringify(changed)}`, () =>
        detectorRules(new Paths([]), { ...good, ...changed }),
      );
    }
    for (const decay of [0, -0.1, Number.NaN])
      await calls.does(`pretrainRules ${decay}`, () => optim.pretrainRules(new Paths([]), decay));
    calls.note("layerDecayOptions", Object.keys(layerDecayOptions.required));
    calls.approve("optim/rules");
  });

  it("what steps come to is approved", async () => {
    const calls = new Calls();
    const paths = ["a.weight", "a.bias", "!b.weight", "c.weight"];
    const model = new Paths(paths);
    const rules = new Map([
      ["a.weight", { weightDecay: 0.2, lrScale: 0.5 }],
      ["a.bias", { weightDecay: 0, lrScale: 1 }],
      ["b.weight", { weightDecay: 1, lrScale: 2 }],
      ["elsewhere", { weightDecay: 0, lrScale: 1 }],
    ]);
    const adamw = new optim.AdamW(model, rules, { betas: [0.8, 0.95], eps: 1e-3 });
    const other = new optim.AdamW(model, rules);
    calls.note("options", [adamw.betas, adamw.eps, adamw.step, other.betas, other.eps]);
    calls.note("variables", numbers(adamw.variables()));
    for (const step of [1, 2, 3]) {
      const gradients = new Map([
        ["a.weight", tf.tensor([0.1, -2, 3, 0, 5, -6]).reshape([2, 3]).mul(step)],
        ["a.bias", tf.tensor([1, 0, -1e-3])],
        ["c.weight", tf.ones([2, 3])],
        ["unknown", tf.ones([1])],
      ]);
      await calls.once(`update ${step}`, () => adamw.update(gradients, 0.1 * step));
      calls.note("then", [adamw.step, numbers(adamw.variables())]);
      for (const gradient of gradients.values()) gradient.dispose();
    }
    const state = await adamw.state();
    calls.note(
      "state",
      [...state].map(([name, { shape, data }]) => [name, shape, Array.from(data)]),
    );
    other.load(state, 7);
    calls.note("loaded", [
      other.step,
      JSON.stringify([...(await other.state())].map(([, { data }]) => [...data])) ===
        JSON.stringify([...state].map(([, { data }]) => [...data])),
    ]);
    const gradients = new Map([["a.bias", tf.tensor([1, 2, 3])]]);
    other.update(gradients, 0.01);
    calls.note("and goes on", [other.step, numbers(other.variables()).slice(1, 2)]);
    const lacking = new Map(state);
    lacking.delete("a.bias.exp_avg");
    lacking.set("a.weight.exp_avg_sq", { shape: [3, 2], data: new Float32Array(6) });
    await calls.does("load of another", () => other.load(lacking, 9));
    await calls.does("load of none", () => other.load(new Map(), 9));
    calls.note("nothing has changed", other.step);
    calls.note("names", [momentNames("x.y"), [...adamw.moments()].map(([name, { shape }]) => [name, shape])]);
    const before = tf.memory().numTensors;
    adamw.dispose();
    calls.note("disposed", [tf.memory().numTensors - before, adamw.variables().size]);
    await calls.does("no model", () => new optim.AdamW({} as never, rules));
    await calls.does("no rules", () => new optim.AdamW(model, {} as never));
    for (const options of [
      { betas: [0.9] },
      { betas: [1, 0.9] },
      { betas: [0, 0] },
      { eps: 0 },
      { eps: 1 },
      { eps: 1.1 },
      { beta: 1 },
    ])
      await calls.does(`AdamW ${JSON.stringify(options)}`, () =>
        checkOptions("AdamW", adamWOptions, options),
      );
    calls.title("LARS");
    const lars = async (weight: number[] | number[][], gradient: number[] | number[][], options?: object) =>
      calls.does(`${JSON.stringify([weight, gradient, options])}`, () => {
        const found = tf.tidy(() =>
          larsStep(
            tf.tensor(weight),
            tf.tensor(gradient),
            tf.tensor(weight).mul(0.5),
            tf.scalar(0.3),
            options,
          ),
        );
        return [found.weight, found.buffer];
      });
    for (const options of [undefined, { momentum: 0.5 }, { trust: 0.02 }, { weightDecay: 0.1 }]) {
      await lars([[3, 4, 1]], [[1, 2, -2]], options);
      await lars([3, 4], [1, 2], options);
    }
    await lars([[0, 0]], [[1, 2]]);
    await lars([[1, 2]], [[0, 0]]);
    calls.title("gradients");
    const variables = new Map([
      ["w", tf.variable(tf.tensor([1, 2, 3]))],
      ["v", tf.variable(tf.tensor([[4], [5]]))],
      ["unreached", tf.variable(tf.scalar(1))],
    ]);
    await calls.does("lossAndGradients", () =>
      optim.lossAndGradients(
        () => tf.add(tf.sum(tf.square(variables.get("w")!)), tf.sum(tf.mul(variables.get("v")!, 3))),
        variables,
      ),
    );
    await calls.does("of no function", () => optim.lossAndGradients(1 as never, variables));
    await calls.does("of no map", () => optim.lossAndGradients(() => tf.scalar(1), {} as never));
    await calls.does("accumulate", () => {
      const total = new Map([["a", tf.tensor([1, 2])]]);
      optim.accumulate(
        total,
        new Map([
          ["a", tf.tensor([10, 20])],
          ["b", tf.tensor([5])],
        ]),
      );
      return Object.fromEntries(total);
    });
    await calls.does("accumulate of no map", () => optim.accumulate(new Map(), [] as never));
    for (const most of [1, 5, 5.1, 100]) {
      await calls.does(`clipGradNorm ${most}`, () => {
        const clipped = new Map([
          ["a", tf.tensor([3, 0])],
          ["b", tf.tensor([[-4]])],
        ]);
        const norm = optim.clipGradNorm(clipped, most);
        return { norm, ...Object.fromEntries(clipped) };
      });
    }
    await calls.does("of none", () => optim.clipGradNorm(new Map(), 1));
    for (const most of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "1"])
      await calls.does(`clipGradNorm ${most}`, () => optim.clipGradNorm(new Map(), most as number));
    calls.approve("optim/steps");
  });
});
