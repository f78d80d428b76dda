import { before, test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import type { Workers } from "../../../src/engine";
import { LayerNorm, Linear, Module, Parameter, zeros } from "../../../src/nn";
import { pretrainRules } from "../../../src/optim";
import { Agreement, expectShares, unshared } from "../../../src/train/agreement";
import { besideModel, loadHelpers } from "../../../src/train/besideModel";
import { expectClasses, expectClassOrder, expectImageSize } from "../../../src/train/checkSizes";
import { drawDropPath, dropPathFactors, dropPathRates } from "../../../src/train/dropPath";
import {
  arraysOf,
  imageFeed,
  normalizedImages,
  pixelFeed,
  pixelsOf,
  specsOf,
} from "../../../src/train/feeds";
import { KeptSlot } from "../../../src/train/kept";
import { withLossScale } from "../../../src/train/lossScale";
import { lastGoodCheckpoint, nonFiniteNames, nonFiniteState, onlyFinite } from "../../../src/train/nonFinite";
import { judge, mappingFor } from "../../../src/train/scoring";
import { averageName, moved, WeightAverage } from "../../../src/train/weightAverage";
import { Calls } from "../../support/calls";
import { unreadSet } from "./support";

before(() => startBackend());

test("scores, factors of branches, scales of losses and sizes", async () => {
  const calls = new Calls();
  const scores = Float32Array.of(-3, -1, -2, -1, -4, -5, -0.5);
  const mapping = (competing: "all" | "mapped") =>
    ({
      competing,
      name: "some",
      modelClasses: 7,
      mappedClasses: competing === "all" ? undefined : [5, 1, 3],
      predict: (row: Float32Array) => row.indexOf(Math.max(...row)) - 4,
    }) as never;
  for (const label of [0, 1, 3, 4, 5, 6]) await calls.of(judge, scores, label);
  for (const label of [0, 1, 2])
    await calls.does(`mapped ${label}`, () => judge(scores, label, mapping("mapped")));
  await calls.does("all", () => judge(scores, 2, mapping("all")));
  for (const competing of ["all", "mapped", undefined] as const)
    await calls.does(`broken, ${competing}`, () =>
      judge(Float32Array.of(1, Number.NaN, 3), 2, competing && mapping(competing)),
    );
  await calls.does("endless", () => judge(Float32Array.of(0, Number.NEGATIVE_INFINITY), 1));
  for (const [classes, has, of] of [
    [3, undefined, 3],
    [3, undefined, 5],
    [3, undefined, 2],
    [3, 7, 7],
    [3, 7, 3],
    [3, 7, 5],
  ] as const)
    await calls.does(
      `mappingFor ${classes}, ${has}, ${of}`,
      () =>
        mappingFor(
          {
            classes: Array(classes).fill("a"),
            mapping: has && ({ name: "some", modelClasses: has } as never),
          },
          of,
          "evaluate",
        )?.name,
    );
  for (const [depth, last] of [
    [1, 0.3],
    [2, 0.3],
    [5, 0.2],
    [3, 0],
    [0, 0.5],
  ])
    await calls.of(dropPathRates, depth, last);
  for (const rate of [0, 0.25, 0.5, 0.999])
    await calls.of(dropPathFactors, [0, 0.2, 0.25, 0.5, 0.7501, 0.999], rate);
  await calls.does("drawDropPath", () => drawDropPath(3, 0.6, 4, new Rng(5)));
  await calls.does("drawDropPath without a stream", () => drawDropPath(3, 0.6, 4, 5 as never));
  for (const good of [2 ** 15, 2 ** 12, 1, 0.5])
    for (const loss of [2, Number.NaN])
      await calls.does(`withLossScale up to ${good}, ${loss}`, async () => {
        const scales: number[] = [];
        const found = await withLossScale(async (scale) => {
          scales.push(scale);
          return { loss, gradientNorm: scale > good ? Number.POSITIVE_INFINITY : 1 };
        });
        return [found, scales.length, scales.at(-1)];
      });
  await calls.does("withLossScale failing", () =>
    withLossScale(() => Promise.reject(new LuvitError("engine-died", "gone"))),
  );
  const squares = (more: object) => ({ size: 16, ...more }) as never;
  for (const [set, size] of [
    [squares({}), 16],
    [squares({}), 24],
    [squares({ ownShapes: true }), 16],
  ] as const)
    await calls.does(`expectImageSize ${JSON.stringify(set)}, ${size}`, () =>
      expectImageSize(set, size, "finetune"),
    );
  for (const classes of [2, 3, 4])
    await calls.does(`expectClasses of ${classes}`, () => expectClasses(unreadSet(1), classes, "detect"));
  for (const classNames of [
    undefined,
    ["a", "b", "c"],
    ["b", "a", "c"],
    ["a", "c", "b"],
    ["a", "b"],
    ["a", "b", "d"],
    ["d", "e", "f"],
  ])
    for (const mapping of [undefined, {}])
      await calls.does(`expectClassOrder ${classNames}, ${mapping !== undefined}`, () =>
        expectClassOrder(unreadSet(1, { mapping }), { classNames }, "evaluate"),
      );
  calls.approve("train/scores and sizes");
});

test("what is fed, averaged, and no longer finite", async () => {
  const calls = new Calls();
  const images = Float32Array.from({ length: 24 }, (_, i) => i);
  const bytes = Uint8Array.from({ length: 24 }, (_, i) => 10 * i);
  await calls.of(imageFeed, images, 2);
  for (const count of [undefined, 2, 3]) {
    await calls.of(pixelFeed, { images } as never, 2, count);
    await calls.of(pixelFeed, { images, bytes } as never, 2, count);
  }
  for (const hasBytes of [true, false, undefined]) await calls.of(pixelsOf, { hasBytes } as never);
  const fed = {
    a: { data: bytes, shape: [24] },
    b: { data: images, shape: [4, 6] },
    c: { data: Int32Array.of(3), shape: [1], dtype: "int32" },
  } as const;
  await calls.of(specsOf, fed);
  await calls.of(arraysOf, fed);
  for (const pixels of ["bytes", "normalized"] as const)
    await calls.does(`normalizedImages of ${pixels}`, () =>
      tf.tidy(() => tf.clone(normalizedImages(tf.tensor([0, 255, 51, 102, 153, 7], [1, 3, 1, 2]), pixels))),
    );

  const model = new Linear(3, 2, new Rng(1));
  model.freeze("bias");
  const average = new WeightAverage(model, pretrainRules(model, 0.1), 0.75);
  const state = async () => [...(await average.state())];
  calls.note("names", [
    averageName("a.b"),
    [...average.parameters()].map(([name]) => name),
    [...average.byPath().keys()],
    average.decay,
  ]);
  calls.note("before a step, values are the weights", [...average.values()][0][1] === model.weight);
  calls.note("state", await state());
  for (const [what, dict] of [
    ["nothing", new Map()],
    ["another shape", new Map([["weight", { shape: [3, 2], data: new Float32Array(6) }]])],
  ] as const)
    await calls.does(`load ${what}`, () => average.load(dict as never, "somewhere"));
  await calls.does("load", () =>
    average.load(
      new Map([
        ["weight", { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
        ["other", { shape: [1], data: Float32Array.of(1) }],
      ]),
      "somewhere",
    ),
  );
  calls.note("state", await state());
  await calls.does("moved", () => tf.tidy(() => moved(tf.tensor([4, -8]), tf.tensor([0, 4]), 0.75)));
  average.dispose();
  calls.note("disposed", await state());

  const streamOf = (numbers: Record<string, number[]>) => ({
    shapes: new Map(Object.entries(numbers).map(([name, values]) => [name, [values.length]])),
    read: async (names: readonly string[]) =>
      Object.fromEntries(names.map((name) => [name, Float32Array.from(numbers[name])])),
  });
  const bad = { a: [1, 2], b: [Number.NaN], c: [3, Number.POSITIVE_INFINITY], d: [] };
  await calls.does("nonFiniteNames", () => nonFiniteNames(streamOf(bad)));
  for (const checkpoint of [undefined, "runs/a/step-3"]) {
    await calls.of(lastGoodCheckpoint, checkpoint);
    await calls.of(nonFiniteState, ["b", "c"], 7, 0.00123456, checkpoint);
  }
  await calls.of(
    nonFiniteState,
    Array.from({ length: 30 }, (_, i) => `w${i}`),
    1,
    1,
    undefined,
  );
  for (const broken of [[], ["b"]])
    await calls.does(`onlyFinite of ${broken}`, () => {
      const stream = { ...streamOf(bad), writeInto: async () => broken };
      return onlyFinite(stream, async () => new LuvitError("non-finite", "refused")).writeInto!(
        "file",
        new Map(),
      );
    });
  calls.approve("train/feeds and averages");
});

/** The workers of a job as one of them sees them. */
const workersOf = (rank: number, others: (own: unknown) => unknown[], said: number[] = []) =>
  ({
    rank,
    size: said.length + 1,
    sum: async ([own]: number[]) => [said.reduce((sum, one) => sum + one, own)],
    gather: async (own: unknown) => others(own),
  }) as unknown as Workers;

test("what workers agree on", async () => {
  const calls = new Calls();
  const alone = new Agreement(undefined);
  calls.note("alone", [
    alone.rank,
    alone.size,
    await alone.any(true),
    await alone.any(false),
    await alone.gather("own"),
  ]);
  calls.note("unshared", [unshared.rank, unshared.size, await unshared.gather("own")]);
  await calls.does("alone, alike", () => alone.expectAlike({ a: 1 }));
  await calls.does("alone, reports", () => alone.shareReports([]));
  const shared = new Agreement(workersOf(1, (own) => [own, "b"], [0, 1]));
  calls.note("shared", [shared.rank, shared.size, await shared.any(false), await shared.gather("own")]);
  calls.note("nobody", await new Agreement(workersOf(0, () => [], [0, 0])).any(false));
  const first = { a: "1", b: '"x"', c: "none" };
  for (const [what, all] of [
    ["alike", [first, first]],
    ["one other", [first, { ...first, a: "2" }]],
    ["missing and more", [first, { a: "1", d: "3" }, first, { ...first, b: '"y"', c: "[]" }]],
  ] as const)
    await calls.does(what, () => new Agreement(workersOf(0, () => [...all])).expectAlike({ a: 1 }));
  await calls.does("what is told", async () => {
    let told: unknown;
    await new Agreement(
      workersOf(0, (own) => {
        told = own;
        return [own, own];
      }),
    ).expectAlike({ a: 1, b: "x", c: undefined, d: [1, null], e: { f: Number.NaN } });
    return told;
  });
  const log: string[] = [];
  const set = (name: string) =>
    ({
      report: { skipped: [], add: (path: string, reason: string) => log.push(`${name} ${path} ${reason}`) },
    }) as never;
  await new Agreement(
    workersOf(0, () => [
      [[{ path: "p", reason: "cut" }], []],
      [[], [{ path: "q", reason: "text" }]],
    ]),
  ).shareReports([set("one"), set("two")]);
  calls.note("reports", log);
  for (const [accumulate, size, batchSize] of [
    [4, 1, 8],
    [4, 2, 8],
    [4, 3, 8],
    [4, 3, 6],
    [6, 4, 2],
    [1, 2, 5],
    [12, 8, 2],
  ])
    await calls.does(`${accumulate} batches of ${batchSize}, ${size} workers`, () =>
      expectShares({ accumulate, batchSize } as never, { rank: 0, size }),
    );
  calls.approve("train/agreements");
});

class Sized extends Module {
  readonly norm = new LayerNorm(2);
  readonly table: Parameter;
  constructor(numbers = 3) {
    super();
    this.table = new Parameter([numbers], zeros, 0);
  }
}

class Whole extends Module {
  readonly helper = new Linear(2, 1, new Rng(2));
  readonly teacher = new Linear(1, 1, new Rng(3));
  constructor(readonly model: Sized) {
    super();
  }
  protected override transparentFields(): readonly string[] {
    return ["model"];
  }
}

test("what stays open, and what is beside a model", async (t) => {
  const calls = new Calls();
  const log: string[] = [];
  let count = 0;
  const open = async () => {
    const name = ++count;
    log.push(`open ${name}`);
    return { name, dispose: async () => void log.push(`close ${name}`) };
  };
  const slot = new KeptSlot<Awaited<ReturnType<typeof open>>>();
  const model = new Sized();
  const step = async (what: string, use: () => Promise<unknown>) =>
    calls.note(what, [await use().catch((error: Error) => error.message), log.splice(0).join(", ")]);
  const use = async (key: string, of: Module = model) => {
    const { value, giveBack } = await slot.take(of, key, open);
    await giveBack();
    return value.name;
  };
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await step("first", () => use("a"));
  await step("again", () => use("a"));
  await step("another question", () => use("b"));
  await step("other weights", async () => {
    model.table.load({ shape: [3], data: Float32Array.of(5, 6, 7) });
    return use("b");
  });
  await step("another model", () => use("b", new Sized()));
  await step("one that cannot be opened", () =>
    slot.take(model, "c", () => Promise.reject(new Error("no room"))),
  );
  await step("after it", () => use("b"));
  await step("two at once", async () => {
    const [one, two] = [await slot.take(model, "b", open), await slot.take(model, "b", open)];
    await one.giveBack();
    await two.giveBack();
    return [one.value.name, two.value.name];
  });
  await step("released", () => slot.release());
  await step("released again", () => slot.release());
  await step("for an hour", async () => {
    await use("b");
    t.mock.timers.tick(3_599_999);
  });
  await step("and no longer", async () => t.mock.timers.tick(1));
  t.mock.timers.reset();

  const [whole, taken] = [new Whole(model), new Linear(1, 1, new Rng(4))];
  whole.teacher.freeze();
  const rules = pretrainRules(whole, 0.1);
  const frozen = new Map(
    [...taken.namedParameters()].map(([path, parameter]) => [`taken.${path}`, parameter]),
  );
  const beside = besideModel({ model, whole, frozen, rules });
  calls.note("beside", [[...beside.helpers.keys()], [...beside.frozen.keys()]]);
  const alone = besideModel({ model, rules });
  calls.note("beside nothing", [[...alone.helpers.keys()], [...alone.frozen.keys()]]);
  const numbers = (shape: number[]) => ({
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(7),
  });
  for (const [what, dict] of [
    ["none", new Map()],
    ["a part", new Map([["helper.weight", numbers([1, 2])]])],
    [
      "misshapen",
      new Map([
        ["helper.weight", numbers([2, 1])],
        ["helper.bias", numbers([1])],
      ]),
    ],
    [
      "all",
      new Map([
        ["helper.weight", numbers([1, 2])],
        ["helper.bias", numbers([1])],
      ]),
    ],
    [
      "more",
      new Map([
        ["helper.weight", numbers([1, 2])],
        ["helper.bias", numbers([1])],
        ["other", numbers([1])],
      ]),
    ],
  ] as const)
    await calls.does(`loadHelpers of ${what}`, async () => {
      loadHelpers(beside.helpers, dict as never, "runs/a");
      return [...(await whole.helper.weight.read()).data];
    });
  calls.approve("train/kept and beside");
});
