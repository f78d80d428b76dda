import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as zmq from "zeromq";
import { matchesGlob } from "../../../src/kernel/jupyter/history";
import { Wire } from "../../../src/kernel/protocol/wire";
import { seededRng } from "../../support/seededRng";
import { KernelClient } from "../../unit/kernel/client";

let kernel: KernelClient;

before(async () => {
  kernel = await KernelClient.start();
  await kernel.run("const kept = 41;");
});
after(() => kernel.close());

/** The kernel is the one that was started: it beats, answers on shell and on control, and has its variables. */
async function lives(after: string): Promise<void> {
  assert.equal(await kernel.beat(), "ping", after);
  for (const channel of ["shell", "control"] as const)
    assert.equal((await kernel.ask("kernel_info_request", {}, channel)).reply.status, "ok", after);
  const { published } = await kernel.run("kept + 1");
  const value = published.find(({ type }) => type === "execute_result");
  assert.equal(value?.content.data["text/plain"], "42", after);
  assert.equal(kernel.exitCode, undefined, after);
}

/** Sends frames as a socket of a type that the port does not expect, and goes. */
async function knock(
  port: number,
  frames: (string | Buffer)[],
  Socket: new () => zmq.Dealer | zmq.Push | zmq.Publisher = zmq.Dealer,
): Promise<void> {
  const socket = new Socket();
  socket.linger = 200;
  socket.connect(`tcp://127.0.0.1:${port}`);
  await Promise.race([socket.send(frames), sleep(200)]).catch(() => {});
  await sleep(50);
  socket.close();
}

/** Writes bytes as they are to a port and waits until they are taken or the port hangs up. */
function pour(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.on("data", () => {});
    socket.on("connect", () => socket.write(bytes, () => setTimeout(() => socket.destroy(), 30)));
  });
}

const greeting = Buffer.concat([
  Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]),
  Buffer.from("NULL"),
  Buffer.alloc(48),
]);

describe("a kernel whose ports are open to strangers", () => {
  it("answers heartbeats after frames without a delimiter, empty ones and many", async () => {
    for (const frames of [["x"], [""], ["", ""], ["a", "b", "c"], Array.from({ length: 5000 }, () => "z")])
      await knock(kernel.ports.heartbeat, frames);
    await lives("heartbeats");
  });

  it("outlives random bytes, also behind a right greeting, on every port", async () => {
    const rng = seededRng(34);
    const noise = (length: number) => Buffer.from(Array.from({ length }, () => rng.integer(256)));
    const ready = Buffer.from("\u0004\u0019\u0005READY\u000bSocket-Type\0\0\0\u0006DEALER", "latin1");
    const huge = Buffer.from([2, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
    for (const [name, port] of Object.entries(kernel.ports)) {
      const attempts = [noise(1), noise(64), noise(5000), greeting];
      for (let round = 0; round < 5; round++)
        attempts.push(Buffer.concat([greeting, noise(200)]), Buffer.concat([greeting, ready, noise(200)]));
      attempts.push(Buffer.concat([greeting, ready, huge, noise(1000)]));
      await Promise.all(attempts.map((bytes) => pour(port, bytes)));
      await lives(name);
    }
  });

  it("outlives unsigned frames of every number and size on every port", async () => {
    const rng = seededRng(35);
    for (const [name, port] of Object.entries(kernel.ports)) {
      for (let round = 0; round < 20; round++) {
        const frames = Array.from({ length: 1 + rng.integer(9) }, () =>
          rng.integer(3) === 0 ? "<IDS|MSG>" : Buffer.alloc(rng.integer(2000), rng.integer(256)),
        );
        await Promise.race([knock(port, frames), sleep(60)]);
      }
      await lives(name);
    }
  });

  it("takes no frame of 540 MB, signed or not", async () => {
    for (const port of [kernel.ports.shell, kernel.ports.heartbeat]) {
      const socket = new zmq.Dealer({ linger: 0 });
      socket.connect(`tcp://127.0.0.1:${port}`);
      await Promise.race([socket.send(["<IDS|MSG>", "", Buffer.alloc(540e6), "{}", "{}", "{}"]), sleep(500)]);
      await sleep(1000);
      socket.close();
      await lives("540 MB");
    }
  });
});

describe("a kernel whose frontend sends what no frontend should", () => {
  const contents: unknown[] = [null, [], "text", 5, true, {}, { code: null }, { code: { toString: 1 } }];
  const fields: unknown[] = [
    { code: [], cursor_pos: -5, user_expressions: "abc", silent: "no" },
    { code: "1", cursor_pos: 1e300, user_expressions: [1, null], store_history: 0 },
    { hist_access_type: "search", pattern: {}, n: -1, output: 1 },
    { hist_access_type: "range", session: 0, start: "x", stop: null },
    { hist_access_type: "tail", n: 1e300 },
    { comm_id: {}, target_name: [], data: null },
    { comm_id: "__proto__", target_name: "constructor", data: "x" },
    { value: { deep: [] }, restart: [] },
    { target_name: 5, detail_level: "x" },
  ];

  it("answers or drops it, and goes on", async () => {
    const types = ["execute", "inspect", "complete", "is_complete", "history", "comm_info", "kernel_info"];
    const all = [...types, "interrupt", "connect", "__proto__", "toString"].map((type) => `${type}_request`);
    for (const content of [...contents, ...fields]) {
      for (const type of [...all, "comm_open", "comm_msg", "comm_close", "input_reply"])
        for (const channel of ["shell", "control", "stdin"] as const)
          kernel.sendFrames(kernel.frames(type, content), channel);
      await lives(JSON.stringify(content));
    }
  });

  it("answers a null content as an empty one", async () => {
    for (const type of ["kernel_info_request", "interrupt_request"]) {
      const id = kernel.send(type, null as unknown as object, "control");
      assert.equal((await kernel.answer(id)).reply.status, "ok");
    }
  });

  it("answers a request that is too deep to be handed on", async () => {
    const text = `{"comm_id":"x","data":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    kernel.sendFrames(kernel.signed("comm_msg", text));
    kernel.sendFrames(kernel.signed("execute_request", text));
    await lives("depth");
  });

  it("runs a signed message once, however often it comes", async () => {
    await kernel.run("let count = 0;");
    const frames = kernel.frames("execute_request", { code: "count++", silent: false });
    for (let times = 0; times < 3; times++) kernel.sendFrames(frames);
    kernel.sendFrames(frames, "control");
    const { published } = await kernel.run("count");
    assert.equal(published.find(({ type }) => type === "execute_result")?.content.data["text/plain"], "1");
  });

  it("searches its history for any pattern in time", async () => {
    await kernel.run(`"${"a".repeat(3000)}"`);
    const { reply } = await kernel.ask("history_request", {
      hist_access_type: "search",
      pattern: `${"*a".repeat(60)}*!`,
      output: false,
    });
    assert.equal(reply.status, "ok");
  });

  it("ends in order at a shutdown with null for content", async () => {
    const own = await KernelClient.start();
    await own.run("1");
    own.send("shutdown_request", null as unknown as object, "control");
    await own.until(() => own.exitCode !== undefined, 10_000, "the kernel did not end");
    assert.equal(own.exitCode, 0);
    own.close();
  });
});

describe("a pattern of the history", () => {
  it("matches as shells have it", () => {
    for (const [text, pattern] of [
      ["", ""],
      ["", "**"],
      ["abc", "a?c"],
      ["abc", "*"],
      ["a\nb.c", "a*.?"],
      ["aXbXc", "a*X?"],
      ["mississippi", "*iss*ip*"],
      ["(a+)+", "(a+)+"],
    ] as const)
      assert.ok(matchesGlob(text, pattern), `${text} ${pattern}`);
    for (const [text, pattern] of [
      ["a", ""],
      ["", "?"],
      ["abc", "a?"],
      ["abc", "*b"],
      ["abcd", "a*c"],
      ["aab", "a+b"],
    ] as const)
      assert.ok(!matchesGlob(text, pattern), `${text} ${pattern}`);
  });

  it("never needs more comparisons than text times pattern", () => {
    assert.ok(!matchesGlob("a".repeat(20_000), `${"*a".repeat(2000)}*b`));
  });
});

describe("signatures", () => {
  it("are checked before anything is decoded", () => {
    const wire = new Wire(randomUUID(), "hmac-sha256");
    const trap = Object.assign(Buffer.from("{"), {
      toString: () => assert.fail("decoded before its signature was checked"),
    });
    assert.equal(
      wire.decode([trap, Buffer.from("<IDS|MSG>"), Buffer.from("no"), trap, trap, trap, trap]),
      undefined,
    );
  });
});
