import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Exchange, KernelClient } from "./client";

let kernel: KernelClient;
/** Milliseconds until a new kernel has run its first cell, the measure of what stopping one may take. */
let startTook: number;

before(async () => {
  const started = performance.now();
  kernel = await KernelClient.start();
  await kernel.run("0", { silent: true, store_history: false }); // the compiler has started
  startTook = performance.now() - started;
});
after(() => kernel.close());

const types = ({ published }: Exchange) => published.map(({ type }) => type);

function streamed({ published }: Exchange, name = "stdout"): string {
  const texts = published.filter(({ type, content }) => type === "stream" && content.name === name);
  return texts.map(({ content }) => content.text).join("");
}

function result({ published }: Exchange): string | undefined {
  return published.find(({ type }) => type === "execute_result")?.content.data["text/plain"];
}

describe("the kernel's protocol", () => {
  it("says what it is, on shell and on control", async () => {
    for (const channel of ["shell", "control"] as const) {
      const { reply } = await kernel.ask("kernel_info_request", {}, channel);
      assert.equal(reply.status, "ok");
      assert.equal(reply.protocol_version, "5.4");
      assert.deepEqual([reply.language_info.name, reply.language_info.file_extension], ["typescript", ".ts"]);
      assert.equal(reply.language_info.codemirror_mode, "typescript");
    }
  });

  it("publishes a cell's input, outputs and value between its busy and its idle", async () => {
    const ran = await kernel.run('console.log("out"); console.error("err"); ({ a: 1 })');
    assert.deepEqual(types(ran), ["status", "execute_input", "stream", "stream", "execute_result", "status"]);
    const value = ran.published[4]!.content;
    assert.deepEqual(value, {
      data: { "text/plain": "{ a: 1 }" },
      metadata: {},
      execution_count: 1,
      transient: {},
    });
    assert.equal(ran.reply.status, "ok");
    assert.equal(ran.reply.execution_count, 1);
    assert.equal(streamed(ran, "stderr"), "err\n");
  });

  it("tells why a cell failed, in its reply and to everybody", async () => {
    const ran = await kernel.run("\nthrow new RangeError('far');");
    const error = ran.published.filter(({ type }) => type === "error");
    assert.equal(error.length, 1);
    for (const told of [ran.reply, error[0]!.content]) {
      assert.deepEqual([told.ename, told.evalue], ["RangeError", "far"]);
      assert.match(told.traceback.join("\n"), /at cell \[2\]:2:7$/);
    }
    assert.equal(ran.reply.execution_count, 2);
  });

  it("loses none of 5,000 prints and none of 2,000 displays, nor what comes after them", async () => {
    const printed = await kernel.run("for (let i = 0; i < 5000; i++) console.log(i);");
    assert.equal(streamed(printed), Array.from({ length: 5000 }, (_, i) => `${i}\n`).join(""));
    assert.ok(types(printed).length < 200, "text goes out in pieces of many lines");
    const shown = await kernel.run(
      'import * as tslab from "tslab";\nfor (let i = 0; i < 2000; i++) tslab.display.html(String(i));',
    );
    const displays = shown.published.filter(({ type }) => type === "display_data");
    assert.deepEqual(Object.keys(displays[0]!.content).sort(), ["data", "metadata", "transient"]);
    assert.deepEqual(
      displays.map(({ content }) => content.data["text/html"]),
      Array.from({ length: 2000 }, (_, i) => String(i)),
    );
    for (let i = 0; i < 100; i++) assert.equal(result(await kernel.run(`${i} + 0`)), String(i));
  });

  it("shows text while a cell computes, and answers heartbeats and control meanwhile", async () => {
    const id = kernel.start(
      'console.log("now");\nconst until = Date.now() + 1500;\nwhile (Date.now() < until);',
    );
    await kernel.until(() => kernel.published(id).some(({ type }) => type === "stream"));
    assert.equal(await kernel.beat(), "ping");
    await kernel.ask("kernel_info_request", {}, "control");
    const states = kernel.published(id).filter(({ type }) => type === "status");
    assert.deepEqual(
      states.map(({ content }) => content.execution_state),
      ["busy"],
    );
    assert.equal((await kernel.answer(id)).reply.status, "ok");
  });

  it("runs queued cells one after the other, each between its own busy and idle", async () => {
    const from = kernel.iopub.length;
    const ids = [1, 2, 3].map((n) => kernel.start(`await new Promise((done) => setTimeout(done, 50)); ${n}`));
    for (const id of ids) await kernel.answer(id);
    const states = kernel.iopub.slice(from).filter(({ header }) => header.msg_type === "status");
    assert.deepEqual(
      states.map(({ parent, content }) => [parent.msg_id, content.execution_state]),
      ids.flatMap((id) => [
        [id, "busy"],
        [id, "idle"],
      ]),
    );
  });

  it("aborts what waits behind a failing cell, but nothing that comes later, and nothing when told not to", async () => {
    const slow = "await new Promise((done) => setTimeout(done, 100));";
    const [bad, first, second] = [`${slow} throw 1;`, "1", "2"].map((code) => kernel.start(code));
    assert.equal((await kernel.answer(bad!)).reply.status, "error");
    for (const id of [first!, second!]) {
      const { reply } = await kernel.answer(id);
      assert.equal(reply.status, "aborted");
      assert.equal(typeof reply.execution_count, "number");
    }
    assert.equal((await kernel.run("3")).reply.status, "ok");
    const tolerant = kernel.start(`${slow} throw 1;`, { stop_on_error: false });
    const after = kernel.start("4");
    await kernel.answer(tolerant);
    assert.equal((await kernel.answer(after)).reply.status, "ok");
  });

  it("answers what else waits behind a failing cell: comms, completions, history", async () => {
    await kernel.run(
      'import { onComm } from "luvit";\nlet opened = 0;\nonComm("counter", () => { opened++; });',
    );
    const bad = kernel.start("await new Promise((done) => setTimeout(done, 200)); throw 1;");
    const aborted = kernel.start("opened = 100;");
    kernel.send("comm_open", { comm_id: "waiting", target_name: "counter", data: {} });
    const asked = [
      kernel.send("complete_request", { code: "opene", cursor_pos: 5 }),
      kernel.send("inspect_request", { code: "opened", cursor_pos: 3, detail_level: 0 }),
      kernel.send("history_request", { hist_access_type: "tail", n: 1, output: false }),
      kernel.send("comm_info_request", {}),
      kernel.send("is_complete_request", { code: "1" }),
    ];
    assert.equal((await kernel.answer(bad)).reply.status, "error");
    assert.equal((await kernel.answer(aborted)).reply.status, "aborted");
    const replies = await Promise.all(asked.map((id) => kernel.answer(id)));
    assert.deepEqual(
      replies.map(({ reply }) => reply.status),
      ["ok", "ok", "ok", "ok", "complete"],
    );
    assert.deepEqual(replies[0]!.reply.matches, ["opened"]);
    assert.equal(result(await kernel.run("opened")), "1");
  });

  it("runs silently: no output, no count, no history", async () => {
    const before = (await kernel.run("0")).reply.execution_count;
    const quiet = await kernel.run('console.log("quiet"); 5', { silent: true });
    assert.deepEqual(types(quiet), ["status", "status"]);
    const unstored = await kernel.run("6", { store_history: false });
    assert.equal(unstored.reply.execution_count, before);
    assert.equal(result(unstored), "6");
    const { reply } = await kernel.ask("history_request", { hist_access_type: "tail", n: 1, output: false });
    assert.equal(reply.history[0][2], "0");
  });

  it("evaluates user expressions and shows documentation for name?", async () => {
    const ran = await kernel.run("const width = 7;", {
      user_expressions: { w: "width * 2", bad: "nowhere" },
    });
    assert.equal(ran.reply.user_expressions.w.data["text/plain"], "14");
    assert.equal(ran.reply.user_expressions.bad.status, "error");
    const asked = await kernel.run("width?");
    assert.match(asked.reply.payload[0].data["text/plain"], /const width: 7/);
  });

  it("remembers the session", async () => {
    const ask = (request: object) => kernel.ask("history_request", { output: false, raw: true, ...request });
    await kernel.run("'needle'");
    await kernel.run("'needle'");
    const tail = (await ask({ hist_access_type: "tail", n: 2, output: true })).reply.history;
    assert.deepEqual(
      tail.map((entry: unknown[]) => entry[2]),
      [
        ["'needle'", "needle"],
        ["'needle'", "needle"],
      ],
    );
    const range = await ask({ hist_access_type: "range", session: 0, start: 1, stop: 3 });
    assert.deepEqual(
      range.reply.history.map((entry: unknown[]) => entry[1]),
      [1, 2],
    );
    const found = await ask({ hist_access_type: "search", pattern: "*needle*", n: 10, unique: true });
    assert.equal(found.reply.history.length, 1);
  });

  it("knows whole cells from beginnings and from nonsense", async () => {
    for (const [code, status] of [
      ["const x = 1;", "complete"],
      ["function f() {", "incomplete"],
      ["`open", "incomplete"],
      ["const = 5 5", "invalid"],
    ])
      assert.equal((await kernel.ask("is_complete_request", { code })).reply.status, status, code);
  });

  it("completes and inspects at cursors counted in code points", async () => {
    await kernel.run("/** Counts sheep. */\nfunction countSheep(n: number) { return n; }");
    const code = '"🐑🐑"; countSh';
    const completed = await kernel.ask("complete_request", { code, cursor_pos: Array.from(code).length });
    assert.deepEqual(completed.reply.matches, ["countSheep"]);
    assert.deepEqual([completed.reply.cursor_start, completed.reply.cursor_end], [6, 13]);
    const known = await kernel.ask("inspect_request", { code: "countSheep", cursor_pos: 3, detail_level: 0 });
    assert.match(known.reply.data["text/plain"], /countSheep\(n: number\)[\s\S]*Counts sheep/);
    const unknown = await kernel.ask("inspect_request", { code: "nowhere", cursor_pos: 3, detail_level: 0 });
    assert.deepEqual([unknown.reply.status, unknown.reply.found], ["ok", false]);
  });

  it("updates displays from later cells and clears outputs", async () => {
    await kernel.run('const box = tslab.newDisplay(); box.text("one");');
    const later = await kernel.run('box.text("two");');
    assert.ok(types(later).includes("update_display_data"));
    const cleared = await kernel.run('import { clearOutput } from "luvit";\nclearOutput({ wait: true });');
    assert.deepEqual(cleared.published.find(({ type }) => type === "clear_output")?.content, { wait: true });
  });

  it("sends what a cell leaves running to that cell", async () => {
    const early = await kernel.run('void setTimeout(() => console.log("late"), 150);');
    const next = await kernel.run('await new Promise((done) => setTimeout(done, 300)); console.log("next");');
    assert.equal(streamed(next), "next\n");
    assert.deepEqual(kernel.published(early.id).at(-1), {
      type: "stream",
      content: { name: "stdout", text: "late\n" },
    });
  });

  it("carries comms both ways", async () => {
    await kernel.run(
      'import { onComm, openComm } from "luvit";\nonComm("echo", (comm) => comm.onMessage(({ data }) => comm.send({ heard: data.word })));\nconst mine = openComm("there", { hello: 1 });',
    );
    const open = kernel.iopub.find(({ header }) => header.msg_type === "comm_open")!;
    assert.deepEqual([open.content.target_name, open.content.data], ["there", { hello: 1 }]);
    kernel.send("comm_open", { comm_id: "c1", target_name: "echo", data: {} });
    kernel.send("comm_msg", { comm_id: "c1", data: { word: "hi" } });
    await kernel.until(() =>
      kernel.iopub.some(({ content }) => (content.data as { heard?: string })?.heard === "hi"),
    );
    const { reply } = await kernel.ask("comm_info_request", { target_name: "echo" });
    assert.deepEqual(reply, { status: "ok", comms: { c1: { target_name: "echo" } } });
    kernel.send("comm_close", { comm_id: "c1", data: {} });
    kernel.send("comm_open", { comm_id: "c2", target_name: "nobody", data: {} });
    await kernel.until(() =>
      kernel.iopub.some(
        ({ header, content }) => header.msg_type === "comm_close" && content.comm_id === "c2",
      ),
    );
    assert.deepEqual((await kernel.ask("comm_info_request", { target_name: "echo" })).reply.comms, {});
  });

  it("asks the user through stdin", async () => {
    const id = kernel.start('prompt("name?")');
    await kernel.until(() => kernel.stdinRequests.length > 0);
    assert.deepEqual(kernel.stdinRequests[0]!.content, { prompt: "name?", password: false });
    kernel.answerInput("Ada");
    assert.equal(result(await kernel.answer(id)), "Ada");
  });

  it("ignores messages that are signed wrongly or that it does not know", async () => {
    const forged = kernel.send("execute_request", { code: "let forged = 1" }, "shell", {
      key: "another key",
    });
    const unknown = kernel.send("dance_request", {});
    assert.equal(result(await kernel.run("1 + 1")), "2");
    assert.deepEqual(kernel.published(forged), []);
    assert.deepEqual(
      kernel.published(unknown).map(({ type }) => type),
      ["status", "status"],
    );
  });

  it("is interrupted wherever it is, and goes on", async () => {
    for (const code of [
      "while (true);",
      "while (true) await null;",
      "await null; while (true);",
      "while (true) await new Promise((done) => setTimeout(done, 5));",
      "await new Promise(() => {});",
      "const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2)); await null; fib(99);",
      '"a".repeat(40).match(/^(a+)+b/);',
      'prompt("never answered"); while (true);',
    ]) {
      const id = kernel.start(code);
      await sleep(300);
      const asked = performance.now();
      assert.equal((await kernel.interrupt()).reply.status, "ok");
      const { reply } = await kernel.answer(id, 10_000);
      assert.deepEqual([reply.status, reply.ename], ["error", "KeyboardInterrupt"], code);
      const waited = performance.now() - asked;
      assert.ok(
        waited < Math.max(1000, startTook),
        `${code}: ${waited} ms, where a new kernel takes ${startTook} ms`,
      );
      assert.equal(result(await kernel.run("1 + 1")), "2");
    }
  });

  it("hears an interrupt that comes before its first cell is compiled", async () => {
    const own = await KernelClient.start();
    for (const code of ["while (true);", '"a".repeat(40).match(/^(a+)+b/);']) {
      const id = own.start(code);
      await own.until(() => own.published(id).some(({ type }) => type === "status"));
      await own.interrupt();
      const { reply } = await own.answer(id, 20_000);
      assert.deepEqual([reply.status, reply.ename], ["error", "KeyboardInterrupt"], code);
    }
    assert.equal(result(await own.run("1 + 1")), "2");
    own.close();
  });

  it("is not disturbed by an interrupt while nothing runs", async () => {
    await kernel.interrupt();
    assert.equal((await kernel.run("let i = 0; while (i < 10) i++; i")).reply.status, "ok");
  });
});

describe("a kernel's end", () => {
  it("comes within a second, or as soon as a new kernel would, also while a cell computes", async () => {
    for (const code of ["1", "while (true);"]) {
      const own = await KernelClient.start();
      await own.run("0");
      own.start(code);
      await sleep(300);
      const asked = performance.now();
      const id = own.send("shutdown_request", { restart: true }, "control");
      await own.until(() => own.exitCode !== undefined, 5000, "the kernel did not end");
      const waited = performance.now() - asked;
      assert.ok(waited < Math.max(1000, startTook), `${waited} ms, where a new kernel takes ${startTook} ms`);
      assert.ok(own.published(id).length > 0);
      own.close();
    }
  });

  it("loses nothing that a cell printed before it ended the process", async () => {
    const own = await KernelClient.start();
    const id = own.start('console.log("last words"); process.exit(3);');
    await own.until(() => own.exitCode !== undefined);
    assert.equal(own.exitCode, 3);
    await own.until(() => own.published(id).some(({ content }) => content.text === "last words\n"));
    own.close();
  });
});
