import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Exchange, KernelClient } from "./client";

let kernel: KernelClient;

before(async () => {
  kernel = await KernelClient.start();
});
after(() => kernel.close());

const result = ({ published }: Exchange) =>
  published.find(({ type }) => type === "execute_result")?.content.data["text/plain"];
const streamed = ({ published }: Exchange, name: string) =>
  published.map(({ content }) => (content.name === name ? content.text : "")).join("");

/** Runs a cell that asks; returns what it asked and what came of the answer. */
async function asked(code: string, answer: string): Promise<[string, Exchange]> {
  const before = kernel.stdinRequests.length;
  const id = kernel.start(code);
  await kernel.until(() => kernel.stdinRequests.length > before, 30_000, `${code} does not ask`);
  kernel.answerInput(answer);
  return [String(kernel.stdinRequests[before]!.content.prompt), await kernel.answer(id)];
}

describe("a cell that asks its user", () => {
  it("by prompt() gets the line, or the initial value for an empty one", async () => {
    for (const [code, answer, question, value] of [
      ["prompt('name?')", "Ada", "name?", "Ada"],
      ["prompt('name?')", "", "name?", ""],
      ["prompt('name?', 'Bo')", "", "name? [Bo] ", "Bo"],
      ["prompt('name?', 'Bo')", "Ada", "name? [Bo] ", "Ada"],
      ["await null;\nprompt()", "x", "", "x"],
    ] as const) {
      const [said, exchange] = await asked(code, answer);
      assert.deepEqual([said, result(exchange)], [question, value], code);
    }
  });

  it("by confirm() gets true for y and yes alone", async () => {
    for (const [answer, value] of [
      ["y", "true"],
      ["YES", "true"],
      ["", "false"],
      ["n", "false"],
      ["yesterday", "false"],
    ] as const) {
      const [said, exchange] = await asked("confirm('sure?')", answer);
      assert.deepEqual([said, result(exchange)], ["sure? [y/N] ", value], answer);
    }
  });

  it("by alert() waits until it is read", async () => {
    const [said, exchange] = await asked("alert('look');\nconsole.log('on');", "");
    assert.deepEqual([said, streamed(exchange, "stdout")], ["look [Enter] ", "on\n"]);
  });

  it("is ended by the stop button before anything is made of the missing answer", async () => {
    for (const code of ["prompt('x', 'initial')!", "await null;\nconfirm('x')", "alert('x')"]) {
      const before = kernel.stdinRequests.length;
      const id = kernel.start(`${code};\nconsole.log("went on");`);
      await kernel.until(() => kernel.stdinRequests.length > before);
      await kernel.interrupt();
      const exchange = await kernel.answer(id);
      assert.equal(exchange.reply.ename, "KeyboardInterrupt", code);
      assert.equal(streamed(exchange, "stdout"), "", code);
    }
  });
});

describe("a cell that asks where no input is taken", () => {
  const quiet = { allow_stdin: false };

  it("fails at once with a clear error at prompt()", async () => {
    for (const code of ["prompt('name?')", "await null;\nprompt('name?', 'initial')"]) {
      const { reply } = await kernel.run(code, quiet);
      assert.deepEqual([reply.status, reply.ename], ["error", "NoInput"]);
      assert.match(reply.evalue, /^prompt\("name\?"\): nobody can be asked, since this run takes no input/);
    }
  });

  it("is told no by confirm(), which says so, and goes on after alert(), which prints", async () => {
    const confirmed = await kernel.run("confirm('sure?')", quiet);
    assert.equal(result(confirmed), "false");
    assert.match(streamed(confirmed, "stderr"), /confirm\("sure\?"\): nobody to ask, taken as no/);
    assert.equal(streamed(await kernel.run("alert('look')", quiet), "stdout"), "look\n");
    assert.equal(kernel.stdinRequests.filter(({ content }) => content.prompt === "sure?").length, 0);
  });
});
