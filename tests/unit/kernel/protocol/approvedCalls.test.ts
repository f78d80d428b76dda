import { createHmac } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as zmq from "zeromq";
import { Debugging } from "../../../../src/kernel/protocol/debugging";
import { Interrupter } from "../../../../src/kernel/protocol/interrupter";
import { ShellQueue } from "../../../../src/kernel/protocol/shellQueue";
import { reportFault, Sockets } from "../../../../src/kernel/protocol/sockets";
import { type Message, protocolVersion, Wire } from "../../../../src/kernel/protocol/wire";
import { createSignals, slot } from "../../../../src/kernel/signals";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { taken } from "../support";

const DELIMITER = "<IDS|MSG>";
const sign = (key: string, parts: readonly string[], scheme = "sha256") => {
  const hmac = createHmac(scheme, key);
  for (const part of parts) hmac.update(part);
  return hmac.digest("hex");
};
const frames = (...texts: string[]) => texts.map((text) => Buffer.from(text));
const short = (message: Message | undefined) =>
  message && { ...message, identities: message.identities.map(String), buffers: message.buffers.map(String) };

test("messages in frames are approved", async () => {
  const calls = new Calls();
  calls.note("version", protocolVersion);
  const plain = new Wire("", "hmac-sha256");
  const head = '{"msg_type":"t","msg_id":"i","deep":{"x":1},"n":3,"none":null}';
  const parts = [head, '{"msg_id":"p","list":[1]}', '{"m":{"k":1}}', '{"c":[1]}'];
  for (const [name, given] of Object.entries({
    whole: ["id", DELIMITER, "", ...parts, "b1", "b2"],
    "two identities": ["a", "b", DELIMITER, "", ...parts],
    "no identity": [DELIMITER, "", ...parts],
    "no delimiter": ["id", "", ...parts],
    "a frame too few": ["id", DELIMITER, "", ...parts.slice(0, 3)],
    nothing: [],
    "nulls for parts": [DELIMITER, "", head, "null", "null", "null"],
    "a list as header": [DELIMITER, "", "[]", "{}", "{}", "{}"],
    "null as header": [DELIMITER, "", "null", "{}", "{}", "{}"],
    "a number as content": [DELIMITER, "", head, "{}", "{}", "3"],
    "a list as content": [DELIMITER, "", head, "{}", "{}", "[]"],
    "a text as parent": [DELIMITER, "", head, '"x"', "{}", "{}"],
    "a list as metadata": [DELIMITER, "", head, "{}", "[1]", "{}"],
    "no JSON": [DELIMITER, "", head, "{}", "{}", "{"],
    "empty parts": [DELIMITER, "", head, "", "{}", "{}"],
    "no type": [DELIMITER, "", '{"msg_id":"i"}', "{}", "{}", "{}"],
    "no id": [DELIMITER, "", '{"msg_type":"t"}', "{}", "{}", "{}"],
    "a type that is a number": [DELIMITER, "", '{"msg_type":1,"msg_id":"i"}', "{}", "{}", "{}"],
    "a delimiter among the buffers": ["id", DELIMITER, "", ...parts, DELIMITER],
  }))
    await calls.does(name, () => short(plain.decode(frames(...given))));
  const wire = new Wire("the key", "hmac-sha256");
  const signature = sign("the key", parts);
  for (const [name, given] of Object.entries({
    "a wrong signature": signature.replace(/^./, "x"),
    "a short signature": signature.slice(1),
    "no signature": "",
    "another's": sign("other", parts),
    "upper case": signature.toUpperCase(),
    right: signature,
    "right again": signature,
  }))
    calls.note(name, short(wire.decode(frames("id", DELIMITER, given, ...parts)))?.content);
  const other = [...parts.slice(0, 3), '{"c":"ü"}'];
  calls.note(
    "another message",
    short(wire.decode(frames("id", DELIMITER, sign("the key", other), ...other, "buffer")))?.content,
  );
  const bad = [head, "{}", "{}", "{"];
  calls.note("what is signed and no JSON", wire.decode(frames(DELIMITER, sign("the key", bad), ...bad)));
  const md5 = new Wire("k", "hmac-md5");
  calls.note(
    "another scheme",
    short(md5.decode(frames(DELIMITER, sign("k", parts, "md5"), ...parts)))?.content,
  );
  const encoded = (made: Wire, message: Parameters<Wire["encode"]>[1]) =>
    made.encode(["topic", Buffer.from("id")], message).map((frame) =>
      String(frame)
        .replace(/"msg_id":"[0-9a-f-]{36}"/, '"msg_id":"RANDOM"')
        .replace(/"session":"[0-9a-f-]{36}"/, '"session":"RANDOM"')
        .replace(/"date":"[^"]*Z"/, '"date":"DATE"'),
    );
  await calls.does("encoded", () => encoded(plain, { type: "t", content: { a: "ü" } }));
  await calls.does("with all", () =>
    encoded(plain, {
      type: "t",
      content: {},
      parent: { msg_id: "p" } as never,
      metadata: { m: 1 },
      buffers: [Buffer.from("bytes")],
    }),
  );
  const made = wire.encode([], { type: "t", content: { a: 1 } }).map(String);
  calls.note("signed over its parts", made[1] === sign("the key", made.slice(2)));
  const [first, second] = [1, 2].map(
    () =>
      JSON.parse(String(plain.encode([], { type: "t", content: {} })[2])) as {
        session: string;
        msg_id: string;
      },
  );
  calls.note("one session, two ids", [first!.session === second!.session, first!.msg_id === second!.msg_id]);
  calls.note(
    "read by another",
    short(
      new Wire("the key", "hmac-sha256").decode(
        wire
          .encode(["x"], { type: "t", content: { a: 1 }, buffers: [Buffer.from("b")] })
          .map((frame) => Buffer.from(frame as string)),
      ),
    )?.content,
  );
  calls.approve("kernel/protocol/wire");
});

const message = (msg_type: string, msg_id = msg_type, more: object = {}) =>
  ({
    identities: [],
    header: { msg_type, msg_id },
    content: {},
    metadata: {},
    buffers: [],
    ...more,
  }) as unknown as Message;

test("the order of requests and what is said around them are approved", async () => {
  const calls = new Calls();
  const log: string[] = [];
  let interrupts = 0;
  let refuses = false;
  const queue = new ShellQueue({
    sockets: {
      connection: {
        shell_port: 11,
        iopub_port: 12,
        stdin_port: 13,
        hb_port: 14,
        control_port: 15,
        key: "secret",
      },
      publish: ({ type, content, parent }: { type: string; content: object; parent: { msg_id?: string } }) =>
        log.push(`all ${type} ${JSON.stringify(content)} of ${parent.msg_id}`),
      reply: (channel: string, to: Message, { type, content }: { type: string; content: object }) =>
        log.push(`${channel} ${to.header.msg_id} ${type} ${JSON.stringify(content)}`),
    } as never,
    toCells: (given) => {
      if (refuses) throw new Error("too deep");
      log.push(`cells ${JSON.stringify(given)}`);
    },
    interrupts: () => ++interrupts,
    info: { implementation: "luvit" },
    shutdown: async () => void log.push("shutdown"),
  });
  const step = (name: string, act: () => unknown) => {
    act();
    calls.note(name, taken(log));
    calls.note("  running", [queue.running, queue.parent?.msg_type]);
  };
  step("starting", () => queue.status("starting", {}));
  step("say without a cell", () => queue.say("nothing"));
  step("ask without a cell", () =>
    queue.ask({ kind: "ask", prompt: "?", password: false, parent: {} as never }),
  );
  step("finish without a cell", () => queue.finish({ kind: "finish", content: {} }));
  for (const type of [
    "kernel_info_request",
    "connect_request",
    "unknown_request",
    "",
    "interrupt_request",
    "shutdown_reply",
  ])
    step(type, () => queue.add(message(type)));
  step("execute", () =>
    queue.add(
      message("execute_request", "e1", {
        content: { code: "1" },
        metadata: { m: 1 },
        buffers: [Uint8Array.of(1)],
      }),
    ),
  );
  step("say", () => queue.say("a line"));
  step("ask", () => queue.ask({ kind: "ask", prompt: "Name? ", password: true, parent: {} as never }));
  for (const [type, id] of [
    ["complete_request", "c1"],
    ["execute_request", "e2"],
    ["kernel_info_request", "k1"],
    ["execute_request", "e3"],
    ["execute_request", "e4"],
    ["comm_msg", "m1"],
  ])
    step(`${id} waits`, () => queue.add(message(type!, id)));
  step("finish with a failure", () =>
    queue.finish({
      kind: "finish",
      content: { status: "error", execution_count: 5 },
      failed: true,
      stopOnError: true,
    }),
  );
  step("finish the completion", () => queue.finish({ kind: "finish", content: { matches: [] } }));
  step("finish the comm", () => queue.finish({ kind: "finish" }));
  step("execute", () => queue.add(message("execute_request", "e5")));
  step("another waits", () => queue.add(message("execute_request", "e6")));
  step("finish with a failure that stops nothing", () =>
    queue.finish({ kind: "finish", content: { status: "error" }, failed: true, stopOnError: false }),
  );
  step("and one more waits", () => queue.add(message("execute_request", "e7")));
  step("finish with a failure without a count", () =>
    queue.finish({ kind: "finish", content: { status: "error" }, failed: true, stopOnError: true }),
  );
  refuses = true;
  step("what cannot be handed over", () => queue.add(message("execute_request", "deep")));
  step("what cannot be handed over and has no answer", () => queue.add(message("comm_msg", "deep")));
  refuses = false;
  for (const type of [
    "inspect_request",
    "history_request",
    "is_complete_request",
    "comm_info_request",
    "comm_open",
    "comm_close",
  ]) {
    step(type, () => queue.add(message(type)));
    step("  finish", () =>
      queue.finish({
        kind: "finish",
        content: type.startsWith("comm_o") || type === "comm_close" ? undefined : {},
      }),
    );
  }
  for (const [type, content] of [
    ["kernel_info_request", {}],
    ["interrupt_request", {}],
    ["shutdown_request", { restart: true }],
    ["shutdown_request", {}],
    ["connect_request", {}],
    ["other_request", {}],
  ] as const)
    step(`at once: ${type}`, () => queue.answerAtOnce("control", message(type, "x", { content })));
  step("shutdown", () => queue.add(message("shutdown_request", "s", { content: { restart: false } })));
  calls.approve("kernel/protocol/queue");
});

test("interrupts and the debugger's requests are approved", async (t) => {
  const calls = new Calls();
  const log: string[] = [];
  const signals = createSignals();
  const debugged = { isStopped: false, goOn: async () => void log.push("goes on") };
  let hears: () => Promise<string> = async () => "heard";
  const killed: unknown[] = [];
  t.mock.method(process, "kill", (...given: unknown[]) => killed.push(given.slice(1)));
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let order: Record<string, (...given: never[]) => unknown> = {};
  const interrupter = new Interrupter({
    signals,
    toCells: (given) => void log.push(JSON.stringify(given)),
    cells: { ask: async (...given: unknown[]) => log.push(`asks ${given}`) && hears() } as never,
    stopper: {
      stop(given: never) {
        log.push("stops");
        order = given;
      },
    } as never,
    say: (text) => void log.push(`says ${text}`),
    debugged,
  });
  interrupter.onInterrupt = () => void log.push("answers nothing");
  const state = () => ({
    request: Atomics.load(signals, slot.request),
    stop: Atomics.load(signals, slot.stop),
    waiting: interrupter.isWaiting,
    open: order.isOpen?.(),
  });
  calls.note("before", state());
  await interrupter.interrupt();
  calls.note("interrupt", [taken(log), state()]);
  await order.hearing!();
  order.remind!();
  for (const why of ["listening", "native"]) order.tell!(why as never);
  calls.note("its order", taken(log));
  Atomics.store(signals, slot.heard, 1);
  calls.note("heard", state());
  debugged.isStopped = true;
  hears = () => Promise.reject(new Error("gone"));
  await interrupter.interrupt();
  calls.note("interrupt where a debugger has stopped", [taken(log), state()]);
  Atomics.store(signals, slot.heard, 2);
  calls.note("heard", state());
  const published: string[] = [];
  const parts = {
    sockets: {
      publish: (given: unknown) => published.push(JSON.stringify(given)),
      reply: (channel: string, to: Message, given: unknown) =>
        published.push(`${channel} ${to.header.msg_id} ${JSON.stringify(given)}`),
    },
    queue: {
      status: (what: string, { msg_id }: { msg_id: string }) => published.push(`${what} ${msg_id}`),
      running: undefined,
      parent: undefined,
    },
    say: () => {},
    interrupt: async () => {},
    isInterrupted: () => false,
  };
  const debugging = new Debugging(parts as never);
  calls.note("not stopped", [debugging.isStopped, await debugging.goOn(), debugging.close()]);
  for (const content of [
    { command: "threads", seq: 4 },
    { command: "nonsense", seq: "x" },
    {},
    { command: "dumpCell", seq: 9, arguments: {} },
    { command: "pause", seq: 10 },
  ]) {
    await debugging.take(message("debug_request", "d", { content }));
    calls.note(`debug ${JSON.stringify(content)}`, taken(published));
  }
  debugging.close();
  calls.approve("kernel/protocol/interrupts");
});

test("what goes through the sockets is approved", async () => {
  const calls = new Calls();
  const folder = temporaryFolder("sockets");
  const connection = {
    transport: "ipc",
    ip: `${folder}/s`,
    key: "k",
    signature_scheme: "hmac-sha256",
    shell_port: 1,
    control_port: 2,
    iopub_port: 3,
    stdin_port: 4,
    hb_port: 5,
  };
  const sockets = new Sockets(connection);
  await sockets.open();
  const at = (port: number) => `ipc://${folder}/s-${port}`;
  const subscriber = new zmq.Subscriber({ linger: 0, receiveHighWaterMark: 10, receiveTimeout: 10_000 });
  subscriber.connect(at(3));
  subscriber.subscribe("");
  const wire = new Wire("k", "hmac-sha256");
  const read = (given: Buffer[]) => {
    const found = wire.decode(given)!;
    return [found.identities.map(String).join(), found.header.msg_type, found.content, found.buffers.length];
  };
  calls.note("welcome", read(await subscriber.receive()));
  subscriber.subscribe("stream");
  calls.note("welcome to a topic", read(await subscriber.receive()));
  const got: unknown[] = [];
  void sockets.listen("shell", (given) => {
    got.push([given.header.msg_type, given.content]);
    if (given.header.msg_type === "fails") throw new Error("a handler's fault");
    sockets.reply("shell", given, {
      type: "reply",
      content: { to: given.header.msg_id },
      buffers: [Uint8Array.of(1)],
    });
  });
  const dealer = new zmq.Dealer({ linger: 0 });
  dealer.connect(at(1));
  const { write } = process.stderr;
  const faults: string[] = [];
  process.stderr.write = ((text: string) => faults.push(text) > 0) as typeof write;
  const request = new Wire("k", "hmac-sha256");
  await dealer.send(["no", "message"]);
  await dealer.send(new Wire("other", "hmac-sha256").encode([], { type: "forged", content: {} }));
  await dealer.send(request.encode([], { type: "fails", content: { x: 1 } }));
  await dealer.send(request.encode([], { type: "asks", content: { x: 2 } }));
  const [, type, content, buffers] = read(await dealer.receive());
  process.stderr.write = write;
  calls.note("answered", [type, Object.keys(content as object), buffers]);
  calls.note("taken", got);
  calls.note("faults", faults);
  const heart = new zmq.Dealer({ linger: 0 });
  heart.connect(at(5));
  await heart.send(["", "beat"]);
  calls.note("heartbeat", (await heart.receive()).map(String));
  await heart.send(["only"]);
  calls.note("a beat of one frame", (await heart.receive()).map(String));
  const most = 3000;
  let sent = 0;
  for (let i = 0; i < most; i++) sockets.publish({ type: "stream", content: { i } }, () => sent++);
  await sleep(200); // who listens takes nothing yet
  const order: number[] = [];
  while (order.length < most) order.push((read(await subscriber.receive())[2] as { i: number }).i);
  calls.note(
    "all that was published came, in its order",
    order.every((i, at) => i === at),
  );
  calls.note("told of as sent", sent);
  for (const socket of [subscriber, dealer, heart]) socket.close();
  sockets.publish({ type: "late", content: {} }, () => void sent++);
  await sockets.close();
  await sockets.close();
  calls.note("told of what nobody hears", sent);
  const limits = new Sockets({ ...connection, ip: `${folder}/t` }) as unknown as Record<
    string,
    Record<string, unknown>
  >;
  for (const name of ["shell", "control", "stdin", "iopub", "heartbeat"])
    calls.note(name, {
      linger: limits[name]!.linger,
      most: limits[name]!.maxMessageSize,
      water: limits[name]!.sendHighWaterMark,
    });
  await (limits as unknown as Sockets).close();
  const said: string[] = [];
  process.stderr.write = ((text: string) => said.push(text) > 0) as typeof write;
  for (let i = 0; i < 30; i++) reportFault(new Error(`fault ${i}`));
  process.stderr.write = write;
  calls.note("reported", [said.length, said[0]]);
  calls.approve("kernel/protocol/sockets");
});
