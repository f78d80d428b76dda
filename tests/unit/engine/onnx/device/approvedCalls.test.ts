import { test } from "node:test";
import type { AdamWUpdate } from "../../../../../src/engine/adamw/splitUpdates";
import type { Engine, Programs } from "../../../../../src/engine/executor";
import { DeviceAdamW } from "../../../../../src/engine/onnx/device/adamw";
import { chunksOf, joinGradients } from "../../../../../src/engine/onnx/device/chunks";
import { halfError } from "../../../../../src/engine/onnx/device/halfTrial";
import {
  addModel,
  copyModel,
  operands,
  squaresModel,
  updated,
  updateModel,
  zerosModel,
} from "../../../../../src/engine/onnx/device/models";
import { Moments } from "../../../../../src/engine/onnx/device/moments";
import { Transfer } from "../../../../../src/engine/onnx/device/transfer";
import type { OnnxModel } from "../../../../../src/engine/onnx/model";
import type { SessionSettings } from "../../../../../src/engine/onnx/session";
import { HostTraffic } from "../../../../../src/engine/onnx/traffic";
import { Calls } from "../../../../support/calls";
import { onnxLines } from "../../lower/loweredLines";
import { GraphWriter, withOnnxRuntime } from "../../support";
import { DeviceImitation } from "./imitation";

/*
 * What is approved: models of AdamW on a device, what runs there and when, and what stays in its memory.
 */

const rules = { beta1: 0.8, beta2: 0.9, eps: 0.01, weightDecay: 0.1, lrScale: 0.5, schedule: "schedule" };

const update = (
  parameter: string,
  shape: readonly number[],
  more: Partial<AdamWUpdate> = {},
): AdamWUpdate => ({
  parameter,
  average: `${parameter}.m`,
  squares: `${parameter}.v`,
  gradient: `gradient of ${parameter}`,
  shape,
  ...rules,
  ...more,
});

const settings: SessionSettings = { threads: 1, provider: "webgpu" };
const floats = (...numbers: number[]) => Float32Array.from(numbers);

test("chunks and their models are approved", async () => {
  const calls = new Calls();
  const told = (updates: AdamWUpdate[], bytes?: number) =>
    chunksOf(updates, bytes).map(
      ({ name, updates: own, starts, size }) =>
        `${name}: ${own.map(({ parameter }) => parameter)} at ${starts} of ${size}`,
    );
  await calls.does("no updates", () => told([]));
  await calls.does("alike", () => told([update("a", [2, 3]), update("b", []), update("c", [4])]));
  await calls.does("of other settings between", () =>
    told([
      update("a", [2]),
      update("b", [3], { weightDecay: 0 }),
      update("c", [4]),
      update("d", [5], { weightDecay: 0 }),
      update("e", [1], { schedule: "own" }),
    ]),
  );
  await calls.does("as many as fit 20 bytes", () =>
    told(
      [
        update("a", [3]),
        update("b", [2]),
        update("c", [6]),
        update("d", [1]),
        update("e", [4]),
        update("f", [1]),
      ],
      20,
    ),
  );
  await calls.does("by default, just fitting", () =>
    told([update("a", [2 ** 23 - 1]), update("b", [1]), update("c", [1])]),
  );
  calls.note("names", [operands, updated("w")]);
  const lines = (title: string, model: OnnxModel) =>
    calls.lines.push(`${title}: ${model.name}`, ...onnxLines(model).map((line) => `  ${line}`));
  const [chunk] = chunksOf([update("a", [2, 3]), update("b", []), update("c", [4])]);
  lines("update", updateModel(chunk));
  lines(
    "update of one parameter without decay",
    updateModel(chunksOf([update("a", [2, 3], { weightDecay: 0 })])[0]),
  );
  lines("add", addModel(chunk));
  lines("squares", squaresModel(chunk));
  lines("squares of smaller ones", squaresModel(chunk, 0.5));
  for (const size of [1023, 1024, 1025, 3000]) lines(`squares of ${size}`, squaresModel({ ...chunk, size }));
  lines("zeros", zerosModel(7));
  lines("copy", copyModel("float32", "float32") as never);
  lines("copy to float16", copyModel("float32", "float16") as never);
  lines("copy of int32", copyModel("int32", "int32") as never);
  const g = new GraphWriter();
  const [x, y] = [g.input("x", [2, 3]), g.state("y", [4])];
  g.output("loss", g.node("Square", { x }, [{ shape: [2, 3] }])[0]);
  for (const [name, value] of [
    ["a", x],
    ["c", y],
  ] as const)
    g.output(`gradient of ${name}`, value);
  const updates = [update("a", [2, 3]), update("c", [4])];
  await calls.does("joined gradients", () => {
    const { graph, gradients } = joinGradients({ graph: g.finish(), updates }, chunksOf(updates));
    return { gradients, outputs: graph.outputs, nodes: graph.nodes };
  });
  await calls.does(
    "joined gradients of two chunks",
    () => joinGradients({ graph: g.finish(), updates }, chunksOf(updates, 4)).graph.outputs,
  );
  calls.approve("engine/onnx/device, chunks and models");
});

test("moments, transfers and steps on a device are approved", withOnnxRuntime, async () => {
  const calls = new Calls();
  const device = new DeviceImitation();
  const { runtime } = device;
  const note = async (title: string, made?: () => unknown) => {
    if (made) await calls.once(title, made);
    calls.lines.push(`  ${device.since()}`);
  };
  const transfer = new Transfer(runtime, settings);
  const input = { name: "x", value: { id: 0, shape: [3], dtype: "float32" } } as const;
  let there: Awaited<ReturnType<Transfer["up"]>> | undefined;
  await note("up", async () => {
    there = await transfer.up(input, floats(1, -2.5, 3));
    return there.location;
  });
  await note("down", () => transfer.down("float32", there!));
  await note("and again", () => transfer.down("float32", there!));
  there!.dispose();
  await note("up in half", async () => {
    there = await transfer.up(input, floats(1, 0.1, 65504), "float16");
    return there.dims;
  });
  await note("down from half", () => transfer.down("float32", there!, "float16"));
  there!.dispose();
  await note("up of int32", async () => {
    there = await transfer.up(
      { name: "n", value: { id: 0, shape: [2], dtype: "int32" } },
      Int32Array.of(7, -8),
    );
    return transfer.down("int32", there);
  });
  there!.dispose();
  for (const size of [1, 5, 5])
    await note(`${size} zeros`, async () => {
      const zeros = await transfer.zeros(size);
      const numbers = await transfer.down("float32", zeros);
      zeros.dispose();
      return numbers;
    });
  calls.title("moments");
  const chunks = chunksOf([update("a", [2]), update("b", [3]), update("c", [2], { weightDecay: 0 })]);
  const moments = new Moments(transfer, chunks);
  await note("has", () => ["a.m", "b.v", "c.m", "a", "d.m"].map((name) => moments.has(name)));
  await note("read before anything", async () => [...(await moments.read(["a.m", "b.m", "a.v"]))]);
  await note("read again", async () => [...(await moments.read(["b.m", "a.m"]))]);
  await note("write a part", () => moments.write("b.m", floats(1, 2, 3)));
  await note("write the rest", () => moments.write("a.m", floats(-1, -2)));
  await note("read both", async () => [...(await moments.read(["a.m", "b.m"]))]);
  await note("write a part of what is there", () => moments.write("a.m", floats(8, 9)));
  await note("read it", async () => [...(await moments.read(["b.m", "a.m"]))]);
  await note("of the second chunk", async () => Object.keys(await moments.of(chunks[1])));
  await note("of the second chunk again", async () => Object.keys(await moments.of(chunks[1])));
  await note("a copy is one", async () => {
    (await moments.read(["a.m"])).get("a.m")!.fill(0);
    return [...(await moments.read(["a.m"]))];
  });
  calls.title("AdamW");
  const adamW = new DeviceAdamW(runtime, settings, chunks, moments);
  await note("open", async () => (await adamW.open()) === adamW);
  const parameters = new Map<string, Awaited<ReturnType<Transfer["up"]>>>();
  const place = {
    operand: (name: string) => parameters.get(name),
    replace: (name: string, tensor: NonNullable<typeof there>) => {
      parameters.get(name)?.dispose();
      parameters.set(name, tensor);
    },
  };
  for (const { updates } of chunks)
    for (const { parameter, shape } of updates)
      place.replace(
        parameter,
        await transfer.up(
          { name: parameter, value: { id: 0, shape, dtype: "float32" } },
          new Float32Array(shape[0]).fill(0.5),
        ),
      );
  await note("parameters");
  const gradients = async (scale = 1) =>
    new Map(
      await Promise.all(
        chunks.map(
          async (chunk) =>
            [
              chunk,
              await transfer.up(
                { name: "g", value: { id: 0, shape: [chunk.size], dtype: "float32" } },
                Float32Array.from({ length: chunk.size }, (_, i) => scale * (i - 1)),
              ),
            ] as const,
        ),
      ),
    );
  const schedule = () => [0.1, 0.2, 0.1];
  const step = async (scale: number, factors: object) =>
    adamW.step(await gradients(scale), schedule, place, factors);
  await note("a plain step", () => step(1, {}));
  await note("clipped", () => step(1, { clipGradNorm: 0.5 }));
  await note("clipped, but small", () => step(0.001, { clipGradNorm: 0.5 }));
  await note(
    "squares overflow",
    async () => Number((await step(1e25, { clipGradNorm: 0.5 }))!.toPrecision(3)) / 1e25,
  );
  await note("scaled", () => step(8, { lossScale: 8 }));
  await note("scaled, infinite", () => step(Number.POSITIVE_INFINITY, { lossScale: 8 }));
  await note("scaled and clipped", () => step(8, { lossScale: 8, clipGradNorm: 0.25 }));
  await note("hold", async () => adamW.hold(await gradients(), true));
  await note("hold more", async () => adamW.hold(await gradients(2), true));
  await note("release", async () => {
    const all = await adamW.release(await gradients(3), true);
    const numbers = await Promise.all([...all!.values()].map((tensor) => transfer.down("float32", tensor)));
    for (const tensor of all!.values()) tensor.dispose();
    return numbers;
  });
  await note("hold a bad one", async () => adamW.hold(await gradients(), false));
  await note("release then", async () => adamW.release(await gradients(), true));
  await note("release of a bad one", async () => adamW.release(await gradients(), false));
  await note("hold, then the end", async () => adamW.hold(await gradients(), true));
  for (const tensor of parameters.values()) tensor.dispose();
  await note("moments given back", () => moments.dispose());
  await note("AdamW given back", () => adamW.dispose());
  await note("transfer given back", () => transfer.dispose());
  calls.title("float16");
  await note("off by less than", async () => {
    const error = await halfError(runtime, settings);
    return error < 0.02;
  });
  device.failing = "half";
  await note("not there", () => halfError(runtime, settings));
  calls.approve("engine/onnx/device, steps");
});

test("runs of programs whose state is on a device are approved", withOnnxRuntime, async () => {
  const calls = new Calls();
  const device = new DeviceImitation();
  const programs = (more: object = {}, reads = false): Programs => {
    const g = new GraphWriter();
    const [x, scale, schedule] = [g.input("x", [2, 2]), g.input("scale", [1]), g.input("schedule", [3])];
    const [w, frozen] = [g.state("w", [2, 2]), g.state("frozen", [2, 2])];
    const [y] = g.node("BatchMatMul", { a: x, b: frozen }, [{ shape: [2, 2] }], {
      transposeA: false,
      transposeB: false,
    });
    const [gradient] = g.node("Multiply", { a: y, b: scale }, [{ shape: [2, 2] }]);
    const [average, squares] = [g.state("w.m", [2, 2]), g.state("w.v", [2, 2])];
    const next = g.node(
      "LuvitAdamW",
      { parameter: w, gradient, average, squares, schedule },
      [0, 1, 2].map(() => ({ shape: [2, 2] })),
      rules,
    );
    for (const [i, name] of ["w", "w.m", "w.v"].entries()) g.output(name, next[i]);
    g.output("loss", g.node("Sum", { x: y }, [{ shape: [] }], { axis: [0, 1], keepDims: false })[0]);
    if (reads) g.output("moment", g.node("Neg", { x: average }, [{ shape: [2, 2] }])[0]);
    return { step: { graph: g.finish("step"), guard: "loss", ...more } };
  };
  const feeds = (scale = 1, first = 3) => ({
    x: floats(first, -1, 2, 5),
    scale: floats(scale),
    schedule: floats(0.1, 0.2, 0.1),
  });
  const use = async (
    title: string,
    given: Programs,
    options: object,
    run: (engine: Engine, note: (name: string, made: () => unknown) => Promise<void>) => Promise<void>,
  ) => {
    calls.title(title);
    const note = async (name: string, made: () => unknown) => {
      await calls.once(name, made);
      calls.lines.push(`  ${device.since()}`);
    };
    let engine: Engine | undefined;
    await note("open", async () => {
      engine = await device.open(given, options);
      return { ...engine.description, productError: engine.description.productError !== undefined };
    });
    if (!engine) return;
    await run(engine, note);
    await note("dispose", () => engine!.dispose());
  };
  const state = { w: floats(1, 2, 3, 4), frozen: floats(0.5, 1, 0.25, 2) };
  /** Which results there are, and which of them are no numbers; the numbers are tested in sequences.test.ts. */
  const named = (results: Record<string, Float32Array>) =>
    Object.entries(results).map(
      ([name, numbers]) => `${name}${numbers.every(Number.isFinite) ? "" : " is no number"}`,
    );
  await use("a scaled loss", programs({ lossScale: "scale", clipGradNorm: 1 }), {}, async (engine, note) => {
    await note("run before anything is written", () => engine.run("step", feeds()));
    await note("write", () => engine.writeState({ frozen: state.frozen }));
    await note("run before all is written", () => engine.run("step", feeds()));
    await note("write the rest", () => engine.writeState({ w: state.w }));
    await note("write again", () => engine.writeState({ w: state.w }));
    await note("run", async () => named(await engine.run("step", feeds(4))));
    await note("run that gives state", async () =>
      named(await engine.run("step", feeds(4), { fetch: ["w.m", "loss"] })),
    );
    await note("infinite gradients", async () =>
      named(await engine.run("step", feeds(Number.POSITIVE_INFINITY))),
    );
    await note("a bad loss", async () => named(await engine.run("step", feeds(4, Number.NaN))));
    await note("hold", async () => named(await engine.run("step", feeds(4), { hold: true })));
    await note("release", async () => named(await engine.run("step", feeds(4))));
    await note("read", async () => named(await engine.readState()));
    await note("read one after the other", async () =>
      named({
        ...(await engine.readState(["w.m"])),
        ...(await engine.readState(["w.v"])),
        ...(await engine.readState(["frozen"])),
      }),
    );
    await note("read what there is not", () => engine.readState(["w", "z"]));
    await note("write what does not fit", () => engine.writeState({ w: floats(1), frozen: floats(2) }));
    calls.note("traffic", engine.traffic);
    device.failing = "update";
    await note("a step that stops half-way", () => engine.run("step", feeds(4)));
    device.failing = undefined;
    await note("and a run after it", () => engine.run("step", feeds(4)));
    await note("reading after it", () => engine.readState());
  });
  device.alive.clear();
  await use("frozen weights in float16", programs(), { precision: "float16" }, async (engine, note) => {
    await note("write", () => engine.writeState(state));
    await note("run", async () => named(await engine.run("step", feeds())));
    await note("read", async () => named(await engine.readState(["frozen", "w"])));
  });
  await use("a program that reads moments", programs({}, true), {}, async () => undefined);
  await use("two that train", { ...programs(), more: programs().step }, {}, async () => undefined);
  await use(
    "a scale where the graph itself changes state",
    (() => {
      const g = new GraphWriter();
      const [w, scale] = [g.state("w", [1]), g.input("scale", [1])];
      g.output("w", g.node("Multiply", { a: w, b: scale }, [{ shape: [1] }])[0]);
      return { main: { graph: g.finish("main"), lossScale: "scale" } };
    })(),
    {},
    async () => undefined,
  );
  await use(
    "new state of a graph, guarded",
    (() => {
      const g = new GraphWriter();
      const [w, x] = [g.state("w", [2]), g.input("x", [2])];
      const [next] = g.node("Multiply", { a: w, b: x }, [{ shape: [2] }]);
      g.output("w", next);
      g.output("loss", g.node("Sum", { x: next }, [{ shape: [] }], { axis: [0], keepDims: false })[0]);
      return { main: { graph: g.finish("main"), guard: "loss" } };
    })(),
    {},
    async (engine, note) => {
      await note("write", () => engine.writeState({ w: floats(1, 2) }));
      await note("run", () => engine.run("main", { x: floats(3, 4) }));
      await note("run that gives it", () => engine.run("main", { x: floats(1, 2) }, { fetch: ["w"] }));
      await note("a bad one", () => engine.run("main", { x: floats(Number.NaN, 1) }, { fetch: ["w"] }));
      await note("hold", () => engine.run("main", { x: floats(1, 1) }, { hold: true }));
      await note("read", () => engine.readState());
    },
  );
  calls.note("traffic counted", new HostTraffic().bytes);
  calls.approve("engine/onnx/device, runs");
});
