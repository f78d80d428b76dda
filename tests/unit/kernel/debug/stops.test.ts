import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { DebugClient } from "./debugClient";

let debug: DebugClient;

before(async () => {
  debug = await DebugClient.start();
});
after(() => debug.close());

const run = (code: string) => debug.kernel.start(code);
const ended = async (id: string) => (await debug.kernel.answer(id)).reply.status;
const value = async (id: string) =>
  (await debug.kernel.answer(id)).published.find(({ type }) => type === "execute_result")?.content.data[
    "text/plain"
  ];

describe("a breakpoint", () => {
  const code = "let total: number = 0;\n\nfor (const n of [1, 2, 3]) {\n  total += n;\n}\ntotal";

  it("stops a cell at its line, each time, with the values of that moment", async () => {
    const path = await debug.breakIn(code, 4);
    const id = run(code);
    for (const [n, total] of [
      ["1", "0"],
      ["2", "1"],
      ["3", "3"],
    ]) {
      const stop = await debug.stopped();
      assert.equal(stop.reason, "breakpoint");
      const [frame] = await debug.stack();
      assert.deepEqual([frame!.line, frame!.source.path], [4, path]);
      const { Locals, Globals } = await debug.variables();
      assert.deepEqual([Locals!.n, Globals!.total], [n, total]);
      await debug.must("continue", { threadId: 1 });
    }
    assert.equal(await value(id), "6");
    await debug.breakAt(path);
    assert.equal(await value(run(code)), "6");
  });

  it("that is taken away and set again stops again, in code that is there already", async () => {
    const cell = "const again = (n: number) => {\n  return n + 1;\n};";
    const path = await debug.breakIn(cell, 2);
    assert.equal(await ended(run(cell)), "ok");
    for (let time = 0; time < 2; time++) {
      await debug.breakAt(path);
      assert.equal(await value(run("again(1)")), "2");
      await debug.breakAt(path, 2);
      const id = run("again(2)");
      await debug.stopped();
      await debug.must("continue", { threadId: 1 });
      assert.equal(await value(id), "3");
    }
    await debug.breakAt(path);
  });

  it("steps over lines", async () => {
    const cell = "const a = 1;\nconst b = a + 1;\nconst c = (() => {\n  return b * 2;\n})();\nc";
    const path = await debug.breakIn(cell, 1);
    const id = run(cell);
    const lines: string[] = [];
    for (let step = 0; step < 4; step++) {
      lines.push(...(await debug.where()));
      await debug.must("next", { threadId: 1 });
    }
    assert.deepEqual(
      lines.map((line) => line.replace(/cell \[\d+\]/, "cell")),
      ["<cell>:1", "<cell>:2", "<cell>:3", "<cell>:6"],
    );
    assert.equal(await value(id), "4");
    await debug.breakAt(path);
  });

  it("steps into a function of an earlier cell, and out of it", async () => {
    await debug.kernel.run("function half(n: number): number {\n  const by = 2;\n  return n / by;\n}");
    const cell = "const before = 8;\nconst after = half(before);\nafter";
    const path = await debug.breakIn(cell, 2);
    const id = run(cell);
    await debug.stopped();
    await debug.must("stepIn", { threadId: 1 });
    const into = await debug.where();
    assert.deepEqual([into.length, into[0]], [2, "half:2"]);
    assert.equal((await debug.variables()).Locals!.n, "8");
    await debug.must("stepOut", { threadId: 1 });
    assert.match((await debug.where()).join(), /^<cell \[\d+\]>:3$/);
    await debug.must("continue", { threadId: 1 });
    assert.equal(await value(id), "4");
    await debug.breakAt(path);
  });

  it("stops in a local file, whose lines are its own, and steps go there", async () => {
    const file = join(debug.kernel.folder, "shapes.ts");
    writeFileSync(
      file,
      "const factor: number = 3;\n\nexport function triple(n: number): number {\n  const made = n * factor;\n  return made;\n}\n",
    );
    const cell = 'import { triple } from "./shapes";\nconst tripled = triple(5);\ntripled';
    const path = await debug.breakIn(cell, 2);
    const [set] = await debug.breakAt(file, 5);
    assert.deepEqual([set.verified, set.line], [true, 5]);
    const id = run(cell);
    await debug.stopped();
    await debug.must("stepIn", { threadId: 1 });
    assert.equal((await debug.where())[0], "triple:4");
    const [frame] = await debug.stack();
    assert.equal(frame!.source.path, file);
    await debug.must("continue", { threadId: 1 });
    assert.equal((await debug.where())[0], "triple:5");
    const variables = await debug.variables();
    assert.deepEqual([variables.Locals!.made, variables.Globals!.factor], ["15", "3"]);
    const { content } = (await debug.must("source", { source: { path: file }, sourceReference: 0 })).body;
    assert.match(content, /^const factor: number = 3;/);
    await debug.must("continue", { threadId: 1 });
    assert.equal(await value(id), "15");
    const { modules } = (await debug.must("modules")).body;
    assert.deepEqual(
      modules.map((one: { path: string }) => one.path),
      [file],
    );
    await debug.breakAt(path);
    await debug.breakAt(file);
  });

  it("goes on over an await, and stops after it", async () => {
    const cell =
      "const soon = (n: number) => new Promise<number>((done) => setTimeout(() => done(n), 20));\nconst x = await soon(1);\nconst y = await soon(x + 1);\ny";
    const path = await debug.breakIn(cell, 2);
    const id = run(cell);
    await debug.stopped();
    await debug.must("next", { threadId: 1 });
    assert.match((await debug.where()).join(), />:3$/);
    await debug.must("next", { threadId: 1 });
    assert.match((await debug.where()).join(), />:4$/);
    assert.equal((await debug.variables()).Globals!.y, "2");
    await debug.must("continue", { threadId: 1 });
    assert.equal(await value(id), "2");
    await debug.breakAt(path);
  });

  it("moves to the next line that has code", async () => {
    const cell = "let moved = 1;\n\n// nothing here\nmoved++;\nmoved";
    const path = await debug.breakIn(cell, 2);
    const id = run(cell);
    assert.match((await debug.where()).join(), />:4$/);
    const changed = debug.events.filter(({ event }) => event === "breakpoint").at(-1);
    assert.deepEqual([changed.body.reason, changed.body.breakpoint.line], ["changed", 4]);
    await debug.must("continue", { threadId: 1 });
    assert.equal(await ended(id), "ok");
    await debug.breakAt(path);
  });

  it("stops on a condition, and at a number of hits", async () => {
    const cell =
      "const seen: number[] = [];\nfor (let i = 0; i < 10; i++) {\n  seen.push(i);\n}\nseen.length";
    const path = await debug.breakIn(cell, {
      line: 3,
      condition: "(i as number) === 7 && seen.length === 7",
    });
    const first = run(cell);
    await debug.stopped();
    assert.equal((await debug.variables()).Locals!.i, "7");
    await debug.must("continue", { threadId: 1 });
    assert.equal(await value(first), "10");
    await debug.breakAt(path, { line: 3, hitCondition: "% 4" });
    const second = run(cell);
    for (const i of ["3", "7"]) {
      await debug.stopped();
      assert.equal((await debug.variables()).Locals!.i, i);
      await debug.must("continue", { threadId: 1 });
    }
    assert.equal(await value(second), "10");
    await debug.breakAt(path, { line: 3, condition: "i % 2 === 1", hitCondition: "3" });
    const third = run(cell);
    await debug.stopped();
    assert.equal((await debug.variables()).Locals!.i, "5", "hits are those at which the condition holds");
    const { parent } = debug.kernel.iopub.filter(({ header }) => header.msg_type === "debug_event").at(-1)!;
    assert.equal(parent.msg_id, third, "a stop is told to who ran the cell");
    await debug.must("continue", { threadId: 1 });
    assert.equal(await value(third), "10");
    await debug.breakAt(path);
  });
});
