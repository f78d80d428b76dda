import { test } from "node:test";
import { alignState, sameState } from "../../../../src/engine/process/alignState";
import { EngineHost } from "../../../../src/engine/process/host";
import { Calls } from "../../../support/calls";

import groups = require("../../../../src/distributed/group");
import engines = require("../../../../src/engine/process/engines");

/** A group of workers of which only this one is here: the first has sent `first`, the others add `others` to sums. */
function groupOf(rank: number, { first = new Map<number, ArrayLike<number>>(), others = 0 } = {}) {
  const log: string[] = [];
  let broadcasts = 0;
  const group = {
    rank,
    mpi: "MPI of tests",
    broadcast: async (values: Float32Array | Uint8Array) => {
      log.push(`broadcast ${values.constructor.name} ${values.length}`);
      const sent = first.get(broadcasts++);
      if (sent && rank > 0) values.set(sent);
    },
    sum: async (values: Float64Array) => {
      log.push(`sum ${values}`);
      values.forEach((value, i) => {
        values[i] = value + others;
      });
    },
    gather: async (own: Uint8Array) => [own, Uint8Array.of(9, 9)],
    leave: async () => void log.push("leave"),
  };
  return { group, log };
}

/** An engine of so many entries, and what was done to it. */
function engineOf(entries: Record<string, number[]>, canView = true) {
  const log: string[] = [];
  const state = new Map(Object.entries(entries).map(([name, numbers]) => [name, Float32Array.from(numbers)]));
  const read = (how: string) => async (names: readonly string[]) => {
    log.push(`${how} ${names}`);
    return Object.fromEntries(names.map((name) => [name, state.get(name)!.slice()]));
  };
  const engine = {
    description: { engine: "onnxruntime", device: "cpu", precision: "float32" },
    traffic: { process: 0, device: 41 },
    readState: read("read"),
    viewState: canView ? read("view") : undefined,
    writeState: async (values: Record<string, Float32Array>) => {
      log.push(`write ${Object.entries(values).map(([name, numbers]) => `${name} ${numbers}`)}`);
      for (const [name, numbers] of Object.entries(values)) state.set(name, Float32Array.from(numbers));
    },
    run: async (program: string, feeds: object, options: object) => {
      log.push(`run ${program} ${Object.keys(feeds)} ${JSON.stringify(options)}`);
      return { y: Float32Array.of(3, 4) };
    },
    dispose: async () => void log.push("dispose"),
  };
  return { engine, log };
}

test("how workers' states are made one, and told apart, is approved", async (t) => {
  const calls = new Calls();
  const entries = { a: [1, 2], b: [3], f: [4], g: [5, 6] };
  const within = async (
    name: string,
    group: ReturnType<typeof groupOf>,
    call: (engine: never) => Promise<unknown>,
    canView = true,
  ) => {
    const mocked = t.mock.method(groups, "groupFor", () => group.group as never);
    const { engine, log } = engineOf(entries, canView);
    await calls.once(name, () => call(engine as never));
    calls.note("  engine", log);
    calls.note("  group", group.log);
    mocked.mock.restore();
  };
  const align = (engine: never) => alignState(engine, [["a"], ["b"]], [["f"], ["g"]]);
  await within("the first worker", groupOf(0), align);
  await within("the first, where one other differs", groupOf(0, { others: 1 }), align);
  await within(
    "another worker",
    groupOf(1, {
      first: new Map([
        [0, [7, 8]],
        [1, [9]],
      ]),
    }),
    align,
  );
  await within(
    "another that differs",
    groupOf(1, { first: new Map<number, ArrayLike<number>>([[2, new Uint8Array(64)]]) }),
    align,
  );
  await within("without views", groupOf(2), align, false);
  await within("nothing to align", groupOf(1), (engine) => alignState(engine, [], []));
  const same = (engine: never) => sameState(engine, [["a"], ["b"]]);
  await within("the same, here", groupOf(0), same);
  await within("the same, as others say", groupOf(0, { others: 1 }), same);
  await within(
    "not the same",
    groupOf(1, { first: new Map<number, ArrayLike<number>>([[0, new Uint8Array(32)]]) }),
    same,
  );
  calls.approve("engine/process/groups");
});

test("what an engine's process answers to everything it is asked is approved", async (t) => {
  const calls = new Calls();
  const { engine, log } = engineOf({ a: [1, 2], f: [4] });
  const group = groupOf(0, { others: 2 });
  t.mock.method(groups, "groupFor", () => group.group as never);
  t.mock.method(groups, "joinGroup", ((place: object) => {
    group.log.push(`join ${JSON.stringify(place)}`);
    return group.group;
  }) as never);
  t.mock.method(engines, "loadEngine", (name: string) => async (programs: object, options: object) => {
    log.push(`open ${name} ${Object.keys(programs)} ${JSON.stringify(options)}`);
    return engine;
  });
  const host = new EngineHost("onnxruntime");
  let id = 0;
  const ask = async (request: object, arrays: object = {}) => {
    await calls.once(JSON.stringify(request), async () => {
      const { message, arrays: found } = await host.answer({
        message: { id: id++, ...request },
        arrays: arrays as never,
      });
      const { error, ...rest } = message as { error?: { name: string; message: string } };
      return [rest, error && `${error.name}: ${error.message}`, found];
    });
    calls.note("  engine", log.splice(0));
    if (group.log.length > 0) calls.note("  group", group.log.splice(0));
  };
  const graph = { name: "g", inputs: [], state: [], constants: [], nodes: [], outputs: [] };
  await ask({ act: "open", executor: 4, programs: { one: { graph } }, options: { threads: 2 } });
  await ask({ act: "run", executor: 4, program: "one", options: { keep: ["y"] } }, { x: Float32Array.of(1) });
  await ask({ act: "read", executor: 4, names: ["f", "a"] });
  await ask({ act: "write", executor: 4 }, { a: Float32Array.of(5, 6) });
  await ask({
    act: "load",
    executor: 4,
    files: [["a", { path: "/none", start: 0, end: 8, identity: "i", dtype: "F32" }]],
  });
  await ask({ act: "align", executor: 4, changing: [["a"]], frozen: [["f"]] });
  await ask({ act: "same", executor: 4, changing: [["a"]] });
  await ask({ act: "run", executor: 5, program: "one", options: {} });
  await ask({ act: "join", rank: 1, size: 3 });
  await ask({ act: "sum" }, { numbers: new Uint8Array(Float64Array.of(1.5, -2).buffer) });
  await ask({ act: "gather" }, { own: Uint8Array.of(1, 2, 3) });
  await ask({ act: "leave" });
  await ask({ act: "dispose", executor: 4 });
  await ask({ act: "read", executor: 4, names: ["a"] });
  calls.approve("engine/process/host");
});
