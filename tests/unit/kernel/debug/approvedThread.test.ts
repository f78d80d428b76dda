import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DebugAdapter } from "../../../../src/kernel/debug/adapter";
import { CellFiles } from "../../../../src/kernel/debug/cellFiles";
import { Target } from "../../../../src/kernel/debug/target";
import { DebuggedThread } from "../../../../src/kernel/debug/thread";
import { Calls } from "../../../support/calls";
import { sessions, taken } from "../support";

test("what is asked of the thread of cells is approved", async () => {
  const calls = new Calls();
  let answer: (
    method: string,
    params: { expression?: string; generatePreview?: boolean; functionDeclaration?: string },
  ) => unknown = () => ({ result: { type: "number", value: 5 } });
  const { log, undo } = sessions((method, params) => answer(method, params as never));
  const target = new Target();
  const step = async (name: string, act: () => unknown) => {
    await calls.once(name, act);
    calls.note("  asked", taken(log));
  };
  await step("ask", () => target.ask("locate", "cell [1]", [{ line: 1, column: 2 }]));
  await step("evaluate", () => target.evaluate("x", "idle"));
  await step("evaluate what awaits", () => target.evaluate("await x", "stop", true));
  await step("evaluate in a frame", () => target.evaluateIn("f", "x"));
  await step("call", () => target.call("part", "o", [1, "two"]));
  await step("call for a value that stays there", () =>
    target.call("bundle", "o", [], { byValue: false, awaits: true }),
  );
  await step("release", () => target.release("stop"));
  for (const [name, exceptionDetails] of Object.entries({
    error: { text: "Uncaught", exception: { description: "TypeError: x\n    at y\n    at z" } },
    value: { text: "Uncaught", exception: { value: 7 } },
    nothing: { text: "Uncaught", exception: {} },
    text: { text: "Uncaught" },
  })) {
    answer = () => ({ result: {}, exceptionDetails });
    await calls.once(`what throws: ${name}`, () => target.ask("flush"));
  }
  taken(log);
  const object = (more: object) => ({ type: "object", objectId: "o1", ...more });
  for (const [name, value] of Object.entries({
    object: object({ description: "Object" }),
    "a map of 1000": object({ subtype: "map", description: "Map(1000)" }),
    "a map of 1001": object({ subtype: "map", description: "Map(1001)" }),
    "a set of 2000": object({ subtype: "set", description: "Set(2000)" }),
    "a map without a number": object({ subtype: "map", description: "Own" }),
    "an array of 5000": object({ subtype: "array", description: "Array(5000)" }),
    "no id": { type: "object", subtype: "null", value: null },
    function: { type: "function", objectId: "f" },
  })) {
    answer = (method) =>
      method === "Runtime.callFunctionOn" ? { result: { preview: { of: name } } } : { result: value };
    await step(`evaluated to ${name}`, () => target.evaluate("x", "stop"));
    answer = (method, { generatePreview }) =>
      method === "Runtime.callFunctionOn"
        ? { result: { preview: { of: name } } }
        : {
            result: [
              { name: "p", value: generatePreview ? { ...value, preview: "own" } : value },
              { name: "g", get: {} },
            ],
            ...(generatePreview ? {} : { privateProperties: [{ name: "#q" }] }),
          };
    await step(`properties with ${name}`, () => target.properties("o1"));
  }
  undo();
  calls.approve("kernel/debug/target");
});

test("where a thread stops, and how it goes on, is approved", async () => {
  const calls = new Calls();
  const source = "first();\nsecond();\nthird();\n";
  const loaded = { script: "cell [1]", text: source };
  const answers: Record<string, unknown> = { caught: false, condition: true };
  const { log, made, undo } = sessions((method, params) => {
    const { expression = "" } = (params ?? {}) as { expression?: string };
    if (method === "Debugger.getPossibleBreakpoints")
      return { locations: [1, 2, 3].map((lineNumber) => ({ scriptId: "1", lineNumber, columnNumber: 0 })) };
    if (method === "Debugger.getScriptSource") return { scriptSource: `head;\n${source}` };
    if (method === "Debugger.setBreakpoint")
      return { breakpointId: `at ${(params as { location: { lineNumber: number } }).location.lineNumber}` };
    if (method === "Debugger.evaluateOnCallFrame")
      return answers.condition instanceof Error
        ? answers.condition
        : {
            result:
              expression === "loaded"
                ? { type: "object", value: loaded }
                : { type: "boolean", value: answers.condition },
          };
    if (expression.includes("attach(")) return { result: { type: "object", value: [] } };
    if (expression.includes(".locate(")) {
      const [, , places] = /\.locate\(\.\.\.\["([^"]*)",(.*)\]\)$/.exec(expression) ?? [];
      return {
        result: {
          value: (JSON.parse(places!) as { line: number; column: number }[]).map(({ line, column }) => ({
            line: line - 1,
            column,
          })),
        },
      };
    }
    if (expression.includes(".isCaught(")) return { result: { value: answers.caught } };
    if (expression.includes(".evaluation(")) return { result: { value: "JS" } };
    return { result: { type: "undefined" } };
  });
  const said: string[] = [];
  let interrupted = false;
  const files = new CellFiles();
  const thread = new DebuggedThread(files, {
    emit: (event, body) => void said.push(`${event} ${JSON.stringify(body)}`),
    say: (text) => void said.push(`says ${text}`),
    isInterrupted: () => interrupted,
  });
  const path = files.path(source);
  const short = (lines: string[]) =>
    lines
      .filter((line) => !/getScriptSource|\.locate\(/.test(line))
      .map((line) =>
        line
          .replaceAll(path, "<cell>")
          .replace(/"\^file:[^"]*"/, "the library")
          .slice(0, 170),
      );
  const note = (name: string) =>
    calls.note(name, [
      short(taken(log)),
      said.splice(0).map((line) => line.replaceAll(path, "<cell>")),
      thread.halt?.frames.map(({ id, name: called, line }) => `${id} ${called} ${line}`),
    ]);
  await thread.start();
  note("start");
  const emit = (event: string, params: object) => made[0]!.emit(event as never, { params } as never);
  const parsed = (scriptId: string, url: string) =>
    emit("Debugger.scriptParsed", { scriptId, url, startLine: 0 });
  parsed("1", "cell [1]");
  parsed("2", "luvit-announce.js");
  parsed("3", "node:timers");
  const frame = (scriptId: string, lineNumber: number, functionName = "") => ({
    callFrameId: `${scriptId}:${lineNumber}`,
    functionName,
    location: { scriptId, lineNumber, columnNumber: 0 },
    functionLocation: { scriptId, lineNumber: 0, columnNumber: 0 },
    scopeChain: [],
    this: { type: "undefined" },
  });
  const paused = async (name: string, callFrames: object[], more: object = {}) => {
    emit("Debugger.paused", { callFrames, reason: "other", ...more });
    await sleep(5);
    note(name);
  };
  await calls.once("breakpoints", async () =>
    (
      await thread.breakpoints.set(
        path,
        [{ line: 2 }, { line: 3, condition: "x > 1", hitCondition: "2" }],
        source,
      )
    ).map(({ id, line, verified }) => [id, line, verified]),
  );
  note("  before the cell begins");
  await calls.once("go on where nothing is stopped", () => thread.resume());
  await calls.once("step where nothing is stopped", () => thread.stepOn("next"));
  await calls.once("a frame where nothing is stopped", () => thread.frame(1));
  await paused("a script begins", [frame("2", 0), frame("1", 0)]);
  await paused("at the first breakpoint", [frame("1", 2), frame("3", 1)], { hitBreakpoints: ["at 2"] });
  await calls.once("its frame", () => thread.frame(1).line);
  await calls.once("another's frame", () => thread.frame(9));
  await thread.pause();
  note("paused while it is stopped");
  await thread.resume();
  note("gone on");
  await paused("at the second, first hit", [frame("1", 3)], { hitBreakpoints: ["at 3"] });
  await paused("at the second, second hit", [frame("1", 3)], { hitBreakpoints: ["at 3"] });
  await thread.stepOn("next");
  note("a step");
  await paused("on the same line", [frame("1", 3)], { reason: "step" });
  await paused("in Node", [frame("3", 5), frame("1", 3)], { reason: "step" });
  await paused("on another line", [frame("1", 1, "named")], { reason: "step" });
  await thread.stepOn("stepOut");
  note("a step out");
  await paused("under all", [frame("3", 5)], { reason: "step" });
  await thread.stopAtExceptions(["uncaught"]);
  note("exceptions that nobody catches");
  const data = { type: "object", description: "TypeError: wrong\n    at x" };
  await thread.resume().catch(() => {});
  await paused("one that nobody catches", [frame("1", 1)], { reason: "exception", data });
  await thread.resume();
  taken(log);
  answers.caught = true;
  await paused("one that is caught", [frame("1", 1)], { reason: "exception", data });
  await paused("a rejection in Node alone", [frame("3", 1)], { reason: "promiseRejection", data });
  await thread.stopAtExceptions(["all"]);
  await paused("any", [frame("1", 1)], { reason: "promiseRejection" });
  await thread.resume();
  await thread.stopAtExceptions([]);
  note("no exceptions");
  answers.condition = new Error("no such name");
  await paused("a condition that fails", [frame("1", 3)], { hitBreakpoints: ["at 3"] });
  answers.condition = false;
  if (thread.halt) await thread.resume();
  await paused("a condition that does not hold", [frame("1", 3)], { hitBreakpoints: ["at 3"] });
  await paused("a debugger statement", [frame("1", 2)]);
  await thread.resume();
  await thread.pause();
  note("pause");
  await paused("found in Node", [frame("3", 2)]);
  await paused("found in Node, called by a cell", [frame("3", 2), frame("1", 1)]);
  await paused("found in the cell", [frame("1", 1)]);
  await thread.resume();
  taken(log);
  await paused("out of memory", [frame("1", 2)], { reason: "OOM" });
  interrupted = true;
  await paused("interrupted", [frame("1", 2)], { hitBreakpoints: ["at 2"] });
  interrupted = false;
  await paused("without a frame", []);
  await thread.end();
  note("end");
  thread.close();
  undo();
  calls.approve("kernel/debug/thread");
});

test("what a debugger that is started answers is approved", async () => {
  const calls = new Calls();
  let attached: unknown = new Error("no thread");
  const { log, made, undo } = sessions((_, params) => {
    const { expression = "" } = (params ?? {}) as { expression?: string };
    if (expression.includes("attach(")) return attached;
    if (expression.includes(".evaluation(")) return { result: { value: "JS" } };
    if (expression === "JS") return { result: { type: "number", value: 1, description: "1" } };
    return { result: { type: "object", objectId: "o", value: {} } };
  });
  const heard: string[] = [];
  let running = false;
  const adapter = new DebugAdapter({
    publish: (event) => void heard.push(JSON.stringify(event)),
    say: (text) => void heard.push(`says ${text}`),
    isInterrupted: () => false,
    interrupt: async () => void heard.push("interrupts"),
    isRunning: () => running,
  });
  const ask = async (command: string, given?: object) => {
    const { success, message, body } = await adapter.answer({ command, seq: 1, arguments: given });
    const asked = taken(log).map((line) => line.replace(/"\^file:[^"]*"/, "the library").slice(0, 120));
    const shown = JSON.stringify(body)?.replace(/"tmpFilePrefix":"[^"]*"/, '"tmpFilePrefix":"…"');
    calls.note(`${command} ${JSON.stringify(given)}`, [success, message, shown, asked, taken(heard)]);
  };
  await ask("initialize");
  await ask("threads");
  attached = { result: { type: "object", value: [] } };
  await ask("initialize", { adapterID: "x" });
  await ask("initialize");
  for (const command of [
    "attach",
    "launch",
    "configurationDone",
    "threads",
    "stackTrace",
    "modules",
    "continue",
    "next",
    "pause",
  ])
    await ask(command);
  running = true;
  await ask("pause");
  await ask("setBreakpoints", {
    source: { path: "/later.ts" },
    breakpoints: [{ line: 3 }, { line: 4, condition: "x" }],
  });
  await ask("setBreakpoints", { source: { path: "/lines.ts" }, lines: [5] });
  await ask("setBreakpoints", { source: { path: "/later.ts" }, breakpoints: "none" });
  await ask("debugInfo");
  await ask("setBreakpoints", { source: { path: "/later.ts" } });
  for (const filters of [["uncaught"], ["all", "uncaught"], [], undefined, ["never"]])
    await ask("setExceptionBreakpoints", { filters });
  await ask("debugInfo");
  await ask("evaluate", { expression: "1" });
  calls.note("stopped", [adapter.isStopped, await adapter.goOn(), made.length]);
  await ask("disconnect");
  await ask("debugInfo");
  await ask("initialize");
  await ask("disconnect", { terminateDebuggee: true });
  await ask("initialize");
  await ask("terminate");
  await ask("initialize");
  adapter.close();
  calls.note("closed", taken(log));
  undo();
  calls.approve("kernel/debug/started");
});
