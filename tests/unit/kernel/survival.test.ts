import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Exchange, KernelClient } from "./client";

let kernel: KernelClient;

before(async () => {
  kernel = await KernelClient.start();
  await kernel.run("const kept = 41;");
});
after(() => kernel.close());

const result = ({ published }: Exchange) =>
  published.find(({ type }) => type === "execute_result")?.content.data["text/plain"];
const stderr = (id: string, from = kernel) =>
  from
    .published(id)
    .map(({ type, content }) => (type === "stream" && content.name === "stderr" ? content.text : ""))
    .join("");

async function lives(after: string): Promise<void> {
  assert.equal(result(await kernel.run("kept + 1")), "42", after);
  assert.equal(kernel.exitCode, undefined, after);
}

describe("an error that nobody catches", () => {
  const careless: [name: string, code: string][] = [
    ["throw it again, as tfjs does", "const again = (e: unknown) => { throw e; };"],
    ["throw another", 'const again = () => { throw new Error("another"); };'],
  ];

  it("does not end the kernel after luvit.ready()", async () => {
    const ready = await kernel.run('import * as luvit from "luvit";\nawait luvit.ready();');
    assert.equal(ready.reply.status, "ok");
    for (const code of [
      'void Promise.reject(new Error("nobody awaits this"));',
      'void setTimeout(() => { throw new Error("from a timer"); }, 5);',
    ]) {
      const { id } = await kernel.run(code);
      await kernel.until(() => /nobody awaits this|from a timer/.test(stderr(id)));
      await lives(code);
    }
    const failed = await kernel.run(
      'setTimeout(() => { throw new RangeError("meanwhile"); }, 5);\nawait new Promise(() => {});',
    );
    assert.deepEqual([failed.reply.ename, failed.reply.evalue], ["RangeError", "meanwhile"]);
  });

  for (const [name, listener] of careless) {
    it(`does not end the kernel when listeners ${name}`, async () => {
      const events = ["uncaughtException", "unhandledRejection", "uncaughtExceptionMonitor"];
      const adds = events.map((event) => `process.on("${event}", again);`).join("\n");
      const { id } = await kernel.run(
        `${listener}\n${adds}\nvoid Promise.reject(new Error("first"));\nvoid setTimeout(() => { throw new Error("second"); }, 5);`,
      );
      await kernel.until(() => stderr(id).includes("second"));
      assert.match(stderr(id), /first/);
      await lives(name);
      await kernel.run(events.map((event) => `process.removeListener("${event}", again);`).join("\n"));
    });
  }

  it("does not end the kernel when the process's events are taken away or replaced", async () => {
    for (const code of [
      'void process.removeAllListeners("uncaughtException").removeAllListeners("unhandledRejection").removeAllListeners("SIGINT");',
      "const emit = process.emit;\n(process as any).emit = function (this: any, ...given: any[]) { return (emit as any).apply(this, given); };",
      "(process as any).emit = () => false;",
      "process.setUncaughtExceptionCaptureCallback(() => { throw new Error('captured'); });",
    ]) {
      assert.equal((await kernel.run(code)).reply.status, "ok", code);
      const { id } = await kernel.run('void setTimeout(() => { throw new Error("still seen"); }, 5);');
      await kernel.until(() => stderr(id).includes("still seen"));
      await lives(code);
    }
    await kernel.run("process.setUncaughtExceptionCaptureCallback(null);");
  });

  it("calls the listeners that cells have added", async () => {
    const { id } = await kernel.run(
      'void process.once("unhandledRejection", (e: any) => console.error("mine:", e.message));\nvoid Promise.reject(new Error("told"));',
    );
    await kernel.until(() => stderr(id).includes("mine: told"));
  });
});

describe("the stop button reaches", () => {
  before(() => {
    const folder = join(kernel.folder, "node_modules", "busy");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"name":"busy","version":"1.0.0","main":"index.js"}');
    writeFileSync(
      join(folder, "index.js"),
      "exports.spin = () => { for (let i = 0; ; i++) if (i < 0) return; };\n" +
        "exports.timer = () => { setTimeout(exports.spin, 10); };\nexports.tick = () => { process.nextTick(exports.spin); };\n",
    );
  });

  const cases: [what: string, code: string][] = [
    ["a library's JavaScript", "busy.spin();"],
    ["a library's JavaScript after an await", "await null; busy.spin();"],
    ["a library's timer", "busy.timer(); await new Promise(() => {});"],
    ["a library's tick", "busy.tick(); await new Promise(() => {});"],
    ["a regular expression after an await", 'await null; "a".repeat(40).match(/^(a+)+b/);'],
    ["a process that is waited for", 'require("child_process").execSync("sleep 100; echo late");'],
    ["the same after an await", 'await null; require("child_process").execSync("sleep 100");'],
    ["Atomics.wait", "await null; Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);"],
  ];
  for (const [what, code] of cases)
    it(what, async () => {
      await kernel.run('const busy = require("busy");');
      const id = kernel.start(code);
      await kernel.until(() => kernel.published(id).some(({ type }) => type === "execute_input"));
      await sleep(300);
      await kernel.interrupt();
      const { reply } = await kernel.answer(id);
      assert.deepEqual([reply.status, reply.ename], ["error", "KeyboardInterrupt"]);
      await lives(code);
    });

  const left: [what: string, code: string][] = [
    ["a library's timer", "busy.timer();"],
    ["a timer's loop", "void setTimeout(() => { while (true) {} }, 10);"],
  ];
  for (const [what, code] of left)
    it(`${what} that a cell which is over has left running`, async () => {
      await kernel.run(`const busy = require("busy");\n${code}`);
      await sleep(300);
      const id = kernel.start("1 + 1");
      await sleep(300);
      await kernel.interrupt();
      assert.equal((await kernel.answer(id)).reply.ename, "KeyboardInterrupt");
      await lives(code);
    });

  it("a library that listens and computes at the second press, and says so", async () => {
    const id = kernel.start(
      'void process.once("SIGINT", () => {});\nvoid process.once("SIGINT", () => {});\nconsole.error("on");\nawait new Promise((done) => setTimeout(done, 50)); busy.spin();',
    );
    await kernel.until(() => stderr(id).includes("on"));
    await sleep(300);
    await kernel.interrupt();
    await kernel.until(() => /interrupt again to stop it at once/.test(stderr(id)));
    await kernel.interrupt();
    assert.equal((await kernel.answer(id)).reply.ename, "KeyboardInterrupt");
    await lives("a second press");
  });
});

describe("a cell that would end the kernel", () => {
  it("because it fills the memory is ended instead, before an await and after it", async () => {
    const own = await KernelClient.start((file) => [
      "--max-old-space-size=400",
      join(__dirname, "../../../src/kernel/main.js"),
      file,
    ]);
    try {
      await own.run("const kept = 41;");
      for (const code of [
        "const a: unknown[] = []; while (true) a.push({ n: a.length });",
        "await null; const b: unknown[] = []; while (true) b.push([b.length]);",
        "const c: number[] = []; while (true) c.push(c.length + 0.5);", // goes over the limit in one step
      ]) {
        const { reply, published } = await own.answer(own.start(code), 120_000);
        assert.deepEqual([reply.status, reply.ename], ["error", "OutOfMemory"], code);
        assert.match(reply.evalue, /GB that Node gives JavaScript/);
        assert.equal(published.filter(({ type }) => type === "error").length, 1);
        const next = await own.run("a.length = 0; kept + 1");
        assert.equal(result(next), "42", `${code}: then ${next.reply.ename} ${next.reply.evalue}`);
      }
      for (let cells = 0; cells < 2; cells++) {
        const looping = "for (let i = 0; i < 1e7; i++) Math.sqrt(i); c.length > 0";
        assert.equal(result(await own.run(looping)), "true", "memory that is still full lets cells run");
      }
    } finally {
      own.close();
    }
  });

  it("by process.exit() says so in its output and is answered", async () => {
    for (const code of ["process.exit(3);", "await null; process.exit(3);"]) {
      const own = await KernelClient.start();
      const id = own.start(code);
      const { reply } = await own.answer(id);
      assert.deepEqual([reply.status, reply.ename], ["error", "ProcessExit"]);
      const error = own.published(id).find(({ type }) => type === "error");
      assert.match(error?.content.evalue, /process\.exit\(3\) ended the kernel/);
      await own.until(() => own.exitCode !== undefined);
      assert.equal(own.exitCode, 3);
      own.close();
    }
  });
});
