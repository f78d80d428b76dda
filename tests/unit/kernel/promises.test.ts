import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { stripAnsi } from "../../../src/notebook/html";
import { Cells } from "./cells";

let cells: Cells;

before(() => {
  cells = new Cells();
});
after(() => cells.close());

describe("a promise in a cell", () => {
  it("is shown as Node shows it, with a hint that await is missing", async () => {
    for (const [code, shown] of [
      ["Promise.resolve(5)", "Promise { 5 }"],
      ["new Promise(() => {})", "Promise { <pending> }"],
      ["(async () => ({ a: 1 }))()", "Promise { { a: 1 } }"],
      ["class Later<T> extends Promise<T> {}\nLater.resolve(1)", "Later [Promise] { 1 }"],
    ] as const) {
      const [value, ...hint] = (await cells.run(code)).value!.split("\n");
      assert.equal(value, shown);
      assert.match(hint.join("\n"), /^hint: .*`await` is missing/);
    }
    const list = (await cells.run("[1, 2].map(async (x) => x)")).value;
    assert.match(list!, /^\[ Promise { 1 }, Promise { 2 } \]\nhint: .*`await Promise\.all\(…\)`/);
  });

  it("is shown so within other values and when it is printed, without a hint", async () => {
    const { text, value } = await cells.run(
      "const p = Promise.resolve(1);\nawait p;\nconsole.log(p, [p]);\n({ p, q: [p] })",
    );
    assert.equal(text, "Promise { 1 } [ Promise { 1 } ]\n");
    assert.equal(value, "{ p: Promise { 1 }, q: [ Promise { 1 } ] }");
  });

  it("shows nothing of the kernel where it was rejected, nor does whatever else a cell has started", async () => {
    const rejected = await cells.run(
      "const bad = Promise.reject(new Error('no'));\nbad.catch(() => {});\nbad",
    );
    assert.match(rejected.value!, /<rejected> Error: no\n\s+at cell \[\d+\]:1:28\n}/);
    const timer = await cells.run("setTimeout(() => {}, 1)");
    const child = await cells.run('require("child_process").spawn("true")');
    for (const { value } of [rejected, timer, child])
      assert.doesNotMatch(value!, /commit|askedAt|outputs|executor|run\.js/);
  });

  it("has a hint where the compiler finds it in the place of its value, and only there", async () => {
    await cells.run("const later = async () => 1;\nconst needs = (n: number) => n;");
    for (const code of [
      "later() + 1",
      "later().toFixed(1)",
      "const n: number = later();",
      "needs(later())",
      "for (const x of later());",
    ]) {
      const { outcome } = await cells.run(code);
      assert.ok(outcome.status === "error", code);
      assert.match(stripAnsi(outcome.traceback.join("\n")), /\nhint: .*`[^`]*await[^`]*`/, code);
    }
    const reverse = (await cells.run("const p: Promise<number> = 5;")).outcome;
    assert.ok(reverse.status === "error");
    assert.doesNotMatch(reverse.traceback.join("\n"), /hint/);
  });
});
