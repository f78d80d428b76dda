import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { Linear } from "../../../src/nn/layers";
import { AdamW } from "../../../src/optim/adamw";
import { pretrainRules } from "../../../src/optim/groups";
import type { Feeds } from "../../../src/train/feeds";
import { openForward } from "../../../src/train/forward";
import { openForwards } from "../../../src/train/forwards";
import { languageModelLoss, trainLanguageModel } from "../../../src/train/languageModel";
import { stepPrograms, traceFunction } from "../../../src/train/stepPrograms";
import { Stepper } from "../../../src/train/stepper";
import { traceStep } from "../../../src/train/traceStep";
import { WeightAverage } from "../../../src/train/weightAverage";
import { Calls } from "../../support/calls";
import { rough } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

test("steps, functions and language models on an engine", async () => {
  const calls = new Calls();
  const row = (...numbers: number[]): Feeds => ({
    x: { data: Float32Array.from(numbers), shape: [numbers.length / 2, 2] },
  });
  const squareOf = ({
    batches = 1,
    decay,
    clip,
  }: {
    batches?: number;
    decay?: number;
    clip?: number;
  } = {}) => {
    const model = new Linear(2, 1, new Rng(0), { bias: false });
    model.weight.load({ shape: [1, 2], data: Float32Array.of(1, 2) });
    const rules = pretrainRules(model, 0.1);
    const optimizer = new AdamW(model, rules, { betas: [0.8, 0.9] });
    const average = decay === undefined ? undefined : new WeightAverage(model, rules, decay);
    const out = {
      inputs: { x: { shape: [1, 2] } },
      body: (fed: Readonly<Record<string, Tensor>>) => ({ y: model.forward(fed.x) }),
    };
    const task = {
      name: "square",
      model,
      rules,
      loss: ({ x }: Readonly<Record<string, Tensor>>) => tf.sum(tf.square(model.forward(x))) as Tensor,
      functions: { out },
    };
    const spec = { task, optimizer, average, batches, clipGradNorm: clip };
    return { model, optimizer, average, spec, stepper: new Stepper(spec, { engine: "eager" }) };
  };
  for (const [what, options, groups] of [
    ["plain", {}, [[row(1, 1)], [row(1, 0)], [row(0, 1)]]],
    [
      "of two batches",
      { batches: 2 },
      [
        [row(1, 1), row(1, 0)],
        [row(0, 1), row(2, 1)],
      ],
    ],
    ["clipped", { clip: 0.01 }, [[row(1, 1)], [row(3, 0)]]],
    ["averaged", { decay: 0.5 }, [[row(1, 1)], [row(1, 0)], [row(0, 1)]]],
    ["with one that is no number", {}, [[row(1, 1)], [row(Number.NaN, 0)], [row(0, 1)]]],
    [
      "with half of one that is none",
      { batches: 2 },
      [
        [row(1, 1), row(Number.POSITIVE_INFINITY, 0)],
        [row(0, 1), row(1, 1)],
      ],
    ],
  ] as const) {
    const { model, optimizer, average, stepper } = squareOf(options);
    calls.note(`before, ${what}`, [stepper.engine, optimizer.step]);
    for (const group of groups) {
      const loss = await stepper.step(group, 0.1);
      const { weight } = await stepper.stream(new Map([["weight", model.weight]])).read(["weight"]);
      calls.note(`  step, ${what}`, [
        loss,
        optimizer.step,
        weight,
        (await stepper.call("out", row(1, 1))).y,
        (await stepper.call("out", row(1, 1), { averaged: true })).y,
      ]);
    }
    calls.note("  behind", (await model.weight.read()).data);
    await stepper.sync();
    calls.note("  synced", [
      (await model.weight.read()).data,
      [...optimizer.moments()].map(([name]) => name),
      average && (await average.state()).get("weight")!.data,
    ]);
    await stepper.expectSame(3);
    await stepper.dispose();
    await stepper.dispose();
    calls.note("  disposed", stepper.engine);
  }
  const { spec, model, optimizer } = squareOf({ decay: 0.5, clip: 3 });
  for (const more of [
    {},
    { scaled: true },
    { shared: "bfloat16" },
    { memory: "recompute" },
    { average: undefined },
  ] as const) {
    const programs = stepPrograms({ ...spec, ...more }, row(1, 1, 2, 2));
    calls.note(
      `programs ${JSON.stringify(more)}`,
      Object.entries(programs).map(([name, { graph, ...rest }]) => [
        name,
        rest,
        Object.keys(graph).length > 0,
      ]),
    );
  }
  const kinds = (graph: object) =>
    JSON.parse(JSON.stringify(graph, (_, value) => (ArrayBuffer.isView(value) ? undefined : value)));
  const traced = traceStep("square", {
    model,
    rules: spec.task.rules,
    betas: optimizer.betas,
    inputs: { x: { shape: [1, 2] } },
    loss: spec.task.loss,
  });
  calls.note(
    "traceStep",
    Object.entries(kinds(traced)).map(([name, value]) => [
      name,
      typeof value === "object" && value !== null ? Object.keys(value).length : value,
    ]),
  );
  const scaled = traceStep("square", {
    model,
    rules: spec.task.rules,
    betas: optimizer.betas,
    inputs: { x: { shape: [1, 2] } },
    loss: spec.task.loss,
    scaled: true,
  });
  calls.note(
    "scaled",
    Object.entries(kinds(scaled)).map(([name, value]) => [
      name,
      typeof value === "object" && value !== null ? Object.keys(value).length : value,
    ]),
  );
  await calls.does("traceFunction", () =>
    Object.keys(traceFunction("out", model, spec.task.functions.out, (path) => `other.${path}`)),
  );

  const forward = await openForward("out", model, spec.task.functions.out, { engine: "eager" });
  calls.note("openForward", [
    forward.engine,
    forward.isGraph,
    await forward.run(row(3, 4)),
    await forward.run(row(0, 1)),
  ]);
  await forward.dispose();
  const forwards = await openForwards(
    model,
    {
      out: spec.task.functions.out,
      add: {
        inputs: { x: { shape: [1, 2] } },
        kept: { sum: [1, 2] },
        body: ({ x }, { sum }) => ({ sum: tf.add(sum, x), before: tf.clone(sum) }),
      },
      tell: { inputs: {}, kept: { sum: [1, 2] }, body: (_, { sum }) => ({ told: tf.mul(sum, 10) }) },
    },
    { engine: "eager" },
  );
  calls.note("openForwards", forwards.engine);
  for (const [name, fed] of [
    ["tell", {}],
    ["add", row(1, 2)],
    ["add", row(3, 4)],
    ["tell", {}],
    ["out", row(1, 1)],
  ] as const)
    calls.note(`  ${name}`, await forwards.run(name, fed));
  await forwards.dispose();

  const config = {
    dim: 16,
    heads: 2,
    hiddenDim: 24,
    normEps: 1e-6,
    ropeTheta: 10000,
    causal: true,
    rope: true,
    rowOrder: "hf",
    depth: 1,
    vocabulary: 256,
  } as const;
  const text = new TextEncoder().encode("to be or not to be, that is the question. é");
  const recipe = {
    steps: 4,
    batchSize: 2,
    length: 6,
    lr: 1e-2,
    minLr: 1e-3,
    warmupSteps: 2,
    weightDecay: 0.1,
    seed: 1,
    engine: "eager",
  } as const;
  for (const more of [{}, { seed: 2 }, { warmupSteps: 0 }, { weightDecay: 0 }, { length: 41 }]) {
    const learning = new LlamaLanguageModel(config, 3);
    const told: unknown[] = [];
    await trainLanguageModel(learning, text, {
      ...recipe,
      ...more,
      onStep: (step, loss, lr) => told.push([step, ...rough([loss]), lr]),
    });
    calls.note(`trained ${JSON.stringify(more)}`, told);
    calls.note(
      "  loss",
      rough([await languageModelLoss(learning, text, 5), await languageModelLoss(learning, text, 43)]),
    );
    learning.dispose();
  }
  const learning = new LlamaLanguageModel(config, 3);
  for (const length of [42, 43, 44])
    await calls.does(`trained on windows of ${length}`, () =>
      trainLanguageModel(learning, text, { ...recipe, length, steps: 1, warmupSteps: 0 }),
    );
  await languageModelLoss(learning, text, 5);
  for (const length of [43, 44])
    await calls.does(
      `loss of windows of ${length}`,
      async () => typeof (await languageModelLoss(learning, text, length)),
    );
  calls.approve("train/steps on an engine");
});
