import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as zmq from "zeromq";
import { KernelClient } from "../../unit/kernel/client";

/* Many at once, and signed messages of shapes that no frontend sends: the kernel goes on with what it had. */

let kernel: KernelClient;

before(async () => {
  kernel = await KernelClient.start();
  await kernel.run("const kept = 41;");
});
after(() => kernel.close());

async function lives(what: string): Promise<void> {
  assert.equal(await kernel.beat(), "ping", what);
  const { published } = await kernel.run("kept + 1");
  const value = published.find(({ type }) => type === "execute_result");
  assert.equal(value?.content.data["text/plain"], "42", what);
  assert.equal(kernel.exitCode, undefined, what);
}

/** A connection that says the beginning of a greeting, or nothing, and stays. */
function half(port: number, bytes: Buffer): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => resolve(socket));
    socket.on("connect", () => {
      if (bytes.length > 0) socket.write(bytes);
      resolve(socket);
    });
  });
}

describe("a kernel under many strangers at once", () => {
  it("answers while 200 connections to every port wait within their greeting", async () => {
    const beginnings = [
      [],
      [0xff],
      [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f],
      [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 78],
    ];
    const ports = Object.values(kernel.ports);
    const held = await Promise.all(
      ports.flatMap((port) =>
        Array.from({ length: 200 }, (_, i) => half(port, Buffer.from(beginnings[i % 4]!))),
      ),
    );
    await lives("half-open connections");
    for (const socket of held) socket.destroy();
    await lives("closed connections");
  });

  it("answers after floods of unsigned messages and of subscriptions", async () => {
    for (const port of [kernel.ports.shell, kernel.ports.control, kernel.ports.stdin]) {
      const socket = new zmq.Dealer({ linger: 0, sendTimeout: 200 });
      socket.connect(`tcp://127.0.0.1:${port}`);
      for (let i = 0; i < 3000; i++)
        await socket.send(["<IDS|MSG>", "0".repeat(64), "{}", "{}", "{}", "{}"]).catch(() => {});
      socket.close();
    }
    const subscriber = new zmq.XSubscriber({ linger: 0, sendTimeout: 200 });
    subscriber.connect(`tcp://127.0.0.1:${kernel.ports.iopub}`);
    for (let i = 0; i < 3000; i++) await subscriber.send(`\u0001${"topic".repeat(20)}${i}`).catch(() => {});
    await sleep(200);
    await lives("floods");
    subscriber.close();
  });
});

describe("a kernel whose key is known, given strange shapes", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;

  it("goes on after deep lists in contents, whatever the type", async () => {
    for (const type of [
      "execute",
      "complete",
      "inspect",
      "is_complete",
      "history",
      "comm_info",
      "kernel_info",
      "interrupt",
    ]) {
      for (const field of ["code", "user_expressions", "cursor_pos", "pattern", "target_name", "data"])
        kernel.sendFrames(kernel.signed(`${type}_request`, `{"${field}":${deep}}`));
      await lives(type);
    }
  });

  it("goes on after parts that are no JSON, no UTF-8, or too many", async () => {
    const frames = () => [...kernel.frames("execute_request", { code: "1" })];
    for (let part = 1; part < 6; part++) {
      for (const bytes of [
        Buffer.alloc(0),
        Buffer.from([0xff, 0xfe, 0x80]),
        Buffer.alloc(100_000, "{"),
        Buffer.from('"a"'),
      ]) {
        const changed = frames();
        changed[part] = bytes;
        kernel.sendFrames(changed);
        kernel.sendFrames(changed, "control");
      }
    }
    kernel.sendFrames([...frames(), ...Array.from({ length: 20_000 }, () => "")]);
    kernel.sendFrames([...Array.from({ length: 2000 }, () => "identity"), ...frames()]);
    kernel.sendFrames([...frames(), ...frames()]);
    await lives("parts");
  });

  it("goes on after types, names and numbers that objects have of themselves", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", ""];
    for (const name of names) {
      for (const text of [
        `{"${name}":{"x":1}}`,
        `{"code":{"${name}":[]},"user_expressions":{"${name}":"1"}}`,
      ]) {
        for (const type of [`${name}_request`, name, "execute_request", "complete_request", "comm_open"])
          kernel.sendFrames(kernel.signed(type, text));
      }
      await kernel.ask("kernel_info_request"); // what waits behind a cell that fails is aborted
      const { reply } = await kernel.run("2", { user_expressions: { [name || "x"]: "({}).polluted" } });
      assert.equal(reply.status, "ok", name);
    }
    await lives("names");
  });

  it("takes no answer for a question that nobody has asked, and none twice", async () => {
    for (const value of ['"early"', deep, "{}", "null"])
      kernel.sendFrames(kernel.signed("input_reply", `{"value":${value}}`), "stdin");
    await sleep(1000); // nothing tells that they have come
    const id = kernel.start(`prompt("name")`);
    await kernel.until(() => kernel.stdinRequests.length > 0);
    kernel.answerInput("right");
    const { published } = await kernel.answer(id);
    assert.equal(
      published.find(({ type }) => type === "execute_result")?.content.data["text/plain"],
      "right",
    );
    await lives("answers");
  });
});
