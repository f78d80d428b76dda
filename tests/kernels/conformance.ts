import assert from "node:assert/strict";
import { atEnd, type Check, completeness, info, of, plain, streamed } from "./check";

/** What the conformance suite runtimed/kernel-testbed asks, in the same order. */
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
