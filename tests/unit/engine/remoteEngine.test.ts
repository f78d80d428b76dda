import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { afterEach, describe, mock, test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import type { FilePlace } from "../../../src/core/hostTensor";
import type { Engine } from "../../../src/engine";
import { alignState, sameState } from "../../../src/engine/process/alignState";
import type { EngineProcess } from "../../../src/engine/process/engineProcess";
import { openIn } from "../../../src/engine/process/executor";
import { assertRejects } from "../io/support";
import { GraphWriter } from "./support";

const load = createRequire(__filename);
const groups = load("../../../src/distributed/group") as typeof import("../../../src/distributed/group");

afterEach(() => mock.restoreAll());

/** An engine process that notes what it is asked and answers as `answers` says, by what is to be done. */
function noting(answers: Record<string, object> = {}) {
  const asked: { task: string; request: Record<string, unknown>; arrays: object }[] = [];
  const process = {
    pid: globalThis.process.pid,
    alive: true,
    executors: new Set<number>(),
    ask(task: string, request: { act: string }, arrays: object = {}) {
      asked.push({ task, request: request as never, arrays });
      const answer = answers[request.act] ?? {};
      if (answer instanceof Error) return Promise.reject(answer);
      const description = { engine: "onnxruntime", device: "cpu", precision: "float32" };
      return Promise.resolve({ id: 0, description, device: 100, arrays: {}, ...answer });
    },
  };
  return {
    asked,
    process,
    open: (programs: object) =>
      openIn(process as unknown as EngineProcess, programs as never, { threads: 3 }),
  };
}

/** Entries of so many numbers; those of `changed` get new numbers. */
function programOf(entries: Record<string, number>, changed: readonly string[] = []) {
  const g = new GraphWriter();
  const values = new Map(Object.entries(entries).map(([name, length]) => [name, g.state(name, [length])]));
  for (const name of changed) g.output(name, values.get(name)!);
  g.output("y", g.node("Neg", { x: g.input("x", [1]) }, [{ shape: [1] }])[0]);
  return { graph: g.finish() };
}

const LARGE = 2 ** 24 - 1; // numbers in a little less than 64 MiB, as many as cross together

describe("what is asked of an executor elsewhere", () => {
  test("is said in words, under its number, with its options; results come back", async () => {
    const { asked, process, open } = noting({ run: { arrays: { y: Float32Array.of(1, 2) } } });
    const engine = await open({ train: programOf({ w: 2 }, ["w"]), look: programOf({ v: 1 }) });
    const [{ task, request }] = asked;
    const { executor } = request;
    assert.equal(task, "open train, look");
    assert.deepEqual(
      [request.act, request.options, Object.keys(request.programs as object)],
      ["open", { threads: 3 }, ["train", "look"]],
    );
    assert.deepEqual([...process.executors], [executor]);
    assert.deepEqual(engine.traffic, { process: 0, device: 0 });
    const x = { x: Float32Array.of(3) };
    assert.deepEqual(await engine.run("train", x, { hold: true, fetch: ["y"] }), {
      y: Float32Array.of(1, 2),
    });
    assert.deepEqual(asked[1], {
      task: 'run "train"',
      request: { act: "run", executor, program: "train", options: { hold: true, fetch: ["y"] } },
      arrays: x,
    });
    assert.deepEqual(engine.traffic, { process: 4 + 8, device: 100 });
    await engine.run("train", x);
    assert.deepEqual(asked[2].request.options, {});
    assert.deepEqual(engine.traffic, { process: 2 * (4 + 8), device: 100 });
    const other = await open({ only: programOf({ w: 1 }) });
    await other.run("only", x);
    assert.notEqual(asked.at(-1)!.request.executor, executor);
  });

  test("names an adapter for webgpu alone", async () => {
    const cpu = await noting().open({});
    assert.deepEqual(cpu.description, {
      engine: "onnxruntime",
      device: "cpu",
      precision: "float32",
      adapter: undefined,
    });
    const told = { engine: "onnxruntime", device: "webgpu", precision: "float32", adapter: "another" };
    const { description } = await noting({ open: { description: told } }).open({});
    assert.notEqual(description.adapter, "another", "it is told here, by the process");
  });

  test("reads state in groups that fit, what programs change where no names are given", async () => {
    const entries = { a: LARGE, b: 1, c: 1, frozen: 3 };
    const { asked, open } = noting({ read: { arrays: { a: Float32Array.of(1) } } });
    const engine = await open({ step: programOf(entries, ["c", "a", "b"]) });
    assert.deepEqual(await engine.readState(), { a: Float32Array.of(1) });
    await engine.readState(["frozen", "c"]);
    await engine.readState([]);
    assert.deepEqual(
      asked.slice(1).map(({ task, request }) => [task, request.names]),
      [
        ["read state", ["a", "b"]],
        ["read state", ["c"]],
        ["read state", ["frozen", "c"]],
      ],
    );
  });

  test("writes state in groups that fit, and whole where something does not", async () => {
    const { asked, open } = noting();
    const engine = await open({ step: programOf({ a: LARGE, b: 1, c: 1 }) });
    const [a, b, c] = [new Float32Array(LARGE), Float32Array.of(2), Float32Array.of(3)];
    await engine.writeState({ a, b, c });
    await engine.writeState({ a, b, c: new Float32Array(2) });
    await engine.writeState({ c, other: b });
    assert.deepEqual(
      asked.slice(1).map(({ task, request, arrays }) => [task, request.act, Object.keys(arrays)]),
      [
        ["write state", "write", ["a", "b"]],
        ["write state", "write", ["c"]],
        ["write state", "write", ["a", "b", "c"]],
        ["write state", "write", ["c", "other"]],
      ],
    );
    assert.equal((asked[1].arrays as { a: Float32Array }).a, a, "nothing is copied");
  });

  test("saves and loads files of absolute paths: the process may be somewhere else", async () => {
    const { asked, open } = noting({ save: { broken: ["w"] }, load: { left: ["v"] } });
    const engine = await open({ step: programOf({ w: 1 }) });
    const place = { start: 0, end: 4 };
    assert.deepEqual(await engine.saveState!("some/file", new Map([["w", place]])), ["w"]);
    const from = {
      ...place,
      path: join("some", "w.bin"),
      identity: "i",
      dtype: "F32",
    } as unknown as FilePlace;
    assert.deepEqual(await engine.loadState!(new Map([["w", from]])), ["v"]);
    const [, save, loading] = asked.map(({ task, request: { executor: _, ...rest } }) => ({ task, ...rest }));
    assert.deepEqual(save, {
      task: "save state",
      act: "save",
      path: resolve("some/file"),
      places: [["w", place]],
    });
    const files = [["w", { ...from, path: resolve("some/w.bin") }]];
    assert.deepEqual(loading, { task: "load state", act: "load", files });
  });

  test("aligns and compares state: what programs change apart from what they do not, in groups that fit", async () => {
    const { asked, open } = noting({ align: { differing: ["f"] }, same: { same: false } });
    const engine = await open({
      step: programOf({ f: 2, a: LARGE, b: 2 }, ["a"]),
      more: programOf({ b: 2, g: LARGE }, ["b"]),
    });
    assert.deepEqual(await engine.alignState!(), ["f"]);
    assert.equal(await engine.sameState!(), false);
    const [, align, same] = asked.map(({ task, request: { executor: _, ...rest } }) => ({ task, ...rest }));
    assert.deepEqual(align, {
      task: "align state",
      act: "align",
      changing: [["a"], ["b"]],
      frozen: [["f"], ["g"]],
    });
    assert.deepEqual(same, { task: "compare state", act: "same", changing: [["a"], ["b"]] });
  });

  test("is given up once; a process that is gone has nothing to give up, one that lives tells why it did not", async () => {
    const { asked, process, open } = noting();
    const engine = await open({});
    await Promise.all([engine.dispose(), engine.dispose()]);
    assert.deepEqual(
      asked.slice(1).map(({ task, request }) => [task, request.act]),
      [["dispose of an executor", "dispose"]],
    );
    assert.equal(process.executors.size, 0);
    await assertRejects(() => engine.readState([]), "engine", "onnxruntime cpu (float32): it was disposed");
    const gone = noting();
    const lost = await gone.open({});
    gone.process.executors.clear();
    await lost.dispose();
    assert.equal(gone.asked.length, 1);
    const failing = noting({ dispose: new LuvitError("engine", "it does not let go") });
    const dead = await failing.open({});
    failing.process.alive = false;
    await dead.dispose();
    const living = noting({ dispose: new LuvitError("engine", "it does not let go") });
    await assertRejects(async () => (await living.open({})).dispose(), "engine", "it does not let go");
  });
});

/** Workers in one process, each in a context of its own, that come together for every sum and broadcast. */
class Job {
  private readonly here = new AsyncLocalStorage<{ rank: number }>();
  private waiting: { array: Float32Array | Float64Array | Uint8Array; go(): void }[] = [];

  constructor(readonly size: number) {
    const group = { sum: this.together((a, b) => a + b), broadcast: this.together((first) => first) };
    mock.method(groups, "groupFor", () => ({ ...group, ...this.here.getStore() }));
  }

  run<T>(work: (rank: number) => Promise<T>): Promise<T[]> {
    return Promise.all(
      Array.from({ length: this.size }, (_, rank) => this.here.run({ rank }, () => work(rank))),
    );
  }

  private together(join: (first: number, next: number) => number) {
    return async (array: Float32Array | Float64Array | Uint8Array) => {
      const { rank } = this.here.getStore()!;
      await new Promise<void>((go) => {
        this.waiting[rank] = { array, go };
        if (Object.keys(this.waiting).length < this.size) return;
        const all = this.waiting;
        this.waiting = [];
        const result = all[0].array.map((first, i) =>
          all.slice(1).reduce((sum, one) => join(sum, one.array[i]), first),
        );
        for (const one of all) {
          one.array.set(result);
          one.go();
        }
      });
    };
  }
}

function engineOf(state: Record<string, number[]>) {
  const arrays = Object.fromEntries(
    Object.entries(state).map(([name, numbers]) => [name, Float32Array.from(numbers)]),
  );
  const written: string[] = [];
  return {
    arrays,
    written,
    readState: async (names: string[]) =>
      Object.fromEntries(names.map((name) => [name, arrays[name].slice()])),
    writeState: async (values: Record<string, Float32Array>) => {
      written.push(...Object.keys(values));
      Object.assign(arrays, values);
    },
  };
}

describe("workers of a job", () => {
  test("begin with the first one's numbers in what they train, and tell in what else they differ", async () => {
    const job = new Job(3);
    const engines = [0, 1, 2].map((rank) =>
      engineOf({
        a: [rank, 1],
        b: [-rank],
        same: [7],
        "differs in the last": [rank === 2 ? 1 : 0],
        zero: [rank === 1 ? -0 : 0],
      }),
    );
    const frozen = [["same", "differs in the last"], ["zero"]];
    const told = await job.run((rank) =>
      alignState(engines[rank] as unknown as Engine, [["a"], ["b"]], frozen),
    );
    for (const [rank, { arrays, written }] of engines.entries()) {
      assert.deepEqual([[...arrays.a], [...arrays.b]], [[0, 1], [-0]]);
      assert.deepEqual(written, rank === 0 ? [] : ["a", "b"]);
      assert.deepEqual(told[rank], ["differs in the last", "zero"], "every worker hears the same");
    }
  });

  test("have the same numbers where every bit is the same", async () => {
    const same = async (...states: Record<string, number[]>[]) => {
      const job = new Job(states.length);
      return job.run((rank) => sameState(engineOf(states[rank]) as unknown as Engine, [["a"], ["b"]]));
    };
    const state = { a: [1, 2], b: [3], more: [0] };
    assert.deepEqual(await same(state, { ...state, more: [1] }), [true, true]);
    for (const other of [{ a: [1, 3] }, { b: [Number.NaN] }, { a: [2, 1] }]) {
      const answers = await same(state, state, { ...state, ...other });
      assert.deepEqual(answers, [false, false, false], JSON.stringify(other));
    }
  });
});
