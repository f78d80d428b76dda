import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient } from "../client";
import { DebugClient, texts } from "./debugClient";

let debug: DebugClient;

before(async () => {
  debug = await DebugClient.start();
});
after(() => debug.close());

const run = (code: string) => debug.kernel.start(code);
const result = async (id: string) => {
  const { published } = await debug.kernel.answer(id);
  return published.find(({ type }) => type === "execute_result")?.content.data["text/plain"];
};

describe("a cell that is stopped", () => {
  const loop = "let turns = 0;\nwhile (turns < 3) {\n  turns++;\n}\nturns";

  it("names a long map or set by its size, and shows what is in those beside it", async () => {
    const cell =
      'const many = new Map(Array.from({ length: 5000 }, (_, i) => [i, String(i)]));\nconst few = new Map([[1, "a"]]);\nconst both = { many, few };\nconst codes = new Set(many.keys());\ncodes.size';
    const path = await debug.breakIn(cell, 5);
    const id = run(cell);
    await debug.stopped();
    const { Globals } = await debug.variables();
    assert.deepEqual([Globals!.many, Globals!.codes], ["Map(5000)", "Set(5000)"]);
    assert.match(Globals!.few!, /^Map\(1\) \{ "?1"? => "?a"? \}$/);
    assert.equal(Globals!.both, "{ many: Map(5000), few: Map(1) }");
    const large = (await debug.evaluate("many")).body;
    assert.equal(large.result, "Map(5000)");
    const folds = await debug.children(large.variablesReference);
    assert.deepEqual([folds.length, folds[49].name], [50, "[4900 … 4999]"]);
    assert.equal((await debug.evaluate("few")).body.result, Globals!.few);
    await debug.must("continue", { threadId: 1 });
    assert.equal(await result(id), "5000");
    await debug.breakAt(path);
  });

  it("shows, expands and sets its variables, and evaluates TypeScript among them", async () => {
    await debug.kernel.run("let scale = 10;");
    const cell =
      'function look(list: number[], by: Map<string, number>) {\n  let sum = 0;\n  return list.length + sum;\n}\nconst looked = look(Array.from({ length: 1234 }, (_, i) => i), new Map([["a", 1]]));\nlooked';
    const path = await debug.breakIn(cell, 3);
    const id = run(cell);
    await debug.stopped();
    const { Locals, Globals } = await debug.variables();
    assert.equal(Locals!.sum, "0");
    assert.match(Locals!.list!, /^Array\(1234\) \[0, 1, 2, .*…\]$/);
    assert.match(Locals!.by!, /^Map\(1\) \{ "?a"? => 1 \}$/);
    assert.equal(Globals!.scale, "10");
    assert.deepEqual(
      Object.keys(Globals!).filter((name) => name.startsWith("__") || name === "prompt"),
      [],
    );
    const list = (await debug.evaluate("list")).body;
    const folds = await debug.children(list.variablesReference);
    assert.deepEqual([folds.length, folds[12].name], [13, "[1200 … 1233]"]);
    assert.deepEqual(texts(await debug.children(folds[12].variablesReference))["1233"], "1233");
    const long = (await debug.evaluate("Array.from({ length: 20150 }, (_, i) => i)")).body;
    const parts = await debug.children(long.variablesReference);
    const named = (variables: { name: string }[]) => variables.map(({ name }) => name);
    assert.deepEqual(named(parts), ["[0 … 9999]", "[10000 … 19999]", "[20000 … 20149]"]);
    const within = await debug.children(parts[1].variablesReference);
    assert.deepEqual([within.length, within[99].name], [100, "[19900 … 19999]"]);
    const rest = await debug.children(parts[2].variablesReference);
    assert.deepEqual(named(rest), ["[20000 … 20099]", "[20100 … 20149]"]);
    assert.deepEqual(texts(await debug.children(rest[1].variablesReference))["20149"], "20149");
    const paged = await debug.children(list.variablesReference, { filter: "indexed", start: 40, count: 2 });
    assert.deepEqual(texts(paged), { 40: "40", 41: "41" });
    assert.equal((await debug.evaluate("(list as any[]).length * scale + sum")).body.result, "12340");
    assert.equal((await debug.evaluate("{ a: scale }")).body.result, "{ a: 10 }");
    const failed = await debug.evaluate("nowhere + 1");
    assert.deepEqual([failed.success, failed.message], [false, "ReferenceError: nowhere is not defined"]);
    const [frame] = await debug.stack();
    const { scopes } = (await debug.must("scopes", { frameId: frame!.id })).body;
    const set = { variablesReference: scopes[0].variablesReference, name: "sum", value: "3 as number" };
    assert.equal((await debug.must("setVariable", set)).body.value, "3");
    const copied = { srcVariableName: "sum", dstVariableName: "taken", srcFrameId: frame!.id };
    await debug.must("copyToGlobals", copied);
    const rich = (await debug.must("richInspectVariables", { variableName: "by", frameId: frame!.id })).body;
    assert.match(rich.data["text/plain"], /Map\(1\) \{ 'a' => 1 \}/);
    await debug.must("continue", { threadId: 1 });
    assert.equal(await result(id), "1237");
    assert.equal(await result(run("taken + 1")), "4");
    await debug.breakAt(path);
  });

  it("has what it printed shown, and waits as long as one likes", async () => {
    const cell = 'console.log("before");\nlet after = 1;\nafter';
    const path = await debug.breakIn(cell, 2);
    const id = run(cell);
    await debug.stopped();
    const printed = () => debug.kernel.published(id).some(({ content }) => content.text === "before\n");
    await debug.kernel.until(printed);
    await sleep(6000); // longer than every patience of the threads that watch
    assert.equal(await debug.kernel.beat(), "ping");
    assert.equal((await debug.variables()).Globals!.after, "undefined");
    const [frame] = await debug.stack();
    const { scopes } = (await debug.must("scopes", { frameId: frame!.id })).body;
    const { variablesReference } = scopes.find(({ name }: { name: string }) => name === "Globals");
    await debug.must("setVariable", { variablesReference, name: "scale", value: "20" });
    await debug.must("continue", { threadId: 1 });
    assert.equal(await result(id), "1");
    assert.equal(await result(run("scale + 1")), "21");
    await debug.breakAt(path);
  });

  it("is ended by the stop button while it evaluates without an end", async () => {
    const cell = "let begun = 1;\nbegun = 2;";
    const path = await debug.breakIn(cell, 2);
    const id = run(cell);
    await debug.stopped();
    const endless = debug.evaluate("(() => { while (true) {} })()");
    await sleep(300);
    await debug.kernel.interrupt();
    assert.equal((await endless).success, false);
    assert.equal((await debug.kernel.answer(id)).reply.ename, "KeyboardInterrupt");
    assert.equal(await result(run("1 + 1")), "2");
    await debug.breakAt(path);
  });

  it("is ended by the stop button where it stands", async () => {
    for (const cell of [
      "let reached = 0;\nreached = 1;\nreached = 2;",
      "let reached = 0;\nawait null;\nreached = 1;\nreached = 2;",
    ]) {
      const line = cell.split("\n").length;
      const path = await debug.breakIn(cell, line);
      const id = run(cell);
      await debug.stopped();
      await debug.kernel.interrupt();
      const { reply } = await debug.kernel.answer(id, 10_000);
      assert.deepEqual([reply.status, reply.ename], ["error", "KeyboardInterrupt"], cell);
      assert.equal(await result(run("reached")), "1", cell);
      await debug.breakAt(path);
    }
    assert.deepEqual((await debug.must("debugInfo")).body.stoppedThreads, []);
  });

  it("goes on when the debugger leaves, and another can come", async () => {
    const path = await debug.breakIn(loop, 3);
    const id = run(loop);
    await debug.stopped();
    assert.deepEqual((await debug.must("debugInfo")).body.stoppedThreads, [1]);
    await debug.must("disconnect", { restart: false, terminateDebuggee: false });
    assert.equal(await result(id), "3");
    const info = (await debug.must("debugInfo")).body;
    assert.deepEqual([info.isStarted, info.breakpoints], [false, []]);
    assert.equal(await result(run(loop)), "3");
    await debug.attach();
    await debug.breakAt(path, 3);
    const again = run(loop);
    assert.equal((await debug.stopped()).reason, "breakpoint");
    await debug.must("disconnect", { terminateDebuggee: true });
    assert.equal((await debug.kernel.answer(again)).reply.ename, "KeyboardInterrupt");
    await debug.attach();
  });

  it("is paused in the middle of a loop", async () => {
    const id = run(
      "let spun = 0;\nconst state = { spins: true };\nwhile (state.spins) {\n  spun++;\n}\nspun > 0",
    );
    await debug.kernel.until(() => debug.kernel.published(id).some(({ type }) => type === "execute_input"));
    await sleep(300);
    const { variables } = (await debug.must("inspectVariables")).body; // while it computes
    assert.equal(texts(variables).state, "{ spins: true }");
    await debug.must("pause", { threadId: 1 });
    assert.equal((await debug.stopped()).reason, "pause");
    assert.equal((await debug.evaluate("state.spins = false")).body.result, "false");
    await debug.must("continue", { threadId: 1 });
    assert.equal(await result(id), "true");
  });
});

describe("exceptions", () => {
  it("stop where they are thrown: those that nobody catches, or all", async () => {
    const caught =
      'function fails(): never {\n  throw new RangeError("far");\n}\ntry {\n  fails();\n} catch {}\n"caught"';
    const free = "await null;\nfails();";
    await debug.must("setExceptionBreakpoints", { filters: ["uncaught"] });
    assert.equal(await result(run(caught)), "caught");
    const id = run(free);
    const stop = await debug.stopped();
    assert.deepEqual([stop.reason, stop.text], ["exception", "RangeError: far"]);
    const info = (await debug.must("exceptionInfo", { threadId: 1 })).body;
    assert.deepEqual([info.exceptionId, info.breakMode], ["RangeError", "unhandled"]);
    assert.deepEqual(
      (await debug.stack()).map(({ name, line }) => [name.replace(/ \[\d+\]/, ""), line]),
      [
        ["fails", 2],
        ["<cell>", 2],
      ],
    );
    await debug.must("continue", { threadId: 1 });
    assert.equal((await debug.kernel.answer(id)).reply.ename, "RangeError");
    await debug.must("setExceptionBreakpoints", { filters: ["all"] });
    const all = run(caught);
    assert.equal((await debug.stopped()).reason, "exception");
    await debug.must("continue", { threadId: 1 });
    assert.equal(await result(all), "caught");
    await debug.must("setExceptionBreakpoints", { filters: [] });
    assert.equal(await result(run(caught)), "caught");
  });
});

describe("the debugger", () => {
  it("names cells as frontends do, and shows the notebook's variables between cells", async () => {
    const info = (await debug.must("debugInfo")).body;
    assert.deepEqual([info.hashMethod, info.richRendering, info.copyToGlobals], ["Murmur2", true, true]);
    const code = 'const texts = ["ä", "🐑"];';
    const { sourcePath } = (await debug.must("dumpCell", { code })).body;
    assert.match(sourcePath.slice(info.tmpFilePrefix.length), /^\d+\.ts$/);
    assert.equal(readFileSync(sourcePath, "utf8"), code);
    await debug.kernel.run(code);
    const { variables } = (await debug.must("inspectVariables")).body;
    assert.equal(texts(variables).texts, 'Array(2) ["ä", "🐑"]');
    assert.equal(
      (await debug.must("evaluate", { expression: "await Promise.resolve(texts.length)" })).body.result,
      "2",
    );
    const rich = (await debug.must("richInspectVariables", { variableName: "texts" })).body;
    assert.match(rich.data["text/plain"], /\[ 'ä', '🐑' \]/);
  });

  it("answers what it cannot read or do with the reason, and lives", async () => {
    for (const [request, message] of [
      [{}, /^command: expected/],
      [{ command: "dance" }, /^dance: no such request$/],
      [{ command: "constructor" }, /no such request/],
      [{ command: "dumpCell", arguments: 5 }, /^arguments: expected an object, came 5$/],
      [{ command: "dumpCell", arguments: {} }, /^code: expected a text, came nothing$/],
      [{ command: "variables", arguments: { variablesReference: 1e9 } }, /gone on since/],
      [{ command: "stackTrace", arguments: { threadId: 1 } }, /nothing is stopped/],
      [{ command: "continue" }, /nothing is stopped/],
      [{ command: "pause" }, /no cell runs/],
      [
        { command: "setBreakpoints", arguments: { source: { path: "/x.ts" }, breakpoints: [{ line: "a" }] } },
        /^line: /,
      ],
      [{ command: "setExceptionBreakpoints", arguments: { filters: ["some"] } }, /^filters: expected/],
      [{ command: "evaluate", arguments: { expression: "1 +" } }, /./],
      [{ command: "source", arguments: { source: { path: "/etc/passwd" } } }, /neither a cell/],
    ] as const) {
      const { reply } = await debug.kernel.ask("debug_request", request, "control");
      assert.deepEqual([reply.type, reply.success], ["response", false], JSON.stringify(request));
      assert.match(reply.message, message);
    }
    const odd = debug.kernel.signed("debug_request", '"a text"');
    debug.kernel.sendFrames(odd, "control");
    assert.equal(await result(run("1 + 1")), "2");
  });

  it("shows values that refuse to be looked at", async () => {
    await debug.kernel.run(
      "const gone = Proxy.revocable({}, {});\ngone.revoke();\nconst odd = { sign: Symbol('s'), proxy: gone.proxy, get late() { return 1; } };",
    );
    const { variables } = (await debug.must("inspectVariables")).body;
    const odd = variables.find(({ name }: { name: string }) => name === "odd");
    assert.match(odd.value, /late: \(computed when read\)/);
    const inside = await debug.children(odd.variablesReference);
    const shown = Object.fromEntries(inside.map(({ name, ...rest }) => [name, rest]));
    assert.deepEqual([shown.sign.value, shown.sign.variablesReference], ["Symbol(s)", 0]);
    const { variablesReference } = shown.proxy;
    assert.match((await debug.ask("variables", { variablesReference })).message, /revoked/);
  });

  it("writes cells again when their folder was swept away, and sweeps up after kernels that were killed", async () => {
    const dumped = async (code: string): Promise<string> =>
      (await debug.must("dumpCell", { code })).body.sourcePath;
    rmSync(dirname(await dumped("1 // swept")), { recursive: true });
    assert.ok(existsSync(await dumped("2 // swept")));
    const killed = await DebugClient.start();
    const left = (await killed.must("dumpCell", { code: "1 // left" })).body.sourcePath;
    killed.close();
    await killed.kernel.until(() => killed.kernel.process.signalCode !== null);
    assert.ok(existsSync(left));
    const next = await DebugClient.start();
    await next.must("dumpCell", { code: "1 // next" });
    assert.equal(existsSync(dirname(left)), false);
    assert.ok(existsSync(await dumped("2 // swept")), "those of kernels that live are left");
    next.close();
  });

  it("refuses to look into what is not started, and leaves nothing behind", async () => {
    const own = await KernelClient.start();
    const ask = async (command: string, args: object = {}) =>
      (await own.ask("debug_request", { type: "request", seq: 1, command, arguments: args }, "control"))
        .reply;
    assert.match((await ask("inspectVariables")).message, /initialize comes first/);
    const { sourcePath } = (await ask("dumpCell", { code: "1" })).body;
    assert.equal((await ask("initialize")).success, true);
    await own.run("0");
    own.send("shutdown_request", { restart: false }, "control");
    await own.until(() => own.exitCode !== undefined, 5000, "the kernel did not end");
    assert.equal(existsSync(dirname(sourcePath)), false);
    own.close();
  });

  it("lets a cell end the process", async () => {
    const own = await DebugClient.start();
    const { sourcePath } = (await own.must("dumpCell", { code: "1 // left by a cell" })).body;
    const id = own.kernel.start('console.log("last words"); process.exit(3);');
    await own.kernel.until(() => own.kernel.exitCode !== undefined);
    assert.equal(own.kernel.exitCode, 3);
    await own.kernel.until(() =>
      own.kernel.published(id).some(({ content }) => content.text === "last words\n"),
    );
    assert.equal(existsSync(dirname(sourcePath)), false, "files of cells go with it");
    own.close();
  });
});
