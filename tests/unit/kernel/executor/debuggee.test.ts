import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { isCaught } from "../../../../src/kernel/compiler/catching";
import { emitEvaluation } from "../../../../src/kernel/compiler/live/evaluation";
import { registerMap } from "../../../../src/kernel/compiler/sourceMaps";
import { loadTypeScript } from "../../../../src/kernel/compiler/typescript";
import { Debuggee } from "../../../../src/kernel/executor/debuggee";
import { temporaryFolder } from "../../../support/temporaryFolder";

const compiler = loadTypeScript();

/** A debuggee whose scripts keep these variables. */
function debuggee(variables: Record<string, unknown>, hidden: readonly string[] = []) {
  const calls: unknown[][] = [];
  const made = new Debuggee({
    exportsOf: (script) => {
      calls.push(["exportsOf", script]);
      return variables;
    },
    hidden: () => new Set(hidden),
    declare: (name) => void calls.push(["declare", name]),
    flush: () => void calls.push(["flush"]),
  });
  return { made, calls };
}

test("a text that is evaluated has its own value, whatever it ends with, and sees what is given", () => {
  const value = (source: string, given: string[] = [], kept: object = {}): unknown =>
    runInNewContext(emitEvaluation(compiler, source, given, "kept"), { kept });
  assert.equal(value("a + 1 // what a is", ["a"], { a: 2 }), 3, "a comment hides nothing behind it");
  assert.equal(value("(a as any as number) * b!", ["a", "b"], { a: 2, b: 5 }), 10);
  assert.deepEqual({ ...(value("{ a, c: 1 }", ["a"], { a: 2 }) as object) }, { a: 2, c: 1 });
  assert.equal(value("{ let x = 4; x + 1 }"), 5, "a block stays one");
  assert.equal(value(" \n {}") === undefined, false, "an object");
  const kept = { n: 1 };
  assert.equal(value("n = 7", ["n"], kept), 7);
  assert.deepEqual(kept, { n: 7 }, "what is given is set where it is kept");
  assert.equal(value("((n) => n)(3)", ["n"], kept), 3);
  assert.throws(() => value("1 +"), /Expression expected/);
});

test("a local variable hides the notebook's of its name, and is what is set", () => {
  const variables = { total: 1, other: 2, ünï: 3, unused: 4 };
  const { made, calls } = debuggee(variables);
  const key = Symbol.for("luvit.kernel.debuggee");
  const undo = made.install();
  try {
    const evaluated = (source: string, locals: readonly string[]) =>
      new Function(
        "total",
        `const done = eval(${JSON.stringify(made.evaluation(source, "cell [3]", locals))}); return [done, total];`,
      )(50);
    assert.deepEqual(evaluated("total += other", ["total"]), [52, 52]);
    assert.deepEqual(variables.total, 1, "the notebook's stays");
    assert.deepEqual(evaluated("total += other", []), [3, 50]);
    assert.equal(variables.total, 3);
    assert.deepEqual(evaluated("ünï + 1", []), [4, 50]);
    assert.deepEqual(calls[0], ["exportsOf", "cell [3]"], "those of the script that is stopped");
    assert.doesNotMatch(made.evaluation("total", "cell [3]", []), /unused|other/);
    assert.equal((globalThis as never)[key], made);
  } finally {
    undo();
  }
  assert.equal((globalThis as never)[key], undefined);
});

test("of a script's variables those that nobody has declared are not shown, and none is read", () => {
  const getter = { get: () => assert.fail("it is read"), enumerable: true, configurable: true };
  const { made, calls } = debuggee(Object.defineProperty({ a: 1, prompt: 2 }, "late", getter), ["prompt"]);
  const shown = made.variables("cell [1]");
  assert.deepEqual(Object.keys(shown), ["a", "late"]);
  made.declare("x");
  made.flush();
  assert.deepEqual(calls, [["exportsOf", "cell [1]"], ["declare", "x"], ["flush"]]);
});

test("scripts are announced from when somebody attaches until they leave, those of files with their paths", () => {
  const file = join(temporaryFolder("debuggee"), "own.ts");
  writeFileSync(file, "x");
  const locate = (line: number, column: number) => (line === 1 ? undefined : { line: line - 1, column });
  registerMap("cell [own]", { locate, source: "cell [own]", text: "a\nb" });
  registerMap("/x/own.js", { locate, source: file, text: "x" });
  const { made } = debuggee({});
  const heard: unknown[] = [];
  made.announce("cell [own]");
  const loaded = made.attach((one) => void heard.push(one));
  const cell = { script: "cell [own]", path: undefined, text: "a\nb" };
  const own = { script: "/x/own.js", path: file, text: "x" };
  assert.deepEqual(loaded.slice(-2), [cell, own]);
  assert.deepEqual(heard, []);
  made.announce("cell [own]");
  made.announce("/x/own.js");
  made.announce("unknown");
  assert.deepEqual(heard, [cell, own, { script: "unknown", path: undefined, text: "" }]);
  made.detach();
  made.announce("cell [own]");
  assert.equal(heard.length, 3);
  const places = [
    { line: 1, column: 1 },
    { line: 3, column: 4 },
  ];
  assert.deepEqual(made.locate("cell [own]", places), [null, { line: 2, column: 4 }]);
  assert.deepEqual(made.locate("unknown", places), [null, null]);
});

test("a value that shows itself later is shown as text where nothing may go on", async () => {
  const { made } = debuggee({});
  const late = { a: 1, [Symbol.for("Jupyter.display")]: async () => ({ "text/html": "<b>" }) };
  assert.match(String((made.bundle(late, false) as Record<string, string>)["text/plain"]), /a: 1/);
  assert.equal((await made.bundle(late, true))["text/html"], "<b>");
  assert.deepEqual(made.bundle(5, false), { "text/plain": "5" });
});

test("a place is caught within a try that has a catch, and in no function of it", () => {
  const text = [
    ...["try {", "  here();", "  const f = () => {", "    inner();", "    try { deep(); } catch {}", "  };"],
    ...["} catch {", "  handler();", "} finally {", "  last();", "}", "try { open(); } finally {}"],
  ].join("\n");
  const caught = (word: string) => {
    const before = text.slice(0, text.indexOf(word)).split("\n");
    return isCaught(compiler, text, before.length, before.at(-1)!.length + 1);
  };
  assert.deepEqual(["here", "inner", "deep", "handler", "last", "open"].map(caught), [
    true,
    false,
    true,
    false,
    false,
    false,
  ]);
  assert.equal(isCaught(compiler, text, 99, 1), false, "beyond the text");
  registerMap("cell [caught]", { locate: () => undefined, source: "cell [caught]", text });
  const { made } = debuggee({});
  const at = (script: string, line: number) => ({ script, line, column: 3 });
  assert.equal(
    made.isCaught([at("cell [caught]", 8), at("cell [caught]", 2)]),
    true,
    "somewhere on the stack",
  );
  assert.equal(made.isCaught([at("cell [caught]", 8), at("unknown", 2)]), false);
  assert.equal(made.isCaught([]), false);
});
