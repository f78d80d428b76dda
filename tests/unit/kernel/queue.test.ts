import assert from "node:assert/strict";
import { test } from "node:test";
import { Comms } from "../../../src/kernel/jupyter/comms";
import { History } from "../../../src/kernel/jupyter/history";
import { toCodePoints, toUnits } from "../../../src/kernel/jupyter/language";
import { CellPublisher } from "../../../src/kernel/jupyter/publisher";
import { ShellQueue } from "../../../src/kernel/protocol/shellQueue";
import { Wire } from "../../../src/kernel/protocol/wire";

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

test("a failure ends the cells that wait, and no other request; one that asks otherwise ends none", () => {
  for (const stopOnError of [true, false]) {
    const { log, add, made } = queue();
    for (const [type, id] of [
      ["execute_request", "a"],
      ["execute_request", "b"],
      ["complete_request", "c"],
      ["execute_request", "d"],
    ] as const)
      add(type, id);
    made.finish({
      kind: "finish",
      content: { status: "error", execution_count: 4 },
      failed: true,
      stopOnError,
    } as never);
    const aborted = ["b", "d"].flatMap((id) => ["busy", `execute_reply to ${id}`, "idle"]);
    const first = ["busy", "cells: a", "execute_reply to a", "idle"];
    assert.deepEqual(log, [
      ...first,
      ...(stopOnError ? [...aborted, "busy", "cells: c"] : ["busy", "cells: b"]),
    ]);
  }
});

test("what cells publish comes in its order, text of one stream in one piece while it is fresh", () => {
  const sent: [type: string, content: { name?: string; text?: string }][] = [];
  const publisher = new CellPublisher(
    { publish: (type: string, content: object) => sent.push([type, content]) } as never,
    {} as never,
    3,
  );
  publisher.stream("stdout", "first"); // nothing was sent for long
  publisher.stream("stdout", "a");
  publisher.stream("stdout", "b");
  publisher.stream("stderr", "c");
  publisher.display({ data: { "text/plain": "d" }, transient: { display_id: "i" } });
  publisher.display({ data: {} }, true);
  publisher.clear(true);
  publisher.stream("stdout", "x".repeat(1 << 16)); // too much to wait
  publisher.stream("stdout", "e");
  publisher.result({ "text/plain": "f" });
  publisher.flush();
  assert.deepEqual(
    sent.map(([type, { name, text }]) => [type, name, text?.slice(0, 5)]),
    [
      ["stream", "stdout", "first"],
      ["stream", "stdout", "ab"],
      ["stream", "stderr", "c"],
      ["display_data", undefined, undefined],
      ["update_display_data", undefined, undefined],
      ["clear_output", undefined, undefined],
      ["stream", "stdout", "xxxxx"],
      ["stream", "stdout", "e"],
      ["execute_result", undefined, undefined],
    ],
  );
  assert.deepEqual(sent[3]![1], {
    data: { "text/plain": "d" },
    metadata: {},
    transient: { display_id: "i" },
  });
  const result = { data: { "text/plain": "f" }, metadata: {}, execution_count: 3, transient: {} };
  assert.deepEqual([sent[8]![1], publisher.resultText], [result, "f"]);
});

test("cursors are counted in code points by frontends, in UTF-16 units by compilers", () => {
  const text = "a\u{1d4b3}b";
  assert.deepEqual(
    [0, 1, 2, 3, 9].map((at) => toUnits(text, at)),
    [0, 1, 3, 4, 4],
  );
  assert.deepEqual(
    [0, 1, 3, 4].map((at) => toCodePoints(text, at)),
    [0, 1, 2, 3],
  );
});

test("a message is what it was behind its senders' names, once, and only with its own key, whole and unchanged", () => {
  const wire = () => new Wire("key", "hmac-sha256");
  const buffers = [Uint8Array.of(1, 2), Uint8Array.of()];
  const outgoing = {
    type: "t",
    content: { a: [1] },
    parent: { msg_id: "p" } as never,
    metadata: { m: 1 },
    buffers,
  };
  const frames = wire()
    .encode([Buffer.from("one"), "two"], outgoing)
    .map((frame) => Buffer.from(frame));
  const reader = wire();
  const { identities, header, parent, metadata, content, buffers: came } = reader.decode(frames)!;
  assert.deepEqual(identities.map(String), ["one", "two"]);
  assert.deepEqual([header.msg_type, parent.msg_id, metadata, content], ["t", "p", { m: 1 }, { a: [1] }]);
  assert.deepEqual(
    came.map((one) => [...one]),
    [[1, 2], []],
  );
  assert.equal(reader.decode(frames), undefined, "it came before");
  assert.equal(new Wire("other", "hmac-sha256").decode(frames), undefined);
  assert.equal(new Wire("key", "hmac-sha512").decode(frames), undefined);
  for (const at of [4, 5, 6, 7]) {
    const changed = frames.map((frame, i) =>
      i === at ? Buffer.from(String(frame).replace("{", "{ ")) : frame,
    );
    assert.equal(wire().decode(changed), undefined, `part ${at} is signed`);
  }
  assert.equal(wire().decode(frames.slice(0, 7)), undefined, "a part is missing");
  assert.equal(wire().decode(frames.slice(3)), undefined, "without the sign that parts it from names");
});

test("a value that is long is kept in the history up to 10,000 characters", () => {
  const history = new History();
  history.add(1, "a", "x".repeat(10_000));
  history.add(2, "b", "x".repeat(10_001));
  history.add(3, "c", null);
  const outputs = (
    history.answer({ hist_access_type: "tail", n: 3, output: true }) as [0, 0, [string, string | null]][]
  ).map(([, , [, output]]) => output);
  assert.deepEqual(outputs, ["x".repeat(10_000), `${"x".repeat(10_000)}…`, null]);
});
