import { before, test } from "node:test";
import { inspect } from "node:util";
import { checkOptions } from "../../../src/core/options";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { compile } from "../../../src/nn/compile";
import { Conv2d, UpConv2d } from "../../../src/nn/convolutions";
import { modelDigest, parameterDigest } from "../../../src/nn/digest";
import { constant, kaimingUniform, normal, ones, uniform, xavierUniform, zeros } from "../../../src/nn/init";
import { LayerNorm, Linear, RMSNorm } from "../../../src/nn/layers";
import { LoadReport, loadStateDict } from "../../../src/nn/loadStateDict";
import {
  fetchState,
  parameterShapes,
  sendParameters,
  streamOfParameters,
  withTracedParameters,
} from "../../../src/nn/modelState";
import { Module, millions } from "../../../src/nn/module";
import { epsilon, headCount, headsOfWidth, linearSizes, normSizes, width } from "../../../src/nn/options";
import { Parameter } from "../../../src/nn/parameter";
import { trainableVariables } from "../../../src/nn/variables";
import { Calls } from "../../support/calls";
import { rampTensor, withSlopes } from "./support";

before(() => startBackend({ backend: "cpu" }));

const own = <T>(make: () => T) => tf.tidy(make as never) as T;

/** A model with a list, a part without a name of its own, and settings. */
class Pair extends Module {
  readonly first: Linear;
  readonly layers: Module[];
  readonly inner: Module;
  readonly scale = 3;
  readonly names = ["a", "b"];

  constructor(seed = 1) {
    super();
    const rng = new Rng(seed);
    this.first = new Linear(3, 2, rng);
    this.layers = [new LayerNorm(2), new Linear(2, 4, rng, { bias: false })];
    this.inner = new Linear(2, 2, rng, { bias: false });
  }

  protected override transparentFields(): readonly string[] {
    return ["inner"];
  }
}

const stateOf = async (model: Module) =>
  [...(await model.stateDict())].map(([path, { shape, data }]) => [path, shape, data]);

test("what parameters start with and what layers compute is approved", async () => {
  const calls = new Calls();
  calls.title("initial values");
  for (const shape of [[3, 4], [5], [2, 3, 2, 2]]) {
    const initializers = {
      zeros,
      ones,
      xavierUniform,
      kaimingUniform,
      normal: normal(0.5),
      uniform: uniform(0.25),
    };
    for (const [name, initialize] of Object.entries(initializers))
      await calls.does(`${name} of [${shape}]`, () => {
        const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
        initialize(values, shape, new Rng(7));
        return values;
      });
  }
  await calls.does("constant", () => {
    const values = new Float32Array(4).fill(9);
    constant(() => Float32Array.of(1, 2))(values, [4], new Rng(1));
    return values;
  });
  for (const initialize of [ones, xavierUniform, kaimingUniform] as ((...given: unknown[]) => void)[])
    for (const [values, shape, rng] of [
      [[1], [1], new Rng(1)],
      [new Float32Array(2), [], new Rng(1)],
      [new Float32Array(2), [1.5], new Rng(1)],
      [new Float32Array(2), [2], 1],
    ])
      await calls.does(
        `${initialize.name} of ${inspect(values)}, ${inspect(shape)}, ${rng === 1 ? 1 : "a stream"}`,
        () => initialize(values, shape, rng),
      );

  calls.title("sizes");
  const limits = { width, headCount, epsilon };
  for (const [name, field] of Object.entries(limits))
    for (const value of [
      0,
      1,
      -1,
      1.5,
      4096,
      4097,
      1_000_000,
      1_000_001,
      0.5,
      1e-12,
      Number.NaN,
      "1",
      undefined,
    ])
      await calls.does(`${name} ${inspect(value)}`, () => checkOptions("a size", field, value));
  for (const [name, of, value] of [
    ["headsOfWidth", headsOfWidth, { width: 12, heads: 5 }],
    ["headsOfWidth", headsOfWidth, { width: 12, heads: 4 }],
    ["linearSizes", linearSizes, { inputs: 0, outputs: 2 }],
    ["normSizes", normSizes, { dim: 2 }],
    ["normSizes", normSizes, { dim: 2, eps: 2 }],
  ] as const)
    await calls.does(`${name} ${inspect(value)}`, () => checkOptions("sizes", of as never, value));

  calls.title("layers");
  const x = rampTensor([2, 3, 4], 2);
  const both = (name: string, make: () => { forward(x: Tensor): Tensor }, input = x) =>
    calls.does(name, () => {
      const layer = make() as Module & { forward(x: Tensor): Tensor };
      const variables = [...layer.namedParameters()].map(([, parameter]) => parameter.value);
      const found = own(() => {
        const loss = () =>
          tf.sum(tf.mul(layer.forward(input), rampTensor(layer.forward(input).shape, 1, 0.9))) as tf.Scalar;
        const { grads } = tf.variableGrads(loss, variables);
        const slopes = Object.values(grads).sort(
          (a, b) => Number((a as tf.Variable).id) - Number((b as tf.Variable).id),
        );
        return { paths: undefined, value: layer.forward(input), slopes } as never;
      }) as object;
      const parameters = layer.summary();
      layer.dispose();
      return { ...found, paths: parameters };
    });
  await both("Linear", () => new Linear(4, 5, new Rng(2)));
  await both("Linear without bias", () => new Linear(4, 5, new Rng(2), { bias: false }));
  await both("Linear of ones", () => new Linear(4, 2, new Rng(2), { initialize: ones }));
  await both("LayerNorm", () => new LayerNorm(4));
  await both("LayerNorm 0.5", () => new LayerNorm(4, 0.5));
  await both("RMSNorm", () => new RMSNorm(4));
  await both("RMSNorm 0.5", () => new RMSNorm(4, 0.5));
  const map = rampTensor([2, 3, 5, 2]);
  await both("Conv2d", () => new Conv2d(2, 3, new Rng(3)), map);
  await both("Conv2d 1", () => new Conv2d(2, 3, new Rng(3), { kernel: 1 }), map);
  await both(
    "Conv2d without bias, with a norm",
    () => new Conv2d(2, 3, new Rng(3), { kernel: 1, bias: false, normEps: 0.1 }),
    rampTensor([1, 2, 3, 2]),
  );
  await both(
    "Conv2d of given starts",
    () => new Conv2d(2, 3, new Rng(3), { kernel: 5, initialize: normal(0.1), initializeBias: ones }),
    map,
  );
  await both("UpConv2d", () => new UpConv2d(2, 3, new Rng(3)), map);
  await both(
    "UpConv2d of given starts",
    () => new UpConv2d(2, 3, new Rng(3), { initialize: normal(0.1), initializeBias: ones }),
    map,
  );
  await calls.does("UpConv2d.four", () => own(() => new UpConv2d(2, 3, new Rng(3)).four(map)));
  await calls.does("Linear.forwardByGroup", () => {
    const layer = new Linear(4, 6, new Rng(2), { initialize: normal(1) });
    const found = withSlopes((t) => layer.forwardByGroup(t, 2), rampTensor([3, 4, 4]));
    layer.dispose();
    return found;
  });
  const refused: Record<string, () => Module> = {
    "Linear(0, 1, rng)": () => new Linear(0, 1, new Rng(1)),
    "Linear(1, 1.5, rng)": () => new Linear(1, 1.5, new Rng(1)),
    "Linear(1, 1, 1)": () => new Linear(1, 1, 1 as never),
    "Linear(1, 1, rng, { bias: 1 })": () => new Linear(1, 1, new Rng(1), { bias: 1 as never }),
    "Linear(1, 1, rng, { initialize: 1 })": () => new Linear(1, 1, new Rng(1), { initialize: 1 as never }),
    "Linear(1, 1, rng, { init: ones })": () => new Linear(1, 1, new Rng(1), { init: ones } as never),
    "LayerNorm(0)": () => new LayerNorm(0),
    "LayerNorm(2, 0)": () => new LayerNorm(2, 0),
    "RMSNorm(0)": () => new RMSNorm(0),
    "RMSNorm(2, 2)": () => new RMSNorm(2, 2),
  };
  for (const [name, make] of Object.entries(refused)) await calls.does(name, () => String(make()));
  calls.approve("nn/layers");
});

test("what modules, parameters and state dicts say is approved", async () => {
  const calls = new Calls();
  calls.title("parameters");
  const parameter = () => new Parameter([2, 3], normal(1), 5);
  await calls.does("fresh", async () => {
    const one = parameter();
    const states = [one.isFresh, one.trainable, one.source, one.size, one.place()];
    const [peeked, read, told] = [await one.peek(), await one.read(), await one.tensor()];
    const [values, later] = [one.values, one.values];
    return [states, peeked, read, told, one.isFresh, values === later];
  });
  await calls.does("used", () => {
    const one = parameter();
    const before = one.values;
    const shape = one.value.shape;
    const found = [shape, one.isFresh, one.values === before, one.value.dataSync().slice()];
    one.value.assign(tf.zeros([2, 3]));
    const changed = one.values !== before;
    one.dispose();
    return [...found, changed];
  });
  await calls.does("loaded", async () => {
    const one = parameter();
    const before = one.values;
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    one.load({ shape: [2, 3], data }, "a file");
    const kept = await one.peek();
    const found = [
      one.isFresh,
      one.source,
      one.values === before,
      kept === data,
      one.value.dataSync().slice(),
    ];
    one.load({ shape: [2, 3], data: data.map((v) => 10 * v) });
    const again = [one.source, one.value.dataSync().slice(), data];
    one.dispose();
    return [found, again];
  });
  await calls.does("of another shape", () => parameter().load({ shape: [3, 2], data: new Float32Array(6) }));
  await calls.does("copies, shares and owners", async () => {
    const one = parameter();
    one.trainable = false;
    one.load({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }, "a file");
    const copy = await one.clone();
    const shared = one.share();
    const apart = shared.detach();
    const found = [
      copy === one,
      shared === one,
      apart === one,
      [copy, apart].map((p) => [p.trainable, p.source]),
      await copy.read(),
      await apart.read(),
      one.detach() === one,
    ];
    one.dispose();
    const after = await one.read().catch((error: Error) => error.message);
    for (const p of [copy, apart]) p.dispose();
    return [found, after];
  });
  await calls.does("shared by two", async () => {
    const one = parameter().share();
    one.dispose();
    const alive = await one.read();
    one.dispose();
    return [alive, await one.peek().catch((error: Error) => error.message)];
  });
  await calls.does("disposed", () => {
    const one = parameter();
    one.dispose();
    return one.value;
  });
  await calls.does("disposed, loaded again", async () => {
    const one = parameter();
    one.dispose();
    one.load({ shape: [2, 3], data: new Float32Array(6).fill(2) });
    return one.read();
  });
  await calls.does("substitutes", () =>
    own(() => {
      const one = parameter();
      const other = tf.variable(tf.fill([2, 3], 4));
      const inside = Parameter.withSubstitutes([[one, other]], () => one.value === other);
      let thrown = false;
      try {
        Parameter.withSubstitutes([[one, other]], () => {
          throw new Error("inside");
        });
      } catch {
        thrown = one.value !== other;
      }
      const found = [inside, thrown, one.value.dataSync().slice()];
      one.dispose();
      other.dispose();
      return found as never;
    }),
  );

  calls.title("modules");
  const model = new Pair();
  trainableVariables(model); // they are made once
  calls.note("text", [String(model), inspect(model)]);
  calls.note("counts", model.counts());
  calls.note("parts", model.parts());
  calls.note("summary", model.summary());
  calls.note(
    "namedParameters",
    [...model.namedParameters("at")].map(([path, { shape }]) => [path, shape]),
  );
  calls.note(
    "namedModules",
    [...model.namedModules()].map(([path, module]) => [path, module.constructor.name]),
  );
  calls.note("state", await stateOf(model));
  calls.note("digest", [await parameterDigest(model.first.weight), await modelDigest(model)]);
  for (const count of [0, 512, 9999, 10_000, 262_144, 93_121_256]) await calls.of(millions, count);
  for (const options of [{ prefix: "layers.1" }, { prefix: "" }, { trainableOnly: true }, { prefix: "none" }])
    await calls.does(`stateDict ${inspect(options)}`, async () => {
      model.freeze("layers.0");
      const keys = [...(await model.stateDict(options)).keys()];
      model.unfreeze();
      return keys;
    });
  for (const at of ["", "first", "first.", "first.w", "layers.1.weight", "weight", "layers", "none"])
    await calls.does(`freeze ${at}`, () => {
      model.freeze(at);
      const frozen = model.summary().flatMap(({ path, trainable }) => (trainable ? [] : [path]));
      const told = [
        frozen,
        model.counts(),
        String(model),
        model.parts(),
        [...trainableVariables(model).keys()],
      ];
      model.unfreeze(at);
      return [told, model.counts().trainable];
    });
  await calls.does("replaceModule", () => {
    const changed = new Pair();
    changed.replaceModule("layers.1", new LayerNorm(7));
    changed.replaceModule("first", new RMSNorm(5));
    changed.replaceModule("", new RMSNorm(4));
    return changed.summary();
  });
  for (const path of ["none", "first.weight", "layers", "layers.2", "inner"])
    await calls.does(`replaceModule ${path}`, () => new Pair().replaceModule(path, new LayerNorm(7)));
  await calls.does("clone", async () => {
    const frozen = new Pair().freeze("first");
    const copy = await frozen.clone();
    const [one, other] = [frozen, copy].map((pair) => new Map(pair.namedParameters()));
    const same = [...one].map(([path, p]) => [path, other.get(path) === p]);
    const kinds = [copy instanceof Pair, copy.layers === frozen.layers, copy.scale, await modelDigest(copy)];
    const all = await frozen.clone(() => true);
    return [same, kinds, [...all.namedParameters()].every(([path, p]) => one.get(path) === p)];
  });
  await calls.does("dispose", async () => {
    const gone = new Pair();
    gone.first.weight.value.dataSync();
    gone.dispose();
    return gone.stateDict();
  });
  for (const no of [1, {}, null])
    await calls.does(`trainableVariables ${inspect(no)}`, () => trainableVariables(no as never));
  await calls.does("namedParameters of nothing", () => [
    ...new (class extends Module {})().namedParameters(),
  ]);

  calls.title("loading");
  const state = await new Pair(4).stateDict();
  const without = (...keys: string[]) => new Map([...state].filter(([key]) => !keys.includes(key)));
  const withMore = new Map([...state, ["head.weight", { shape: [1], data: new Float32Array(1) }]] as never);
  const misshapen = new Map([...state, ["first.bias", { shape: [3], data: new Float32Array(3) }]] as never);
  const unreadable = new Map([
    ...state,
    ["first.bias", { shape: [2], data: new Float32Array(2), problem: "is a text" }],
  ] as never);
  const elsewhere = new Map([
    ...withMore,
    ["head.bias", { shape: [2], data: new Float32Array(2), problem: "is a text" }],
  ] as never);
  const load = (name: string, given: unknown, options: object = {}) =>
    calls.does(`load ${name} ${inspect(options, { breakLength: Number.POSITIVE_INFINITY })}`, async () => {
      const into = new Pair();
      const before = await modelDigest(into);
      try {
        const report = loadStateDict(into, given as never, options);
        const sources = [...into.namedParameters()].map(([path, p]) => [path, p.source]);
        return [report, String(report), inspect(report), sources, await modelDigest(into)];
      } catch (error) {
        return [error, before === (await modelDigest(into))];
      }
    });
  await load("all", state);
  await load("all", state, { source: "a.pth", notes: ["a note", "another"] });
  await load("some", without("first.bias", "weight"));
  await load("some", without("first.bias", "weight"), { allowMissing: ["first."] });
  await load("some", without("first.bias", "weight"), {
    allowMissing: ["first.", "weight"],
    notes: ["a note"],
  });
  await load("more", withMore);
  await load("more", withMore, { allowUnexpected: ["head."] });
  await load("more", withMore, {
    allowUnexpected: ["head.b"],
    fileNames: new Map([["head.weight", "fc.weight"]]),
  });
  await load("misshapen", misshapen);
  await load("misshapen", misshapen, { fileNames: new Map([["first.bias", "b"]]), source: "x" });
  await load("misshapen and missing", new Map([...misshapen].filter(([key]) => key !== "weight")));
  await load("unreadable", unreadable, { fileNames: new Map([["first.bias", "b"]]) });
  await load("unreadable elsewhere", elsewhere, { allowUnexpected: ["head."] });
  await load("a part", withMore, { only: "layers." });
  await load("a part", without("first.bias"), { only: "layers.1" });
  await load("a part", without("first.bias"), { only: "first" });
  await load("nothing", new Map());
  await load("an object", {});
  await load("all", state, { only: 3 });
  await load("all", state, { allowMissing: "first" });
  await load("all", state, { fileNames: {} });
  await load("all", state, { allowed: [] });
  await calls.does("model.loadStateDict", () => String(new Pair().loadStateDict(state)));
  for (const parts of [
    { loaded: ["a"], missing: [], unexpected: [], source: "x" },
    { loaded: ["a", "b"], missing: ["c"], unexpected: ["d", "e"], source: "x", notes: ["n"] },
    { loaded: [], missing: [] },
    3,
  ])
    await calls.does(`LoadReport ${inspect(parts)}`, () => {
      const report = new LoadReport(parts as never);
      return [report, String(report)];
    });
  calls.approve("nn/modules");
});

test("what is said to engines of a model, and what compiled functions give back, is approved", async () => {
  const calls = new Calls();
  const model = new Pair();
  calls.note("parameterShapes", parameterShapes(model));
  await calls.does("withTracedParameters", () =>
    own(() => {
      const state = Object.fromEntries(
        [...model.namedParameters()].map(([path, p]) => [path, tf.variable(tf.zeros([...p.shape]))]),
      );
      const inside = withTracedParameters(model, state, () =>
        [...model.namedParameters()].every(([path, p]) => p.value === state[path]),
      );
      tf.dispose(Object.values(state));
      return inside as never;
    }),
  );
  await calls.does("streamOfParameters", async () => {
    const stream = streamOfParameters(
      new Map([
        ["a", model.first.weight],
        ["b", model.first.bias!],
      ]),
    );
    return [stream.shapes, await stream.read(["b", "a"])];
  });
  /** An engine that notes what it is asked. */
  const engine = (log: unknown[], more: object = {}) => ({
    writeState: async (values: Record<string, Float32Array>) => {
      log.push(["write", Object.entries(values).map(([name, { length }]) => [name, length])]);
    },
    readState: async (names: string[]) => {
      log.push(["read", names]);
      return Object.fromEntries(
        names.map((name) => [
          name,
          new Float32Array(new Map(model.namedParameters()).get(name)!.size).fill(3),
        ]),
      );
    },
    ...more,
  });
  const placed = (parameter: Parameter) => {
    const place = { path: "a.safetensors", offset: 8, dtype: "F32" };
    parameter.load(
      { shape: parameter.shape, data: new Float32Array(parameter.size), place: () => place } as never,
      "a.safetensors",
    );
  };
  await calls.does("sendParameters", async () => {
    const log: unknown[] = [];
    await sendParameters(engine(log) as never, model.namedParameters());
    return log;
  });
  for (const [name, taken] of [
    ["takes files", []],
    ["leaves one", ["first.weight"]],
  ] as const)
    await calls.does(`sendParameters of files to an engine that ${name}`, async () => {
      const log: unknown[] = [];
      const filed = new Pair();
      placed(filed.first.weight);
      placed(filed.layers[1] instanceof Linear ? filed.layers[1].weight : filed.first.weight);
      const loadState = async (places: ReadonlyMap<string, unknown>) => {
        log.push(["load", [...places]]);
        return taken;
      };
      await sendParameters(Promise.resolve(engine(log, { loadState })) as never, filed.namedParameters());
      return log;
    });
  await calls.does("sendParameters of files to an engine that takes none", async () => {
    const log: unknown[] = [];
    const filed = new Pair();
    placed(filed.first.weight);
    await sendParameters(engine(log) as never, filed.namedParameters());
    return log;
  });
  await calls.does("sendParameters to an engine that does not open", () =>
    sendParameters(Promise.reject(new Error("no engine")), model.namedParameters()),
  );
  await calls.does("sendParameters to an engine that does not write", () =>
    sendParameters(
      engine([], { writeState: () => Promise.reject(new Error("no room")) }) as never,
      model.namedParameters(),
    ),
  );
  await calls.does("fetchState", async () => {
    const log: unknown[] = [];
    const into = new Pair();
    into.first.weight.source = "kept";
    await fetchState(engine(log) as never, into.namedParameters());
    return [log, await stateOf(into), into.first.weight.source];
  });
  await calls.does("fetchState of an engine that fails", async () => {
    const into = new Pair();
    const before = await modelDigest(into);
    const failed = await fetchState(
      engine([], { readState: () => Promise.reject(new Error("gone")) }) as never,
      into.namedParameters(),
    ).catch((error: Error) => error.message);
    return [failed, before === (await modelDigest(into))];
  });

  calls.title("compiled, op by op");
  const eager = { engine: "eager" } as const;
  const count = tf.variable(tf.scalar(1), true, "count");
  const spec = {
    inputs: { x: { shape: [2, 3] } },
    model,
    state: { count },
    body: ({ x }: Readonly<Record<string, Tensor>>) => ({
      y: model.first.forward(x),
      count: tf.add(count, tf.sum(x)),
    }),
  };
  await calls.once("compile and run", async () => {
    const compiled = await compile("pair", spec, eager);
    try {
      const told = [
        compiled.engine,
        compiled.runsOn,
        compiled.isGraph,
        String(compiled),
        inspect(compiled) === String(compiled),
      ];
      const text = [compiled.text(), compiled.summary().nodes ?? compiled.summary()];
      const first = await compiled.run({ x: [1, 2, 3, 4, 5, 6] });
      const second = await compiled.run({ x: Float32Array.of(1, 1, 1, 0, 0, 0) });
      const third = await compiled.run({ x: tf.ones([2, 3]) });
      const unsynced = count.dataSync()[0];
      await compiled.sync();
      const synced = count.dataSync()[0];
      own(() => count.assign(tf.scalar(100)));
      model.first.bias!.load({ shape: [2], data: Float32Array.of(10, 20) });
      const stale = await compiled.run({ x: tf.zeros([2, 3]) });
      await compiled.refresh();
      const fresh = await compiled.run({ x: tf.zeros([2, 3]) });
      await compiled.sync();
      return [told, text, first, second, third, unsynced, synced, stale, fresh, count.dataSync()[0]];
    } finally {
      await compiled.dispose();
    }
  });
  await calls.once("state that is read alone", async () => {
    const read = tf.variable(tf.scalar(2));
    const compiled = await compile(
      "reading",
      { inputs: { x: { shape: [] } }, state: { read }, body: ({ x }) => ({ y: tf.mul(x, read) }) },
      eager,
    );
    const first = await compiled.run({ x: 3 });
    own(() => read.assign(tf.scalar(5)));
    await compiled.sync();
    const synced = read.dataSync()[0];
    await compiled.refresh();
    const second = await compiled.run({ x: 3 });
    await compiled.dispose();
    read.dispose();
    return [first, synced, second];
  });
  await calls.once("unknown, missing and misshapen feeds", async () => {
    const compiled = await compile("pair", spec, eager);
    const failures: unknown[] = [];
    for (const feeds of [{ z: [1] }, {}, { x: [1, 2] }, { x: [1, 2, 3, 4, 5, 6], w: 1, v: 2 }])
      failures.push(await compiled.run(feeds as never).catch((error: Error) => error));
    await compiled.dispose();
    return failures;
  });
  await calls.once("guard", async () => {
    const guarded = tf.variable(tf.scalar(1));
    const compiled = await compile(
      "guarded",
      {
        inputs: { x: { shape: [] } },
        state: { guarded },
        body: ({ x }) => ({ loss: tf.log(x), guarded: tf.add(guarded, x) }),
      },
      { ...eager, guard: "loss" },
    );
    const values: unknown[] = [];
    for (const x of [1, -1, 2]) {
      values.push((await compiled.run({ x })).loss.data);
      await compiled.sync();
      values.push(guarded.dataSync()[0]);
    }
    await compiled.dispose();
    guarded.dispose();
    return values;
  });
  await calls.once("whole numbers", async () => {
    const compiled = await compile(
      "whole",
      { inputs: { i: { shape: [2], dtype: "int32" } }, body: ({ i }) => ({ y: tf.mul(i, 3) }) },
      eager,
    );
    const found = await compiled.run({ i: [2, 5] });
    await compiled.dispose();
    return found;
  });
  const empty = { inputs: {}, body: () => ({}) };
  for (const [name, what, options] of [
    ["", spec, {}],
    [3, spec, {}],
    ["a", 3, {}],
    ["a", { inputs: {} }, {}],
    ["a", { ...empty, body: 3 }, {}],
    ["a", { ...empty, inputs: { x: {} } }, {}],
    ["a", spec, { guard: 3 }],
    ["a", spec, { engines: "cpu" }],
    ["a", { ...spec, state: { "first.bias": count, weight: count } }, {}],
  ] as const)
    await calls.does(
      `compile ${inspect(name)} ${typeof what === "object" ? Object.keys(what) : what} ${inspect(options)}`,
      () => compile(name as never, what as never, { ...eager, ...options } as never),
    );
  calls.approve("nn/engines");
});
