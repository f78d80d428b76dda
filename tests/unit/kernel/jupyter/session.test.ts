import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MessageChannel, type Worker } from "node:worker_threads";
import { setKernelHost } from "../../../../src/core/kernelHost";
import { currentExecution } from "../../../../src/kernel/executor/execution";
import { Link } from "../../../../src/kernel/jupyter/link";
import { Session } from "../../../../src/kernel/jupyter/session";
import { createSignals, slot } from "../../../../src/kernel/signals";
import { temporaryFolder } from "../../../support/temporaryFolder";

/* A session of the kernel in this process; what it sends goes into a list. */

// biome-ignore lint/suspicious/noExplicitAny: contents of messages are looked at field by field
type Content = any;

interface Sent {
  kind: string;
  type?: string;
  content: Content;
  parent?: { msg_id: string };
  failed?: boolean;
  stopOnError?: boolean;
}

const sent: Sent[] = [];
const signals = createSignals();
const { port1, port2 } = new MessageChannel();
const place = process.cwd();
/** What the user answers; nothing is an interrupt. */
let answer: string | null = null;
let session: Session;
let requests = 0;

before(() => {
  process.chdir(temporaryFolder("session"));
  const postMessage = (message: Sent) => {
    sent.push(message);
    if (message.kind !== "ask") return;
    port1.postMessage(answer);
    Atomics.store(signals, slot.answered, 1);
  };
  const { write } = process.stdout;
  session = new Session(new Link({ postMessage } as unknown as Worker, signals, port2), signals, "the-id");
  const redirected = process.stdout.write;
  process.stdout.write = ((...given: unknown[]) => {
    // What no cell prints is the tests' own.
    return Reflect.apply(currentExecution.getStore() ? redirected : write, process.stdout, given);
  }) as typeof write;
});
after(() => {
  session.executor.close();
  setKernelHost(undefined);
  port1.close();
  process.chdir(place);
});

/** Sends a request; what came of it, its end last. */
async function ask(type: string, content: object = {}, more: object = {}): Promise<Sent[]> {
  sent.length = 0;
  const header = { msg_id: `request ${++requests}`, msg_type: type };
  const interrupts = Atomics.load(signals, slot.request);
  await session.take({ type, header, content, metadata: {}, buffers: [], interrupts, ...more } as never);
  for (const { kind, parent } of sent)
    if (kind === "publish") assert.equal(parent!.msg_id, header.msg_id, "it names its request");
  return [...sent];
}
const run = (code: string, more: object = {}) => ask("execute_request", { code, ...more });
const end = (all: Sent[]) => {
  const last = all.at(-1)!;
  assert.equal(last.kind, "finish");
  assert.equal(all.filter(({ kind }) => kind === "finish").length, 1, "answered once");
  return last;
};
const types = (all: Sent[]) => all.flatMap(({ kind, type }) => (kind === "publish" ? [type] : []));

describe("a request to run a cell", () => {
  it("is counted, published with its number, and answered", async () => {
    const ran = await run("console.log('x'); 5");
    assert.deepEqual(types(ran), ["execute_input", "stream", "execute_result"]);
    assert.deepEqual(ran[0]!.content, { code: "console.log('x'); 5", execution_count: 1 });
    assert.deepEqual(end(ran).content, {
      ...{ status: "ok", execution_count: 1, user_expressions: {}, payload: [] },
    });
    assert.equal(end(ran).failed, false);
    assert.equal(end(await run("")).content.execution_count, 2);
  });

  it("counts only where it is kept, and shows nothing where it is silent", async () => {
    const silent = await run("console.log('quiet'); let silently = 1; silently", { silent: true });
    assert.deepEqual([types(silent), end(silent).content.execution_count], [[], 2]);
    const apart = await run("silently + 1", { store_history: false });
    assert.deepEqual(
      [types(apart), end(apart).content.execution_count],
      [["execute_input", "execute_result"], 2],
    );
    const failed = await run("throw new Error('apart')", { store_history: false });
    assert.match(end(failed).content.traceback.join(""), /cell \[silent\]:1:7/);
    const { content } = end(await ask("history_request", { hist_access_type: "tail", n: 5, output: true }));
    assert.deepEqual(content, {
      ...{
        status: "ok",
        history: [
          [1, 1, ["console.log('x'); 5", "5"]],
          [1, 2, ["", null]],
        ],
      },
    });
  });

  it("that fails ends those that wait, unless it says otherwise", async () => {
    for (const [more, stopOnError] of [
      [{}, true],
      [{ stop_on_error: true }, true],
      [{ stop_on_error: false }, false],
    ] as const) {
      const ran = await run("throw new RangeError('far')", more);
      const { content, ...how } = end(ran);
      assert.deepEqual([how.failed, how.stopOnError], [true, stopOnError]);
      assert.deepEqual([content.status, content.ename, content.evalue], ["error", "RangeError", "far"]);
      assert.deepEqual([content.payload, content.user_expressions], [[], {}]);
      const [told] = ran.filter(({ type }) => type === "error");
      assert.deepEqual(told!.content.traceback, content.traceback);
    }
  });

  it("evaluates what it is asked for beside, each by itself, and nothing where it failed", async () => {
    const wanted = { good: "silently + 41", bad: "nowhere.x", none: "void 0" };
    const { user_expressions } = end(await run("'value'", { user_expressions: wanted })).content;
    assert.deepEqual(user_expressions.good, { status: "ok", data: { "text/plain": "42" }, metadata: {} });
    assert.deepEqual(user_expressions.none, { status: "ok", data: {}, metadata: {} });
    assert.equal(user_expressions.bad.status, "error");
    const failed = await run("throw 1", { user_expressions: wanted });
    assert.deepEqual(end(failed).content.user_expressions, {});
    assert.deepEqual(types(await run("1", { user_expressions: { a: "console.log('hidden')" } })), [
      ...["execute_input", "execute_result"],
    ]);
  });

  it("of a name and a question mark shows what is known about it, and runs nothing", async () => {
    await run("const width = 7;");
    const [page] = end(await run(" width? ")).content.payload;
    assert.deepEqual(page, { source: "page", data: { "text/plain": "const width: 7" }, start: 0 });
    const [unknown] = end(await run("nowhere.at?")).content.payload;
    assert.deepEqual(unknown.data, { "text/plain": "nowhere.at: no such name" });
  });

  it("is known to cells as that of the kernel of this name", async () => {
    const [result] = (await run("(globalThis as any)[Symbol.for('luvit.kernel.host')].id")).slice(1);
    assert.equal(result!.content.data["text/plain"], "the-id");
  });

  it("asks its user where it may, and has nobody to ask where not", async () => {
    answer = "Ada";
    const asked = await run("prompt('name?')");
    const { kind: _, ...question } = asked.find(({ kind }) => kind === "ask")!;
    assert.deepEqual([question.parent!.msg_id, end(asked).content.status], [`request ${requests}`, "ok"]);
    const quiet = await run("prompt('name?')", { allow_stdin: false });
    assert.equal(end(quiet).content.ename, "NoInput");
    assert.ok(!quiet.some(({ kind }) => kind === "ask"));
  });

  it("was interrupted where an interrupt came after it was asked for", async () => {
    const requested = Atomics.add(signals, slot.request, 1) + 1;
    const ended = await ask("execute_request", { code: "while (true);" }, { interrupts: requested - 1 });
    assert.equal(end(ended).content.ename, "KeyboardInterrupt");
    const later = await ask("execute_request", { code: "1" }, { interrupts: requested });
    assert.equal(end(later).content.status, "ok");
  });
});

describe("another request", () => {
  it("is answered by what it asks for, with the code and the cursor that it names", async () => {
    const completed = end(await ask("complete_request", { code: "x; widt", cursor_pos: 7 })).content;
    assert.deepEqual([completed.matches, completed.cursor_start, completed.cursor_end], [["width"], 3, 7]);
    const known = end(await ask("inspect_request", { code: "1; width", cursor_pos: 5 })).content;
    assert.deepEqual([known.found, known.data["text/plain"]], [true, "const width: 7"]);
    assert.deepEqual(end(await ask("inspect_request", { code: "1;", cursor_pos: 1 })).content, {
      ...{ status: "ok", found: false, data: {}, metadata: {} },
    });
    assert.deepEqual(end(await ask("is_complete_request", { code: "f(() => {" })).content, {
      ...{ status: "incomplete", indent: "  " },
    });
  });

  it("that goes wrong is answered with the error", async (t) => {
    t.mock.method(session.executor.compiler, "completeness", () => {
      throw new TypeError("no");
    });
    const { content } = end(await ask("is_complete_request", { code: "1" }));
    assert.deepEqual([content.status, content.ename, content.evalue], ["error", "TypeError", "no"]);
    assert.ok(content.execution_count > 2);
  });

  it("to a comm has no content, and what its handler throws is said below the last cell", async () => {
    const cell = await run(
      "const host = (globalThis as any)[Symbol.for('luvit.kernel.host')];\nconst seen: unknown[] = [];\nhost.registerTarget('mine', (comm: any, { data }: any) => {\n  seen.push(data);\n" +
        "  comm.onMessage(({ data }: any) => { if (data.bad) throw new Error('handler'); seen.push(data); comm.send({ got: data }); });\n});",
    );
    assert.equal(end(cell).content.status, "ok");
    const open = await ask("comm_open", { comm_id: "c", target_name: "mine", data: { a: 1 } });
    assert.equal(end(open).content, undefined);
    const message = await ask("comm_msg", { comm_id: "c", data: { b: 2 } });
    assert.deepEqual(types(message), ["comm_msg"]);
    assert.deepEqual(message[0]!.content, { comm_id: "c", data: { got: { b: 2 } } });
    assert.deepEqual(end(await ask("comm_info_request", { target_name: "mine" })).content, {
      ...{ status: "ok", comms: { c: { target_name: "mine" } } },
    });
    assert.deepEqual(end(await ask("comm_info_request", { target_name: "other" })).content.comms, {});
    sent.length = 0;
    const header = { msg_id: "bad", msg_type: "comm_msg" };
    const content = { comm_id: "c", data: { bad: true } };
    await session.take({
      type: "comm_msg",
      header,
      content,
      metadata: {},
      buffers: [],
      interrupts: 0,
    } as never);
    const [said] = sent.filter(({ type }) => type === "stream");
    assert.deepEqual([said!.content.name, said!.parent], ["stderr", cell[0]!.parent]);
    assert.match(said!.content.text, /handler/);
    await ask("comm_close", { comm_id: "c", data: {} });
    assert.deepEqual(end(await ask("comm_info_request")).content.comms, {}, "what was closed is gone");
    const [result] = (await run("JSON.stringify(seen)")).filter(({ type }) => type === "execute_result");
    assert.equal(result!.content.data["text/plain"], '[{"a":1},{"b":2}]');
  });
});
