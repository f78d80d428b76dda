import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { MessageChannel, Worker } from "node:worker_threads";
import { Link } from "../../../src/kernel/jupyter/link";
import { createSignals, slot } from "../../../src/kernel/signals";

/** A link whose other end is a list. */
function open() {
  const sent: Record<string, unknown>[] = [];
  const signals = createSignals();
  const { port1, port2 } = new MessageChannel();
  const worker = { postMessage: (message: Record<string, unknown>) => void sent.push(message) };
  const link = new Link(worker as unknown as Worker, signals, port2);
  const close = () => {
    port1.close();
    port2.close();
  };
  return { link, sent, signals, answer: (text: string | null) => port1.postMessage(text), close };
}

const header = { msg_id: "1" } as never;

test("a message weighs 200 bytes and its texts, also those of objects within, and waits until it is sent", () => {
  const { link, sent, signals, close } = open();
  link.publish("stream", { name: "stdout", text: "x".repeat(1000) }, header);
  link.publish(
    "display_data",
    { data: { "text/plain": "abc", "text/html": "de" }, metadata: {}, n: 5, list: ["long"] },
    header,
  );
  const weights = sent.map(({ bytes }) => bytes);
  assert.deepEqual(weights, [200 + 6 + 1000, 200 + (200 + 3 + 2) + 200]);
  assert.equal(Atomics.load(signals, slot.outstanding), 1206 + 605);
  close();
});

test("what is sent is what JSON makes of it, with what goes beside it as it is", () => {
  const { link, sent, close } = open();
  const buffers = [Uint8Array.of(1, 2)];
  link.publish("comm_msg", { comm_id: "a", data: { f: () => 1, n: undefined, d: new Date(0) } }, header, {
    buffers,
  });
  const [{ bytes: _, ...message }] = sent;
  assert.deepEqual(message, {
    kind: "publish",
    type: "comm_msg",
    content: { comm_id: "a", data: { d: "1970-01-01T00:00:00.000Z" } },
    parent: header,
    buffers,
  });
  link.finish();
  link.finish({ status: "error" }, true, false);
  assert.deepEqual(sent.slice(1), [
    { kind: "finish", content: undefined, failed: false, stopOnError: true },
    { kind: "finish", content: { status: "error" }, failed: true, stopOnError: false },
  ]);
  close();
});

test("an answer that came before the question is none; nobody's answer is null", () => {
  const { link, sent, signals, answer, close } = open();
  const asked = (text: string | null) => {
    const { postMessage } = (link as unknown as { worker: { postMessage(message: object): void } }).worker;
    Object.assign((link as unknown as { worker: object }).worker, {
      postMessage(message: { kind: string }) {
        postMessage(message);
        if (message.kind !== "ask") return;
        answer(text);
        Atomics.store(signals, slot.answered, 1);
      },
    });
    return link.ask("name? ", header);
  };
  answer("too early");
  assert.equal(asked("right"), "right");
  assert.deepEqual(sent.at(-1), { kind: "ask", prompt: "name? ", password: false, parent: header });
  close();
  const other = open();
  Object.assign((other.link as unknown as { worker: object }).worker, {
    postMessage: () => {
      other.answer(null);
      Atomics.store(other.signals, slot.answered, 1);
    },
  });
  assert.equal(other.link.ask("", header), null);
  other.close();
});

test("a cell that prints waits while 64 MiB are on their way, until there are fewer", async () => {
  const { link, sent, signals, close } = open();
  const limit = 64 * 1024 * 1024;
  const { buffer } = signals;
  // Sends all that waits, once it is told to.
  const code = `
    const { parentPort, workerData: { buffer, told, outstanding } } = require("node:worker_threads");
    const signals = new Int32Array(buffer);
    parentPort.postMessage("ready");
    Atomics.wait(signals, told, 0);
    setTimeout(() => {
      Atomics.store(signals, outstanding, 0);
      Atomics.notify(signals, outstanding);
    }, 20);`;
  const workerData = { buffer, told: slot.drained, outstanding: slot.outstanding };
  const sender = new Worker(code, { eval: true, workerData });
  await once(sender, "message");
  Atomics.store(signals, slot.outstanding, limit - 1);
  link.publish("stream", { text: "x" }, header);
  assert.equal(Atomics.load(signals, slot.outstanding), limit - 1 + 201, "one byte less does not wait");
  Atomics.store(signals, slot.outstanding, limit);
  Atomics.store(signals, slot.drained, 1);
  Atomics.notify(signals, slot.drained);
  link.publish("stream", { text: "xy" }, header);
  assert.equal(Atomics.load(signals, slot.outstanding), 202);
  assert.equal(sent.length, 2);
  await sender.terminate();
  close();
});

test("the end is waited for as long as is said, and no longer than it takes", (t) => {
  const { link, sent, signals, close } = open();
  Atomics.store(signals, slot.drained, 1); // of an earlier end
  const wait = t.mock.method(Atomics, "wait", () => {
    assert.deepEqual([sent.length, Atomics.load(signals, slot.drained)], [1, 0], "once the end is asked for");
    return "timed-out" as const;
  });
  link.end(30);
  assert.deepEqual(wait.mock.calls[0]!.arguments, [signals, slot.drained, 0, 30]);
  wait.mock.restore();
  const { postMessage } = (link as unknown as { worker: { postMessage(message: object): void } }).worker;
  Object.assign((link as unknown as { worker: object }).worker, {
    postMessage(message: object) {
      postMessage(message);
      Atomics.store(signals, slot.drained, 1);
    },
  });
  link.end(2 ** 30);
  link.waits({ number: 4, others: [1] });
  assert.deepEqual(sent, [
    { kind: "end" },
    { kind: "end" },
    { kind: "waits", wait: { number: 4, others: [1] } },
  ]);
  close();
});

test("a question is waited for without an end, though an earlier one was answered", (t) => {
  const { link, sent, signals, answer, close } = open();
  Atomics.store(signals, slot.answered, 1);
  const wait = t.mock.method(Atomics, "wait", () => {
    assert.deepEqual([sent.length, Atomics.load(signals, slot.answered)], [1, 0]);
    answer("now");
    return "ok" as const;
  });
  assert.equal(link.ask("name?", header), "now");
  assert.deepEqual(wait.mock.calls[0]!.arguments, [signals, slot.answered, 0]);
  close();
});
