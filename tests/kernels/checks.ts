import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { Content, Exchange, KernelClient } from "../unit/kernel/client";
import type { Dialect } from "./dialects";

/*
 * What a frontend and its user rely on, as questions to any TypeScript kernel. The first part asks what the conformance
 * suite runtimed/kernel-testbed asks, in the same order; our own questions come after it.
 */

/** One question; it is answered no by whatever it throws. */
export interface Check {
  name: string;
  ask(kernel: KernelClient, dialect: Dialect): Promise<void>;
}

const of = ({ published }: Exchange, type: string): Content[] =>
  published.filter((message) => message.type === type).map(({ content }) => content);

const streamed = (ran: Exchange, name: string): string =>
  of(ran, "stream")
    .filter((content) => content.name === name)
    .map(({ text }) => text)
    .join("");

/** The value as text, without colors. */
function plain(ran: Exchange): string | undefined {
  const text: string | undefined = of(ran, "execute_result")[0]?.data["text/plain"];
  return text && stripVTControlCharacters(text);
}

const info = (kernel: KernelClient, channel: "shell" | "control" = "shell"): Promise<Content> =>
  kernel.reply("kernel_info_request", {}, channel);

async function completeness(kernel: KernelClient, code: string): Promise<string> {
  return (await kernel.ask("is_complete_request", { code })).reply.status;
}

const atEnd = (code: string) => ({ code, cursor_pos: code.length });

export const conformance: readonly Check[] = [
  { name: "answers heartbeats", ask: async (kernel) => assert.equal(await kernel.beat(), "ping") },
  {
    name: "says what it is: status ok",
    ask: async (kernel) => assert.equal((await info(kernel)).status, "ok"),
  },
  {
    name: "says its language",
    ask: async (kernel) => assert.match((await info(kernel)).language_info.name, /typescript/i),
  },
  {
    name: "says which protocol it speaks",
    ask: async (kernel) => assert.match((await info(kernel)).protocol_version, /^5\.\d/),
  },
  {
    name: "stdout",
    ask: async (kernel) =>
      assert.equal(streamed(await kernel.run("console.log('hello')"), "stdout"), "hello\n"),
  },
  {
    name: "stderr",
    ask: async (kernel) =>
      assert.equal(streamed(await kernel.run("console.error('error')"), "stderr"), "error\n"),
  },
  {
    name: "a cell's reply",
    ask: async (kernel) => assert.equal((await kernel.run("const x = 1")).reply.status, "ok"),
  },
  {
    name: "busy before, idle after",
    async ask(kernel) {
      const states = of(await kernel.run("2 + 3"), "status").map((content) => content.execution_state);
      assert.deepEqual([states[0], states.at(-1)], ["busy", "idle"]);
    },
  },
  {
    name: "the cell's text to every frontend",
    ask: async (kernel) => assert.equal(of(await kernel.run("3 + 4"), "execute_input")[0].code, "3 + 4"),
  },
  {
    name: "completion",
    async ask(kernel) {
      await kernel.run("const testVariableForCompletion = 42");
      const { reply } = await kernel.ask("complete_request", atEnd("testVariableFor"));
      assert.ok(reply.matches.includes("testVariableForCompletion"), String(reply.matches));
    },
  },
  {
    name: "inspection",
    async ask(kernel) {
      const asked = { ...atEnd("testVariableForCompletion"), detail_level: 0 };
      const { reply } = await kernel.ask("inspect_request", asked);
      assert.deepEqual([reply.status, reply.found], ["ok", true]);
    },
  },
  {
    name: "whole cells",
    ask: async (kernel) => assert.equal(await completeness(kernel, "const x = 1"), "complete"),
  },
  {
    name: "cells that go on",
    ask: async (kernel) => assert.equal(await completeness(kernel, "function foo("), "incomplete"),
  },
  {
    name: "history",
    async ask(kernel) {
      await kernel.run("'remembered'");
      const asked = { hist_access_type: "tail", n: 10, output: false, raw: true };
      const { reply } = await kernel.ask("history_request", asked);
      assert.equal(reply.status, "ok");
      const lines = (reply.history as [number, number, string][]).map(([, , line]) => line);
      assert.ok(lines.includes("'remembered'"), String(lines));
    },
  },
  {
    name: "the list of comms",
    ask: async (kernel) => assert.deepEqual((await kernel.ask("comm_info_request")).reply.status, "ok"),
  },
  {
    name: "errors, in the reply and to everybody",
    async ask(kernel) {
      const ran = await kernel.run("function function");
      assert.equal(ran.reply.status, "error");
      assert.ok(of(ran, "error").length > 0);
    },
  },
  {
    name: "displays",
    async ask(kernel, { display }) {
      const [shown] = of(await kernel.run(display), "display_data");
      assert.match(shown.data["text/html"], /<b>bold<\/b>/);
    },
  },
  {
    name: "displays that change",
    async ask(kernel, { update }) {
      const ran = await kernel.run(update);
      const [shown] = of(ran, "display_data");
      const [changed] = of(ran, "update_display_data");
      assert.equal(changed.transient.display_id, shown.transient.display_id);
      assert.match(changed.data["text/html"], /<b>two<\/b>/);
    },
  },
  { name: "values", ask: async (kernel) => assert.equal(plain(await kernel.run("1 + 1")), "2") },
  {
    name: "rich values",
    async ask(kernel, { rich }) {
      const [value] = of(await kernel.run(rich), "execute_result");
      assert.match(value.data["text/html"], /<b>bold<\/b>/);
    },
  },
  {
    name: "prompt",
    async ask(kernel) {
      const asked = kernel.stdinRequests.length;
      const id = kernel.start('prompt("name?")');
      await kernel.until(() => kernel.stdinRequests.length > asked, 5_000, "nobody asked");
      kernel.answerInput("Ada");
      assert.match(String(plain(await kernel.answer(id))), /Ada/);
    },
  },
  {
    name: "comms nobody knows are closed",
    async ask(kernel) {
      kernel.send("comm_open", { comm_id: "nobody's", target_name: "nobody", data: {} });
      const isClosed = () =>
        kernel.iopub.some(({ header, content }) => {
          return header.msg_type === "comm_close" && content.comm_id === "nobody's";
        });
      await kernel.until(isClosed, 5_000, "it was not closed");
    },
  },
  {
    name: "interrupts are answered",
    ask: async (kernel) =>
      assert.equal((await kernel.reply("interrupt_request", {}, "control")).status, "ok"),
  },
  {
    name: "cells are counted",
    async ask(kernel) {
      const [first, second] = [await kernel.run("1"), await kernel.run("2")];
      assert.equal(second.reply.execution_count, first.reply.execution_count + 1);
    },
  },
  {
    name: "answers name what they answer",
    async ask(kernel) {
      const ran = await kernel.run("console.log('whose')");
      assert.equal(streamed(ran, "stdout"), "whose\n"); // `ran` holds what names this request and nothing else
    },
  },
  {
    name: "a welcome to each subscriber",
    async ask(kernel) {
      const { subscription } = await kernel.subscribe();
      assert.equal(subscription, "");
    },
  },
];

export const habits: readonly Check[] = [
  {
    name: "says what it is on control, too",
    ask: async (kernel) => assert.equal((await info(kernel, "control")).status, "ok"),
  },
  {
    name: "nonsense is no beginning of a cell",
    ask: async (kernel) => assert.equal(await completeness(kernel, "const = ;"), "invalid"),
  },
  {
    name: "types are checked before a cell runs",
    async ask(kernel) {
      const ran = await kernel.run("console.log('ran');\nconst wrong: number = 'text';");
      assert.equal(ran.reply.status, "error");
      assert.equal(streamed(ran, "stdout"), "");
    },
  },
  {
    name: "declarations may be made anew, with another type",
    async ask(kernel) {
      await kernel.run("const again = 1;");
      assert.match(String(plain(await kernel.run("const again = 'text';\nagain.length"))), /4/);
    },
  },
  {
    name: "await and for await at top level",
    async ask(kernel) {
      const code = [
        "async function* three() { yield 1; yield 2; }",
        "let sum = 0;",
        "for await (const each of three()) sum += each;",
        "await Promise.resolve(sum)",
      ];
      assert.match(String(plain(await kernel.run(code.join("\n")))), /3/);
    },
  },
  {
    name: "the language of 2025: using, import attributes",
    async ask(kernel) {
      writeFileSync(join(kernel.folder, "numbers.json"), '{ "seven": 7 }');
      const code = [
        'import numbers from "./numbers.json" with { type: "json" };',
        "let closed = 0;",
        "function once() { using it = { [Symbol.dispose]: () => void (closed = numbers.seven) }; }",
        "once();",
        "closed",
      ];
      assert.match(String(plain(await kernel.run(code.join("\n")))), /7/);
    },
  },
  {
    name: "what waits behind a failing cell is not run",
    async ask(kernel) {
      const ids = ["throw new Error('stop')", "console.log('ran')"].map((code) => kernel.start(code));
      const [, second] = await Promise.all(ids.map((id) => kernel.answer(id)));
      assert.equal(second!.reply.status, "aborted");
    },
  },
  {
    name: "an imported file that changed is read anew",
    async ask(kernel) {
      const value = async (number: number) => {
        writeFileSync(join(kernel.folder, "changing.ts"), `export const value = ${number};\n`);
        return plain(await kernel.run('import { value } from "./changing.ts";\nvalue'));
      };
      assert.match(String(await value(1)), /1/);
      assert.match(String(await value(2)), /2/);
    },
  },
  {
    name: "5,000 prints, in order",
    async ask(kernel) {
      const ran = await kernel.run("for (let i = 0; i < 5000; i++) console.log(i);");
      const lines = Array.from({ length: 5000 }, (_, i) => `${i}\n`).join("");
      assert.equal(streamed(ran, "stdout"), lines);
    },
  },
  {
    name: "the stop button ends a loop without end, and values stay",
    async ask(kernel) {
      await kernel.run("const kept = 5;");
      const id = kernel.start("while (true) {}");
      await new Promise((resolve) => setTimeout(resolve, 500));
      kernel.send("interrupt_request", {}, "control");
      assert.equal((await kernel.answer(id, 10_000)).reply.status, "error");
      assert.match(String(plain(await kernel.run("kept"))), /5/);
    },
  },
  {
    name: "outlives a rejection that nobody awaits",
    async ask(kernel) {
      await kernel.run("void Promise.reject(new Error('unheard'));");
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal(plain(await kernel.run("6 * 7")), "42");
    },
  },
];

/** Asked last. */
export const ending: Check = {
  name: "shuts down and answers that it does",
  async ask(kernel) {
    const { status } = await kernel.reply("shutdown_request", { restart: false }, "control");
    assert.equal(status, "ok");
    await kernel.until(() => kernel.exitCode !== undefined, 10_000, "it did not end");
  },
};
