import assert from "node:assert/strict";
import { test } from "node:test";
import { Comms } from "../../../src/kernel/jupyter/comms";
import { History } from "../../../src/kernel/jupyter/history";
import { ShellQueue } from "../../../src/kernel/protocol/shellQueue";

/** A queue that notes what it hands to cells, replies and publishes. */
function queue() {
  const log: string[] = [];
  const sockets = {
    connection: {},
    publish: ({ content }: { content: { execution_state?: string } }) =>
      log.push(`${content.execution_state}`),
    reply: (_: string, { header }: { header: { msg_id: string } }, { type }: { type: string }) =>
      log.push(`${type} to ${header.msg_id}`),
  };
  const made = new ShellQueue({
    sockets: sockets as never,
    toCells: (message) =>
      log.push(`cells: ${(message as { request: { header: { msg_id: string } } }).request.header.msg_id}`),
    interrupts: () => 0,
    info: {},
    shutdown: async () => {},
  });
  const add = (type: string, id: string) =>
    made.add({ header: { msg_type: type, msg_id: id }, content: {}, metadata: {}, buffers: [] } as never);
  const end = () => made.finish({ kind: "finish", content: { status: "ok" }, failed: false } as never);
  return { log, add, end, made };
}

test("requests are answered one after the other, those that need no cell as soon as it is their turn", () => {
  const { log, add, end } = queue();
  add("execute_request", "a");
  add("kernel_info_request", "b");
  add("execute_request", "c");
  assert.deepEqual(log, ["busy", "cells: a"]);
  end();
  assert.deepEqual(log.slice(2), [
    ...["execute_reply to a", "idle"],
    ...["busy", "kernel_info_reply to b", "idle"],
    ...["busy", "cells: c"],
  ]);
});

test("a request that cannot be handed over is answered with an error, and the next one has its turn", () => {
  const replies: { type: string; content: { status?: string; evalue?: string } }[] = [];
  const states: string[] = [];
  const made = new ShellQueue({
    sockets: {
      connection: {},
      publish: ({ content }: { content: { execution_state: string } }) =>
        states.push(content.execution_state),
      reply: (_: string, __: object, reply: (typeof replies)[number]) => replies.push(reply),
    } as never,
    toCells: () => {
      throw new Error("too deep");
    },
    interrupts: () => 0,
    info: {},
    shutdown: async () => {},
  });
  for (const type of ["execute_request", "comm_msg", "complete_request"])
    made.add({ header: { msg_type: type, msg_id: type }, content: {}, metadata: {}, buffers: [] } as never);
  assert.deepEqual(
    replies.map(({ type, content }) => [type, content.status, content.evalue]),
    ["execute", "complete"].map((name) => [`${name}_reply`, "error", "the request cannot be read: too deep"]),
    "a message to a widget has no reply",
  );
  assert.deepEqual(states, ["busy", "idle", "busy", "idle", "busy", "idle"]);
});

test("lines of the history are those from the first up to, not with, the last", () => {
  const history = new History();
  for (const line of [1, 2, 3, 4]) history.add(line, `input ${line}`, `output ${line}`);
  const lines = (request: object) => history.answer(request as never).map((entry) => (entry as unknown[])[1]);
  const range = (more: object) => lines({ hist_access_type: "range", session: 0, ...more });
  assert.deepEqual(range({ start: 2, stop: 4 }), [2, 3]);
  assert.deepEqual(range({ start: 2, stop: 2 }), []);
  assert.deepEqual(range({ start: 3 }), [3, 4]);
  assert.deepEqual(range({ session: 7 }), []);
  assert.deepEqual(
    [lines({ hist_access_type: "tail", n: 2 }), lines({ hist_access_type: "tail", n: 0 })],
    [[3, 4], []],
  );
  const search = (more: object) => lines({ hist_access_type: "search", ...more });
  assert.deepEqual(
    [search({ pattern: "*3" }), search({ pattern: "none*" }), search({})],
    [[3], [], [1, 2, 3, 4]],
  );
  history.add(5, "input 2", "");
  assert.deepEqual([search({ pattern: "*2" }), search({ pattern: "*2", unique: true })], [[2, 5], [5]]);
  const [entry] = history.answer({
    hist_access_type: "range",
    session: 0,
    start: 1,
    stop: 2,
    output: true,
  } as never);
  assert.deepEqual(entry, [1, 1, ["input 1", "output 1"]]);
});

test("open comms are listed all, or those of one target", () => {
  const comms = new Comms({ send: () => {}, publish: () => {} } as never, () => undefined as never);
  const quiet = comms as unknown as { send: () => void };
  quiet.send = () => {};
  const [a, b] = [comms.openFromHere("one", {}, {}), comms.openFromHere("two", {}, {})];
  assert.deepEqual(comms.info(undefined), { [a.id]: { target_name: "one" }, [b.id]: { target_name: "two" } });
  assert.deepEqual(comms.info(""), comms.info(undefined));
  assert.deepEqual(comms.info("two"), { [b.id]: { target_name: "two" } });
  a.close();
  assert.deepEqual(comms.info("one"), {});
});
