import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import * as zmq from "zeromq";
import { Debugging } from "../../../../src/kernel/protocol/debugging";
import { Interrupter } from "../../../../src/kernel/protocol/interrupter";
import { ShellQueue } from "../../../../src/kernel/protocol/shellQueue";
import { Sockets } from "../../../../src/kernel/protocol/sockets";
import { type Message, Wire } from "../../../../src/kernel/protocol/wire";
import { createSignals, segment, slot } from "../../../../src/kernel/signals";
import type { Order } from "../../../../src/kernel/watch/stopper";
import { temporaryFolder } from "../../../support/temporaryFolder";

function interrupter(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const log: unknown[] = [];
  const signals = createSignals();
  const orders: Order[] = [];
  const debugged = { isStopped: false, goOn: async () => void log.push("goes on") };
  const made = new Interrupter({
    signals,
    toCells: (message) => void log.push(message),
    cells: { ask: async (...asked: unknown[]) => log.push(asked) && "deaf" } as never,
    stopper: { stop: (order: Order) => void orders.push(order) } as never,
    say: (text) => void log.push(text),
    debugged,
  });
  const killed = t.mock.method(process, "kill", () => true);
  made.onInterrupt = () => void log.push("interrupt");
  return { made, log, signals, orders, debugged, killed };
}

test("interrupts are numbered from one, and each is open until its own number is heard", async (t) => {
  const { made, log, signals, orders } = interrupter(t);
  assert.equal(made.isWaiting, false);
  await made.interrupt();
  await made.interrupt();
  assert.equal(Atomics.load(signals, slot.request), 2);
  assert.equal(Atomics.load(signals, slot.stop), 1, "loops ask");
  const order = (number: number) => ({ kind: "interrupt", number });
  assert.deepEqual(log, [order(1), "interrupt", order(2), "interrupt"]);
  const open = () => [...orders.map((one) => one.isOpen()), made.isWaiting];
  assert.deepEqual(open(), [true, true, true]);
  Atomics.store(signals, slot.heard, 1);
  assert.deepEqual(open(), [false, true, true]);
  Atomics.store(signals, slot.heard, 2);
  assert.deepEqual(open(), [false, false, false]);
  log.length = 0;
  assert.equal(await orders[1]!.hearing(), "deaf");
  orders[1]!.remind();
  orders[0]!.tell("native");
  orders[0]!.tell("listening");
  assert.deepEqual(log.slice(0, 2), [["hears", 2], order(2)]);
  assert.match(String(log[2]), /inside native code, which nothing can stop/);
  assert.match(String(log[3]), /finishes its step and saves; interrupt again/);
});

test("a cell that has not heard after 0.2 s gets a signal, while that can end it, and only then", async (t) => {
  const { made, signals, killed } = interrupter(t);
  const at = (state: number) => Atomics.store(signals, slot.segment, state);
  at(segment.interruptible);
  await made.interrupt();
  t.mock.timers.tick(199);
  assert.equal(killed.mock.callCount(), 0);
  t.mock.timers.tick(1);
  assert.deepEqual(
    killed.mock.calls.map((call) => call.arguments),
    [[process.pid, "SIGINT"]],
  );
  assert.equal(Atomics.load(signals, slot.segment), segment.signalled);
  for (const state of [segment.none, segment.signalled]) {
    at(state);
    await made.interrupt();
    t.mock.timers.tick(200);
    assert.equal(Atomics.load(signals, slot.segment), state);
  }
  at(segment.interruptible);
  await made.interrupt();
  Atomics.store(signals, slot.heard, Atomics.load(signals, slot.request));
  t.mock.timers.tick(200);
  assert.equal(killed.mock.callCount(), 1);
});

test("a cell that a debugger has stopped is asked first and goes on then, also where asking fails", async (t) => {
  const { made, log, debugged } = interrupter(t);
  debugged.isStopped = true;
  await made.interrupt();
  assert.deepEqual(log.slice(2), [["hears", 1], "goes on"]);
  log.length = 0;
  Object.assign(made, { cells: { ask: () => Promise.reject(new Error("gone")) } });
  await made.interrupt();
  assert.equal(log.at(-1), "goes on");
});

/** A queue, and all that it sends. */
function queued() {
  const log: unknown[][] = [];
  const connection = { shell_port: 1, iopub_port: 2, stdin_port: 3, hb_port: 4, control_port: 5 };
  let interrupts = 0;
  const queue = new ShellQueue({
    sockets: {
      connection,
      publish: ({ type, content, parent }: { type: string; content: object; parent: { msg_id?: string } }) =>
        log.push([type, content, parent.msg_id]),
      reply: (channel: string, to: Message, { type, content }: { type: string; content: object }) =>
        log.push([channel, to.header.msg_id, type, content]),
    } as never,
    toCells: (message) => log.push(["cells", message]),
    interrupts: () => interrupts++,
    info: { what: "info" },
    shutdown: async () => void log.push(["shutdown"]),
  });
  const message = (msg_type: string, msg_id: string, more: object = {}) =>
    ({ header: { msg_type, msg_id }, content: {}, metadata: {}, buffers: [], ...more }) as unknown as Message;
  const took = () => log.splice(0).filter(([type]) => type !== "status");
  return { queue, message, log, took, connection };
}

test("a request is handed to the cells as it came, with how many interrupts there were when its turn came", () => {
  const { queue, message, took } = queued();
  const more = { content: { code: "1" }, metadata: { m: 1 }, buffers: [Uint8Array.of(1)] };
  for (const type of [
    ...["execute", "inspect", "complete", "history", "is_complete", "comm_info"].map(
      (one) => `${one}_request`,
    ),
    ...["comm_open", "comm_msg", "comm_close"],
  ]) {
    queue.add(message(type, type, more));
    const [handed] = took();
    const { kind, request } = handed![1] as { kind: string; request: { interrupts: number } };
    const { interrupts, ...rest } = request;
    assert.deepEqual([kind, rest], ["request", { type, header: { msg_type: type, msg_id: type }, ...more }]);
    assert.equal(queue.running, type);
    assert.equal(queue.parent!.msg_id, type);
    queue.finish({ kind: "finish", content: type.endsWith("_request") ? { a: 1 } : undefined });
    const replies = type.endsWith("_request")
      ? [["shell", type, type.replace("request", "reply"), { a: 1 }]]
      : [];
    assert.deepEqual(took(), replies);
    assert.equal(typeof interrupts, "number");
  }
  queue.add(message("execute_request", "a"));
  queue.add(message("execute_request", "b"));
  const [first] = took();
  queue.finish({ kind: "finish", content: {} });
  const second = took().find(([to]) => to === "cells");
  const counts = [first, second].map(
    (one) => (one![1] as { request: { interrupts: number } }).request.interrupts,
  );
  assert.deepEqual(counts, [9, 10], "counted anew when its turn comes");
});

test("what needs no cell is answered with what it asks for", () => {
  const { queue, message, took, log, connection } = queued();
  for (const [type, content, answer] of [
    ["kernel_info_request", {}, { what: "info" }],
    ["connect_request", {}, connection],
    ["shutdown_request", { restart: true }, { restart: true }],
    ["shutdown_request", { restart: "yes" }, { restart: false }],
  ] as const) {
    queue.add(message(type, "x", { content }));
    const reply = ["shell", "x", type.replace("request", "reply"), { status: "ok", ...answer }];
    assert.deepEqual(took(), [reply, ...(type === "shutdown_request" ? [["shutdown"]] : [])]);
  }
  queue.answerAtOnce("control", message("interrupt_request", "y"));
  assert.deepEqual(took(), [["control", "y", "interrupt_reply", { status: "ok" }]]);
  queue.add(message("dance_request", "z"));
  assert.deepEqual(log.splice(0), [
    ["status", { execution_state: "busy" }, "z"],
    ["status", { execution_state: "idle" }, "z"],
  ]);
});

test("lines and questions are for the cell that runs, and aborted cells have the count of the one that failed", () => {
  const { queue, message, took } = queued();
  queue.say("nobody");
  queue.ask({ kind: "ask", prompt: "?", password: false, parent: {} as never });
  queue.finish({ kind: "finish", content: {} });
  assert.deepEqual(took(), [], "no cell runs");
  queue.add(message("execute_request", "a"));
  queue.add(message("execute_request", "b"));
  took();
  queue.say("line");
  queue.ask({ kind: "ask", prompt: "?", password: true, parent: {} as never });
  assert.deepEqual(took(), [
    ["stream", { name: "stderr", text: "line\n" }, "a"],
    ["stdin", "a", "input_request", { prompt: "?", password: true }],
  ]);
  queue.finish({ kind: "finish", content: { execution_count: 7 }, failed: true, stopOnError: true });
  assert.deepEqual(took().slice(1), [
    ["shell", "b", "execute_reply", { status: "aborted", execution_count: 7 }],
  ]);
  assert.equal(queue.running, undefined);
});

test("a request to the debugger is answered on control, between its own busy and idle", async () => {
  const log: unknown[][] = [];
  const debugging = new Debugging({
    sockets: {
      reply: (channel: string, _: Message, { type, content }: { type: string; content: object }) =>
        log.push([channel, type, (content as { request_seq: number }).request_seq]),
      publish: () => assert.fail("nothing has happened"),
    } as never,
    queue: { status: (...given: unknown[]) => void log.push(given) } as never,
    say: () => {},
    interrupt: async () => {},
    isInterrupted: () => false,
  });
  assert.equal(debugging.isStopped, false);
  const header = { msg_id: "d" };
  await debugging.take({ header, content: { command: "debugInfo", seq: 12 } } as never);
  assert.deepEqual(log, [
    ["busy", header],
    ["control", "debug_reply", 12],
    ["idle", header],
  ]);
  await debugging.goOn();
  debugging.close();
});

test("messages go to whom they are for, in the order of the calls, and what was not signed goes nowhere", async (t) => {
  const said = t.mock.method(process.stderr, "write", () => true);
  const ip = join(temporaryFolder("sockets"), "k");
  const ports = { shell_port: 1, control_port: 2, iopub_port: 3, stdin_port: 4, hb_port: 5 };
  const sockets = new Sockets({
    transport: "ipc",
    ip,
    key: "key",
    signature_scheme: "hmac-sha256",
    ...ports,
  });
  await sockets.open();
  const wire = new Wire("key", "hmac-sha256");
  const frontends = (["shell", "control", "stdin"] as const).map((channel) => {
    const socket = new zmq.Dealer({ linger: 0, routingId: `front ${channel}` });
    socket.connect(`ipc://${ip}-${ports[`${channel}_port`]}`);
    return { channel, socket };
  });
  try {
    for (const { channel, socket } of frontends) {
      void sockets.listen(channel, (message) => {
        if (message.header.msg_type === "fails") throw new Error("a fault of this one message");
        for (const n of [1, 2, 3])
          sockets.reply(channel, message, { type: "back", content: { n, got: message.content } });
      });
      await socket.send(new Wire("other", "hmac-sha256").encode([], { type: "t", content: { forged: 1 } }));
      await socket.send(wire.encode([], { type: "fails", content: {} }));
      const asked = wire.encode([], { type: "t", content: { channel } });
      await socket.send(asked);
      for (const n of [1, 2, 3]) {
        const { header, content, parent } = wire.decode(await socket.receive())!;
        assert.deepEqual([header.msg_type, content], ["back", { n, got: { channel } }]);
        assert.equal(parent.msg_id, JSON.parse(String(asked[2])).msg_id);
      }
    }
    const fault = "luvit kernel: a message was dropped: a fault of this one message\n";
    assert.deepEqual(
      said.mock.calls
        .map(({ arguments: [text] }) => text as unknown)
        .filter((text) => /luvit/.test(String(text))),
      [fault, fault, fault],
    );
    said.mock.restore();
    let sent = 0;
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    sockets.publish({ type: "t", content: circular }, () => sent++);
    sockets.publish({ type: "t", content: {} }, () => sent++);
    await sockets.close();
    assert.equal(sent, 2, "also of one that cannot be sent");
  } finally {
    for (const { socket } of frontends) socket.close();
    await sockets.close();
  }
});
