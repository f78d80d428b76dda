import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { mock, test } from "node:test";
import { LuvitError, type LuvitErrorCode } from "../../../src/core/errors";
import type { Engine, Program } from "../../../src/engine/executor";
import { EngineHost } from "../../../src/engine/process/host";
import {
  packError,
  packPrograms,
  type Reply,
  unpackError,
  unpackPrograms,
} from "../../../src/engine/process/messages";
import { temporaryFolder } from "../io/support";

const engines = createRequire(__filename)(
  "../../../src/engine/process/engines",
) as typeof import("../../../src/engine/process/engines");

/** A host whose engine notes what is asked of it. */
function hostOf(own: Partial<Engine>) {
  const asked: unknown[][] = [];
  const note =
    (name: string, result: unknown) =>
    (...given: unknown[]) => {
      asked.push([name, ...given]);
      return Promise.resolve(result);
    };
  const engine = {
    description: { engine: "noting" },
    traffic: { process: 0, device: 0 },
    run: note("run", { y: Float32Array.of(2) }),
    readState: note("readState", { w: Float32Array.of(1) }),
    writeState: note("writeState", undefined),
    dispose: note("dispose", undefined),
    ...own,
  } as unknown as Engine;
  const load = mock.method(engines, "loadEngine", () => () => Promise.resolve(engine));
  const host = new EngineHost("onnxruntime");
  let id = 0;
  const ask = async (request: object, arrays = {}) => {
    const frame = await host.answer({ message: { id: id++, ...request }, arrays });
    const { error, id: answered, ...rest } = frame.message as unknown as Reply;
    assert.equal(answered, id - 1);
    return { error, arrays: frame.arrays, rest };
  };
  const open = () => ask({ act: "open", executor: 7, ...packPrograms({}), options: {} });
  return { asked, ask, open, end: () => load.mock.restore() };
}

test("what is asked of an executor reaches it, and its results come back", async () => {
  const { asked, ask, open, end } = hostOf({});
  try {
    await open();
    const feeds = { x: Float32Array.of(1) };
    const run = await ask({ act: "run", executor: 7, program: "step", options: { hold: true } }, feeds);
    assert.deepEqual(run.arrays, { y: Float32Array.of(2) });
    assert.deepEqual((await ask({ act: "read", executor: 7, names: ["w"] })).arrays, {
      w: Float32Array.of(1),
    });
    await ask({ act: "write", executor: 7 }, feeds);
    const expected = [
      ["run", "step", feeds, { hold: true }],
      ["readState", ["w"]],
      ["writeState", feeds],
    ];
    assert.deepEqual(asked, expected);
  } finally {
    end();
  }
});

test("an executor that is given up is freed, and is not there any more", async () => {
  const { asked, ask, open, end } = hostOf({});
  try {
    await open();
    assert.equal((await ask({ act: "dispose", executor: 7 })).error, undefined);
    assert.deepEqual(asked, [["dispose"]]);
    for (const act of ["run", "read", "write", "dispose"]) {
      const { error } = await ask({ act, executor: 7 });
      assert.deepEqual([error?.code, error?.message], ["engine", "there is no executor 7"]);
    }
    assert.equal(asked.length, 1);
  } finally {
    end();
  }
});

test("state is read as views where an engine can give them", async () => {
  const { asked, ask, open, end } = hostOf({
    viewState: () => Promise.resolve({ w: Float32Array.of(3) }),
  } as Partial<Engine>);
  try {
    await open();
    assert.deepEqual((await ask({ act: "read", executor: 7, names: ["w"] })).arrays, {
      w: Float32Array.of(3),
    });
    assert.deepEqual(asked, []);
  } finally {
    end();
  }
});

test("answers tell what came of it beside arrays, and how much has moved to the device so far", async () => {
  const traffic = { process: 0, device: 5 };
  const { asked, ask, open, end } = hostOf({
    traffic,
    viewState: () => Promise.resolve({ w: Float32Array.of(1, 2), v: Float32Array.of(Number.NaN) }),
  } as Partial<Engine>);
  const path = join(temporaryFolder(), "state");
  try {
    assert.deepEqual((await open()).rest, { description: { engine: "noting" } });
    writeFileSync(path, Buffer.alloc(12));
    const places = [
      ["v", { start: 8, end: 12 }],
      ["w", { start: 0, end: 8 }],
    ];
    const saved = await ask({ act: "save", executor: 7, path, places });
    assert.deepEqual(saved.rest, { broken: ["v"], device: 5 });
    assert.deepEqual(Buffer.from(readFileSync(path)).readFloatLE(4), 2);
    traffic.device = 6;
    const place = { path: join(path, "none"), start: 0, end: 4, dtype: "F32", identity: "" };
    const loaded = await ask({ act: "load", executor: 7, files: [["w", place]] });
    assert.deepEqual(loaded.rest, { left: ["w"], device: 6 });
    assert.deepEqual((await ask({ act: "run", executor: 7, program: "p" })).rest, { device: 6 });
    assert.deepEqual((await ask({ act: "dispose", executor: 7 })).rest, { device: 6 });
    assert.deepEqual(
      asked.map(([name]) => name),
      ["writeState", "run", "dispose"],
    );
  } finally {
    end();
  }
});

test("what only a group of workers can do is refused in a process that has joined none, by name", async () => {
  const { ask, open, end } = hostOf({});
  try {
    await open();
    for (const [request, doing] of [
      [{ act: "sum" }, "sum"],
      [{ act: "gather" }, "gather"],
      [{ act: "leave" }, "leave"],
      [{ act: "align", executor: 7, changing: [], frozen: [] }, "aligning state"],
      [{ act: "same", executor: 7, changing: [] }, "comparing state"],
    ] as const) {
      const { error } = await ask(request, { numbers: new Uint8Array(8), own: new Uint8Array(1) });
      assert.deepEqual(
        [error?.code, error?.message],
        ["engine", `${doing}: this process has joined no group of workers`],
      );
    }
  } finally {
    end();
  }
});

test("an error is an answer that keeps its code, its words and where it came from", async () => {
  for (const [error, code] of [
    [new LuvitError("bad-argument", "no such feed"), "bad-argument"],
    [new TypeError("x is not a function"), undefined],
  ] as const) {
    const { ask, open, end } = hostOf({ run: () => Promise.reject(error) });
    try {
      await open();
      const answer = await ask({ act: "run", executor: 7, program: "step" });
      assert.deepEqual(answer.error, { code, name: error.name, message: error.message, stack: error.stack });
    } finally {
      end();
    }
  }
});

test("programs cross with every number of their attributes, and errors with each of their codes", () => {
  const attributes = {
    plain: [0, 1.5, -2],
    odd: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, [-0, [Number.NaN]]],
    one: -0,
    text: "-0",
    nothing: null,
    nested: { value: Number.POSITIVE_INFINITY, flag: false, $number: "x" },
  };
  const value = { id: 0, shape: [1], dtype: "float32" } as const;
  const graph = {
    name: "g",
    inputs: [],
    state: [],
    constants: [{ value, data: Float32Array.of(-0) }],
    nodes: [{ op: "Neg", inputs: [0], inputNames: ["x"], outputs: [{ ...value, id: 1 }], attributes }],
    outputs: [{ name: "y", id: 1 }],
  };
  const program = { graph, guard: "y", clipGradNorm: 2, lossScale: "scale", shared: "bfloat16" } as const;
  const { programs, arrays } = packPrograms({ step: program as unknown as Program });
  const crossed = unpackPrograms(JSON.parse(JSON.stringify(programs)), arrays);
  assert.deepEqual(crossed, { step: program });
  const codes: Record<LuvitErrorCode, true> = {
    ...{ "bad-argument": true, "bad-file": true, "refused-file": true, "missing-file": true },
    ...{ "shape-mismatch": true, "key-mismatch": true, "non-finite": true, "bad-image": true },
    ...{ "bad-dataset": true, engine: true, "engine-died": true, network: true, "no-access": true },
    interrupted: true,
  };
  for (const code of Object.keys(codes) as LuvitErrorCode[]) {
    const sent = JSON.parse(JSON.stringify(packError(new LuvitError(code, "what it said"))));
    const { code: found, message } = unpackError(sent, "it could not run");
    assert.deepEqual([found, message], [code, "what it said"]);
  }
  const foreign = Object.assign(new RangeError("too long"), { code: "ERR_X" });
  for (const [thrown, message] of [
    [foreign, "where: RangeError ERR_X: too long"],
    [new Error("plain"), "where: plain"],
    ["a text", "where: a text"],
    [
      Object.assign(new Error("odd"), { name: "LuvitError", code: "toString" }),
      "where: LuvitError toString: odd",
    ],
  ] as const) {
    const error = unpackError(JSON.parse(JSON.stringify(packError(thrown))), "where");
    assert.deepEqual([error.code, error.message], ["engine", message]);
  }
});
