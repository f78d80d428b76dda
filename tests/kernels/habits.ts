import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Check, completeness, info, plain, streamed } from "./check";

/** What people rely on in notebooks. */
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
