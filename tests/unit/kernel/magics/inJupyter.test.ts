import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Exchange, KernelClient } from "../client";

let kernel: KernelClient;

before(async () => {
  kernel = await KernelClient.start();
  mkdirSync(join(kernel.folder, "data"));
  for (const file of ["data/a.csv", "data/b c.csv", "data/lines.ts"])
    writeFileSync(join(kernel.folder, file), "export const line = 1;\n");
});
after(() => kernel.close());

const printed = ({ published }: Pick<Exchange, "published">) =>
  published.map(({ type, content }) => (type === "stream" ? content.text : "")).join("");

/** `|` is the cursor. */
async function completed(marked: string): Promise<string[]> {
  const cursor_pos = Array.from(marked.slice(0, marked.indexOf("|"))).length;
  const code = marked.replace("|", "");
  const { reply } = await kernel.ask("complete_request", { code, cursor_pos });
  const characters = Array.from(code);
  return reply.matches.map((match: string) =>
    [...characters.slice(0, reply.cursor_start), match, ...characters.slice(reply.cursor_end)].join(""),
  );
}

async function inspected(marked: string): Promise<string | undefined> {
  const code = marked.replace("|", "");
  const asked = { code, cursor_pos: marked.indexOf("|"), detail_level: 0 };
  const { reply } = await kernel.ask("inspect_request", asked);
  return reply.found ? reply.data["text/plain"] : undefined;
}

const completeness = async (code: string) => (await kernel.ask("is_complete_request", { code })).reply.status;

describe("a command of the shell", () => {
  it("is streamed while it runs", async () => {
    const id = kernel.start("!echo first; while [ ! -e go ]; do sleep 0.05; done; echo second");
    await kernel.until(() => printed({ published: kernel.published(id) }).includes("first"));
    writeFileSync(join(kernel.folder, "go"), "");
    const ran = await kernel.answer(id);
    assert.equal(ran.reply.status, "ok");
    assert.equal(printed(ran), "first\nsecond\n");
  });

  it("is ended by the stop button, with what it has started", async () => {
    const id = kernel.start("!echo on; (sleep 2; touch late); touch never");
    await kernel.until(() => printed({ published: kernel.published(id) }).includes("on"));
    await kernel.interrupt();
    assert.equal((await kernel.answer(id)).reply.ename, "KeyboardInterrupt");
    assert.equal(printed(await kernel.run("!echo next")), "next\n");
    await sleep(2500);
    for (const file of ["late", "never"]) assert.ok(!existsSync(join(kernel.folder, file)), file);
  });

  it("that does not hear the stop button is killed", async () => {
    const id = kernel.start("!trap '' INT; echo on; for i in 1 2 3 4 5 6 7 8; do sleep 1; done; touch deaf");
    await kernel.until(() => printed({ published: kernel.published(id) }).includes("on"));
    await kernel.interrupt();
    assert.equal((await kernel.answer(id)).reply.ename, "KeyboardInterrupt");
    const found = "!ps -eo args | grep -c '[t]ouch deaf'\n";
    await sleep(2500);
    assert.match(printed(await kernel.run(found)), /^0\n/);
  });

  it("may leave something running, which is not waited for", async () => {
    const ran = await kernel.run("!(sleep 1; echo afterwards) & echo now");
    assert.equal(printed(ran), "now\n");
    await kernel.until(() => printed({ published: kernel.published(ran.id) }).includes("afterwards"));
  });

  it("has no input, and any bytes", async () => {
    assert.equal(printed(await kernel.run("!cat; printf 'gr\\303\\274n'")), "grün");
  });
});

describe("help for magics", () => {
  it("completes their names, paths, variables and code", async () => {
    await kernel.run("process.env.LUVIT_VARIABLE = '1'; const measured = 5, flag = true;");
    for (const [code, found] of [
      ["%ti|", ["%time"]],
      ["%%|", ["%%sh", "%%time"]],
      ["1;\n%%|", []],
      ["%cd da|", ["%cd data/"]],
      ["!cat data/a|", ["!cat data/a.csv"]],
      ["!cat data/b|", ["!cat data/b\\ c.csv"]],
      ["%%sh\ncat ./da|", ["%%sh\ncat ./data/"]],
      ["%env LUVIT_VAR|", ["%env LUVIT_VARIABLE"]],
      ["%help %%t|", ["%help %%time"]],
    ] as const)
      assert.deepEqual(await completed(code), found, code);
    for (const before of ["%time ", "!echo x\n", "'🐑';\n%time 1 + "])
      assert.equal((await completed(`${before}measur|`))[0], `${before}measured`);
    assert.ok((await completed("!fla|")).includes("!flag"));
    assert.deepEqual(await completed("__luvit|"), []);
  });

  it("tells what they do, and what is known about names behind them", async () => {
    assert.match((await inspected("%ti|me"))!, /^%time code\n\nSays how long/);
    assert.match((await inspected("!l|s"))!, /^!command\n\nRuns a command/);
    assert.match((await inspected("!echo\n%time measur|ed"))!, /^const measured: 5/);
    assert.equal(await inspected("%nos|uch"), undefined);
    assert.match(printed(await kernel.run("%time?")), /^%time code\nSays how long/);
  });

  it("knows whether more lines are to come", async () => {
    for (const [code, status] of [
      ["!ls", "complete"],
      ["!ls \\", "incomplete"],
      ["%cd data", "complete"],
      ["%%time", "incomplete"],
      ["%%time\nmeasured", "complete"],
      ["%%sh\nls", "incomplete"],
      ["%%sh\nls\n", "complete"],
      ["%time [", "incomplete"],
      ["!ls\nfunction f() {", "incomplete"],
      ["const = ;\n!ls", "invalid"],
    ] as const)
      assert.equal(await completeness(code), status, code);
  });

  it("%cd moves imports and completion of paths", async () => {
    await kernel.run("%cd data");
    assert.deepEqual(await completed('"./a|"'), ['"./a.csv"']);
    assert.deepEqual(await completed('import { line } from "./li|"'), ['import { line } from "./lines"']);
    assert.deepEqual(await completed("!cat li|"), ["!cat lines.ts"]);
    const { reply } = await kernel.run('import { line } from "./lines";\nline');
    assert.equal(reply.status, "ok");
    await kernel.run("%cd ..");
  });
});
