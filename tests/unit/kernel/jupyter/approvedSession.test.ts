import { realpathSync } from "node:fs";
import { after, before, test } from "node:test";
import { MessageChannel, type Worker } from "node:worker_threads";
import { setKernelHost } from "../../../../src/core/kernelHost";
import { currentExecution } from "../../../../src/kernel/executor/execution";
import { Link } from "../../../../src/kernel/jupyter/link";
import { Session } from "../../../../src/kernel/jupyter/session";
import { createSignals, slot } from "../../../../src/kernel/signals";
import { stripAnsi } from "../../../../src/notebook/html";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { taken } from "../support";

const folder = realpathSync(temporaryFolder("approved-session"));
const startedIn = process.cwd();
const signals = createSignals();
const { port1, port2 } = new MessageChannel();
const sent: string[] = [];
let answer: string | null = null;
let session: Session;
const own = process.stdout.write;

before(() => {
  process.chdir(folder);
  const postMessage = ({
    kind,
    type,
    content,
    parent,
    prompt,
    bytes: _,
    ...more
  }: Record<string, unknown> & { parent?: { msg_id: string } }) => {
    const text = (value: unknown) =>
      stripAnsi(JSON.stringify(value) ?? "")
        .replaceAll("\\u001b[31m", "")
        .replaceAll("\\u001b[39m", "");
    sent.push(
      [kind, type, text(content ?? prompt), parent?.msg_id, text(more)]
        .filter((part) => part !== undefined && part !== "{}")
        .join(" "),
    );
    if (kind !== "ask") return;
    port1.postMessage(answer);
    Atomics.store(signals, slot.answered, 1);
  };
  session = new Session(new Link({ postMessage } as unknown as Worker, signals, port2), signals);
  const redirected = process.stdout.write;
  // What no cell prints is the tests' own.
  process.stdout.write = ((...given: unknown[]) =>
    Reflect.apply(currentExecution.getStore() ? redirected : own, process.stdout, given)) as typeof own;
});
after(() => {
  session.executor.close();
  setKernelHost(undefined);
  port1.close();
  process.stdout.write = own;
  process.chdir(startedIn);
});

test("what a session answers is approved", async () => {
  const calls = new Calls({ folder });
  let count = 0;
  const ask = async (type: string, content: object = {}) => {
    const header = { msg_id: `m${++count}`, msg_type: type };
    await session.take({
      type,
      header,
      content,
      metadata: {},
      buffers: [],
      interrupts: Atomics.load(signals, slot.request),
    } as never);
    calls.note(`${type} ${JSON.stringify(content)}`, taken(sent));
  };
  const run = (code: string, more: object = {}) => ask("execute_request", { code, ...more });
  await run("console.log('out'); 5");
  await run("let a = 1", { user_expressions: { sum: "a + 1", wrong: "nothing", none: "let b = 2" } });
  await run("throw new RangeError('x')", { user_expressions: { a: "a" } });
  await run("throw 1", { stop_on_error: false });
  await run("a +", { stop_on_error: true });
  await run("console.log('unseen'); a = 7; a", { silent: true });
  await run("a", { store_history: false });
  await run("a", { silent: true, store_history: true, user_expressions: { a: "a" } });
  await run("a");
  await run("a?");
  await run("nothing?");
  await run(" Math.max? ");
  await run("");
  await ask("execute_request", {});
  answer = "me";
  await run("prompt('Name? ')");
  await run("prompt('Name? ')", { allow_stdin: false });
  await run("confirm('Sure?')", { allow_stdin: false });
  await ask("complete_request", { code: "a.toFix", cursor_pos: 7 });
  await ask("complete_request", { code: "'😀'; a.toFix", cursor_pos: 12 });
  await ask("inspect_request", { code: "a", cursor_pos: 1 });
  await ask("inspect_request", { code: "nothing", cursor_pos: 1 });
  await ask("inspect_request", {});
  for (const code of ["a", "a(", "a b", undefined]) await ask("is_complete_request", { code });
  await ask("history_request", { hist_access_type: "tail", n: 3, output: true });
  await ask("history_request", { hist_access_type: "range", session: 0, start: 2, stop: 4 });
  await ask("comm_info_request", {});
  await ask("comm_open", { comm_id: "c1", target_name: "nobody", data: {} });
  await run("const luvit = globalThis; console.log('x'.repeat(3)); a");
  await ask("comm_msg", { comm_id: "c1", data: {} });
  await ask("comm_close", { comm_id: "c1" });
  await ask("comm_info_request", { target_name: "nobody" });
  calls.approve("kernel/jupyter/session");
});
