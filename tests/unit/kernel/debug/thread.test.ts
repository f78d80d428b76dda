import assert from "node:assert/strict";
import { Session } from "node:inspector";
import { type TestContext, test } from "node:test";
import { DebugAdapter } from "../../../../src/kernel/debug/adapter";
import { Target } from "../../../../src/kernel/debug/target";

type Taken = (error: Error | null, answer?: object) => void;

/** An adapter whose inspector is the test's: what it is asked, and what it answers to what is no step. */
function adapter(t: TestContext) {
  const posted: [string, object | undefined][] = [];
  const said: string[] = [];
  const events: { event: string; seq: number; body: Record<string, unknown> }[] = [];
  const state = { interrupted: false, isCaught: true, session: undefined as Session | undefined };
  const answers = (expression: string) => {
    if (expression.includes("attach")) return [{ script: "cell [1]", text: "a\nb\nc" }];
    if (expression.includes(".locate(")) return JSON.parse(/\[\{.*\}\]/.exec(expression)![0]);
    return expression.includes("isCaught") ? state.isCaught : undefined;
  };
  t.mock.method(Session.prototype, "connectToMainThread", function (this: Session) {
    state.session = this;
  });
  t.mock.method(Session.prototype, "disconnect", () => void posted.push(["disconnect", undefined]));
  t.mock.method(Session.prototype, "post", (method: string, params: { expression?: string }, take: Taken) => {
    posted.push([method, params]);
    if (method === "Debugger.enable")
      state.session!.emit("Debugger.scriptParsed", {
        params: { scriptId: "7", url: "cell [1]", startLine: 0 },
      });
    const value = answers(params?.expression ?? "");
    const result = { type: typeof value, value };
    take(null, method === "Debugger.getScriptSource" ? { scriptSource: "a\nb\nc" } : { result });
  });
  const made = new DebugAdapter({
    publish: (event) => void events.push(event as never),
    say: (text) => void said.push(text),
    interrupt: async () => void said.push("interrupt"),
    isInterrupted: () => state.interrupted,
    isRunning: () => true,
  });
  const ask = async (command: string, args: object = {}) => made.answer({ seq: 5, command, arguments: args });
  const call = {
    callFrameId: "f",
    functionName: "g",
    location: { scriptId: "7", lineNumber: 1, columnNumber: 0 },
    scopeChain: [],
  };
  const pause = async (reason: string, more: object = {}) => {
    posted.length = events.length = 0;
    state.session!.emit("Debugger.paused", { params: { callFrames: [call], reason, ...more } });
    await new Promise((done) => setTimeout(done, 5));
    return {
      moves: posted.map(([method]) => method).filter((one) => /resume|step/.test(one)),
      events: events.map(({ event }) => event),
    };
  };
  return { made, ask, pause, posted, said, events, state };
}

test("a thread stops for what the frontend wants, and goes on from what it does not", async (t) => {
  const { made, ask, pause, state, events } = adapter(t);
  const { success, request_seq, seq } = await ask("initialize");
  assert.deepEqual([success, request_seq, seq], [true, 5, 1]);
  const resumed = { moves: ["Debugger.resume"], events: [] };
  assert.deepEqual(await pause("OOM"), resumed);
  assert.deepEqual(await pause("exception"), resumed, "somebody catches it");
  state.interrupted = true;
  assert.deepEqual(await pause("other"), resumed, "it is to end");
  state.interrupted = false;
  assert.equal(made.isStopped, false);
  state.isCaught = false;
  assert.deepEqual(await pause("exception", { data: { type: "object", description: "E: x\n    at y" } }), {
    moves: [],
    events: ["stopped"],
  });
  const { body } = events[0]!;
  assert.deepEqual(body, { reason: "exception", threadId: 1, allThreadsStopped: true, text: "E: x" });
  assert.equal(made.isStopped, true);
  const info = (await ask("debugInfo")).body as { stoppedThreads: number[]; isStarted: boolean };
  assert.deepEqual([info.stoppedThreads, info.isStarted], [[1], true]);
  const { body: stack } = (await ask("stackTrace")) as {
    body: { stackFrames: { name: string; line: number }[] };
  };
  assert.deepEqual(
    stack.stackFrames.map(({ name, line }) => [name, line]),
    [["g", 2]],
  );
  await ask("continue");
  assert.equal(made.isStopped, false);
  assert.match((await ask("next")).message!, /nothing is stopped/);
  assert.deepEqual(await pause("other"), { moves: [], events: ["stopped"] }, "a debugger statement");
  assert.equal((events[0]!.body as { reason: string }).reason, "breakpoint");
  await made.goOn();
  assert.equal(made.isStopped, false);
});

test("exceptions stop as the filters say, and what ends with the debugger is said in its order", async (t) => {
  const { ask, posted, said, events, pause } = adapter(t);
  await ask("initialize");
  posted.length = 0;
  await ask("initialize");
  assert.equal(posted.length, 0, "it is there already");
  await ask("attach");
  assert.equal(events.at(-1)!.event, "initialized");
  for (const [filters, state] of [
    [["uncaught"], "all"],
    [["all"], "all"],
    [[], "none"],
  ] as const) {
    posted.length = 0;
    assert.equal((await ask("setExceptionBreakpoints", { filters })).success, true);
    assert.deepEqual(posted, [["Debugger.setPauseOnExceptions", { state }]]);
    if (filters[0] === "all")
      assert.deepEqual((await pause("exception")).events, ["stopped"], "caught or not");
  }
  posted.length = 0;
  await ask("terminate");
  assert.deepEqual([said, events.at(-1)!.event], [["interrupt"], "terminated"]);
  assert.deepEqual(
    posted.slice(-2).map(([method]) => method),
    ["Debugger.disable", "disconnect"],
  );
  assert.equal(((await ask("debugInfo")).body as { isStarted: boolean }).isStarted, false);
});

test("what is evaluated is asked for silently, and only so much is looked into as is quickly found", async (t) => {
  const { state } = adapter(t);
  const target = new Target();
  const asked: [string, Record<string, unknown>][] = [];
  let description = "Map(1000)";
  t.mock.method(Session.prototype, "post", (method: string, params: Record<string, unknown>, take: Taken) => {
    asked.push([method, params]);
    if (params.expression === "fails")
      take(null, {
        result: {},
        exceptionDetails: { text: "Uncaught", exception: { description: "E: no\n    at x" } },
      });
    else
      take(null, {
        result: { type: "object", subtype: "map", objectId: "o", description, preview: { n: 1 } },
      });
  });
  assert.deepEqual((await target.evaluate("x", "idle")).preview, { n: 1 });
  assert.deepEqual(asked[0], [
    "Runtime.evaluate",
    { expression: "x", objectGroup: "idle", silent: true, disableBreaks: true },
  ]);
  description = "Map(1001)";
  asked.length = 0;
  await target.evaluate("await x", "stop", true);
  assert.equal(asked.length, 1, "too many entries");
  assert.deepEqual(
    [asked[0]![1].replMode, asked[0]![1].awaitPromise, asked[0]![1].objectGroup],
    [true, true, "stop"],
  );
  await assert.rejects(target.evaluate("fails", "stop"), { message: "E: no" });
  await target.call("part", "o", [1, 2], { byValue: false });
  const { functionDeclaration, ...rest } = asked.at(-1)![1];
  assert.deepEqual(rest, {
    objectId: "o",
    arguments: [{ value: 1 }, { value: 2 }],
    returnByValue: false,
    awaitPromise: false,
    silent: true,
  });
  assert.match(String(functionDeclaration), /\.part\(this, \.\.\.values\)/);
  await target.release("idle");
  assert.deepEqual(asked.at(-1), ["Runtime.releaseObjectGroup", { objectGroup: "idle" }]);
  assert.ok(state.session);
});
