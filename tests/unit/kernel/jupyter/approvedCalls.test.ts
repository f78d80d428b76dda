import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { packageVersion } from "../../../../src/core/packageRoot";
import { Comms } from "../../../../src/kernel/jupyter/comms";
import { documentation } from "../../../../src/kernel/jupyter/documentation";
import { History, matchesGlob } from "../../../../src/kernel/jupyter/history";
import { kernelInfo } from "../../../../src/kernel/jupyter/info";
import { complete, inspect, toCodePoints, toUnits } from "../../../../src/kernel/jupyter/language";
import { Link } from "../../../../src/kernel/jupyter/link";
import { CellPublisher, silence } from "../../../../src/kernel/jupyter/publisher";
import { createSignals, segment, slot, termination } from "../../../../src/kernel/signals";
import { Calls } from "../../../support/calls";
import { taken } from "../support";

test("answers about history, languages and the kernel are approved", async () => {
  const calls = new Calls();
  const history = new History();
  await calls.does("nothing yet", () => history.answer({ hist_access_type: "tail", n: 3 }));
  const cells: [number, string, string | null][] = [
    [1, "let a = 1", null],
    [2, "a", "1"],
    [3, "let b = 2\nb", "2"],
    [4, "a", "'ü'"],
    [7, "plot()", "x".repeat(10_000)],
    [8, "print?", "y".repeat(10_001)],
  ];
  for (const cell of cells) history.add(...cell);
  const ask = (request: Record<string, unknown>) =>
    history.answer(request).map((entry) => JSON.stringify(entry).slice(0, 60));
  for (const request of [
    { hist_access_type: "tail" },
    { hist_access_type: "tail", n: 2 },
    { hist_access_type: "tail", n: 0 },
    { hist_access_type: "tail", n: 99 },
    { hist_access_type: "tail", n: "2" },
    { hist_access_type: "tail", n: 3, output: true },
    { hist_access_type: "tail", n: 1, output: true, raw: false },
    { hist_access_type: "range" },
    { hist_access_type: "range", session: 0 },
    { hist_access_type: "range", session: 1, start: 2, stop: 4 },
    { hist_access_type: "range", session: 0, start: 3 },
    { hist_access_type: "range", session: 0, stop: 3 },
    { hist_access_type: "range", session: 0, stop: null },
    { hist_access_type: "range", session: 2 },
    { hist_access_type: "range", session: -1 },
    { hist_access_type: "range", session: 0, start: 7, stop: 7, output: true },
    { hist_access_type: "search" },
    { hist_access_type: "search", pattern: "a" },
    { hist_access_type: "search", pattern: "*a*", n: 2 },
    { hist_access_type: "search", pattern: "a", unique: true },
    { hist_access_type: "search", unique: true, n: 0 },
    { hist_access_type: "search", pattern: "print?" },
    { hist_access_type: "search", pattern: "let ?*", output: true },
    { hist_access_type: "search", pattern: "", n: 1 },
    {},
  ])
    await calls.does(JSON.stringify(request), () => ask(request));
  calls.note(
    "kept of long values",
    (
      history.answer({ hist_access_type: "tail", n: 2, output: true }) as [number, number, [string, string]][]
    ).map(([, , [, output]]) => [output.length, output.at(-1)]),
  );
  for (const [text, pattern] of [
    ["", ""],
    ["", "*"],
    ["", "?"],
    ["a", ""],
    ["a", "a"],
    ["a", "A"],
    ["abc", "a*"],
    ["abc", "*c"],
    ["abc", "*b*"],
    ["abc", "a?c"],
    ["abc", "??"],
    ["abc", "***"],
    ["abc", "a*b*c*"],
    ["abcbd", "a*b?"],
    ["aaab", "*ab"],
    ["aaab", "*aab?"],
    ["a*b", "a*b"],
    ["a.c", "a.c"],
    ["a\nb", "a*b"],
    ["a\nb", "a?b"],
    ["[x]", "[x]"],
    ["ü", "?"],
    ["😀", "??"],
  ])
    await calls.of(matchesGlob, text, pattern);
  await calls.does("many stars in little time", () => matchesGlob("a".repeat(3000), `${"*a".repeat(30)}b`));
  const info = JSON.stringify(kernelInfo())
    .replaceAll(packageVersion(), "VERSION")
    .replace(process.versions.node, "NODE");
  calls.note("info", JSON.parse(info));
  const text = "a😀bü𝒳";
  calls.note(
    "units",
    [-1, 0, 1, 2, 3, 4, 5, 6].map((place) => toUnits(text, place)),
  );
  calls.note(
    "code points",
    [0, 1, 2, 3, 4, 5, 6, 7, 9].map((place) => toCodePoints(text, place)),
  );
  const asked: unknown[] = [];
  const compiler = (found: object, info?: object) =>
    ({
      complete: (...given: unknown[]) => asked.push(given) && found,
      inspect: (...given: unknown[]) => asked.push(given) && info,
    }) as never;
  const entries = [
    { name: "one", kind: "const" },
    { name: "two", kind: "function" },
  ];
  await calls.does("complete", () =>
    complete(compiler({ start: 3, end: 5, candidates: ["one", "three"], original: { entries } }), text, 3),
  );
  await calls.does("complete paths", () =>
    complete(compiler({ start: 1, end: 3, candidates: ["data/"] }), text, 5),
  );
  await calls.does("complete imports", () =>
    complete(
      compiler({
        start: 0,
        end: 1,
        candidates: ["two"],
        imports: [{ name: "fs", module: "node:fs", text: "import" }],
        original: { entries },
      }),
      text,
      1,
    ),
  );
  await calls.does("complete nothing", () =>
    complete(compiler({ start: 0, end: 0, candidates: [], original: undefined }), "", 0),
  );
  await calls.does("inspect nothing", () => inspect(compiler({}), text, 2));
  await calls.does("inspect", () =>
    inspect(compiler({}, { displayParts: [{ text: "let " }, { text: "x" }] }), text, 4),
  );
  calls.note("asked", asked);
  calls.note("signals", {
    slot,
    segment,
    termination,
    size: createSignals().length,
    shared: createSignals().buffer instanceof SharedArrayBuffer,
  });
  calls.approve("kernel/jupyter/answers");
});

test("documentation as text and as Markdown is approved", async () => {
  const calls = new Calls();
  const parts = (...texts: string[]) => texts.map((text) => ({ text, kind: "text" }));
  const infos: Record<string, object> = {
    nothing: {},
    signature: { displayParts: parts("function ", "f", "(): void") },
    notes: { displayParts: parts("x"), documentation: parts("  Says it.\n", "More.  ") },
    tags: {
      displayParts: parts("f"),
      documentation: [],
      tags: [
        { name: "param", text: parts("a", " - first") },
        { name: "param", text: parts("b second\nline") },
        { name: "returns", text: parts("what") },
        { name: "deprecated" },
        { name: "param", text: parts("c") },
        { name: "template", text: parts("T") },
        { name: "typeParam", text: parts("U - u") },
      ],
    },
    examples: {
      displayParts: parts("f"),
      documentation: parts("Notes"),
      tags: [
        { name: "example", text: parts("f(1)\nf(2)") },
        { name: "example", text: parts("```js\nf()\n```") },
        { name: "see", text: parts("  other ") },
        { name: "param", text: parts("") },
      ],
    },
  };
  for (const [name, info] of Object.entries(infos)) {
    const bundle = documentation(info as never);
    for (const [type, text] of Object.entries(bundle))
      calls.lines.push(
        `# ${name} ${type}`,
        ...String(text)
          .split("\n")
          .map((line) => `  ${JSON.stringify(line)}`),
      );
  }
  calls.approve("kernel/jupyter/documentation");
});

test("what comms do is approved", () => {
  const calls = new Calls();
  const sent: unknown[][] = [];
  let parent = "first";
  const comms = new Comms(
    { publish: (...message: unknown[]) => void sent.push(message) } as never,
    () => ({ msg_id: parent }) as never,
  );
  const heard: unknown[] = [];
  const after = (name: string) => {
    calls.note(name, [...sent.splice(0), ...heard.splice(0)]);
    const open = Object.entries(comms.info(undefined)).map(([id, { target_name }]) => [
      /^[0-9a-f-]{36}$/.test(id) ? "random" : id,
      target_name,
    ]);
    calls.note("  open", open);
  };
  const take = (type: string, content: object, more = {}) =>
    comms.take({ type, content, metadata: { meta: 1 }, buffers: [Uint8Array.of(9)], ...more } as never);
  take("comm_open", { comm_id: "lost", target_name: "nobody", data: { a: 1 } });
  after("an unknown target");
  comms.register("mine", (comm, message) => {
    heard.push(["opened", comm.id, comm.target, message]);
    comm.onMessage((one) => void heard.push(["message", one]));
    comm.onMessage(() => void heard.push("second listener"));
    comm.onClose((one) => void heard.push(["closed", one]));
    if (comm.id === "closing") comm.close({ why: "at once" });
  });
  take("comm_open", { comm_id: "one", target_name: "mine", data: { a: 1 } });
  after("open");
  take("comm_open", { comm_id: 2, target_name: "mine" });
  after("open without data, its name a number");
  take("comm_open", { comm_id: "closing", target_name: "mine" });
  after("open what closes at once");
  parent = "second";
  take("comm_msg", { comm_id: "one", data: { b: "ü" } });
  after("message");
  take("comm_msg", { comm_id: "nobody", data: {} });
  after("message to nobody");
  take("comm_close", { comm_id: "one", data: { c: 3 } });
  after("closed from there");
  take("comm_close", { comm_id: "one" });
  take("comm_msg", { comm_id: "one", data: {} });
  after("closed again, and a message behind it");
  const own = comms.openFromHere("theirs", { d: 4 }, { metadata: { m: 1 }, buffers: [Uint8Array.of(1)] });
  sent[0]![1] = { ...(sent[0]![1] as object), comm_id: own.id.length };
  after("open from here");
  calls.note("of one target", Object.values(comms.info("theirs")));
  calls.note("of an unknown target", Object.values(comms.info("other")));
  calls.note("of an empty target", Object.values(comms.info("")).length);
  calls.note("of no target", Object.values(comms.info(3)).length);
  own.onClose(() => void heard.push("own closed"));
  own.send({ e: 5 }, { buffers: [Uint8Array.of(2)] });
  own.close();
  own.close({ f: 6 });
  for (const [, content] of sent) Object.assign(content as object, { comm_id: "random" });
  after("send, close and close again");
  calls.approve("kernel/jupyter/comms");
});

test("what is published of a cell's outputs, and when, is approved", async (t) => {
  const calls = new Calls();
  const log: unknown[][] = [];
  const link = {
    publish: (...given: unknown[]) =>
      void log.push(given.map((one) => (typeof one === "string" ? one : JSON.stringify(one).slice(0, 120)))),
  };
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  const publisher = new CellPublisher(link as never, { msg_id: "p" } as never, 7);
  const step = (name: string, act: () => void) => {
    act();
    calls.note(name, log.splice(0));
  };
  step("first text at once", () => publisher.stream("stdout", "a"));
  step("text soon after waits", () => publisher.stream("stdout", "b"));
  step("and more", () => publisher.stream("stdout", "c"));
  step("49 ms", () => t.mock.timers.tick(49));
  step("50 ms", () => t.mock.timers.tick(1));
  step("text that waits", () => publisher.stream("stdout", "d"));
  step("of the other stream", () => publisher.stream("stderr", "e"));
  step("back", () => publisher.stream("stdout", "f"));
  step("a display", () => publisher.display({ data: { "text/plain": "g" } }));
  step("an update", () =>
    publisher.display(
      { data: { "text/plain": "h" }, metadata: { m: 1 }, transient: { display_id: "i" } },
      true,
    ),
  );
  step("text before an error", () => publisher.stream("stdout", "j"));
  step("an error", () => publisher.error({ ename: "E", evalue: "v", traceback: ["t"] }));
  step("clear", () => publisher.clear(true));
  step("clear at once", () => publisher.clear(false));
  step("a result", () => publisher.result({ "text/plain": "k", "image/svg+xml": "<svg/>" }));
  calls.note("result as text", publisher.resultText);
  step("a result without text", () => publisher.result({ "text/html": "<b>" }));
  calls.note("result as text", publisher.resultText);
  step("little text", () => publisher.stream("stdout", "l".repeat(65_535)));
  step("so much that it is sent", () => publisher.stream("stdout", "m"));
  step("flush of nothing", () => publisher.flush());
  step("flush", () => {
    publisher.stream("stdout", "n");
    publisher.flush();
  });
  step("nothing later", () => t.mock.timers.tick(500));
  step("empty text", () => publisher.stream("stdout", ""));
  step("text after a rest", () => publisher.stream("stderr", "o"));
  calls.note("silence", silence);
  for (const act of [
    () => silence.stream("stdout", "x"),
    () => silence.display({ data: {} }),
    () => silence.clear(true),
    () => silence.result({}),
    () => silence.error({ ename: "", evalue: "", traceback: [] }),
  ])
    act();
  calls.approve("kernel/jupyter/publisher");
});

test("what is handed to the protocol's thread is approved", async () => {
  const calls = new Calls();
  const posted: string[] = [];
  const { port1, port2 } = new MessageChannel();
  const signals = createSignals();
  let answer: (() => void) | undefined;
  const worker = {
    postMessage(message: { kind: string }) {
      posted.push(JSON.stringify(message));
      if (message.kind === "ask") answer?.();
      if (message.kind === "end") Atomics.store(signals, slot.drained, 1);
    },
  };
  const link = new Link(worker as never, signals, port1);
  const parent = { msg_id: "p" } as never;
  const step = (name: string, act: () => unknown) => {
    const value = act();
    calls.note(name, [value, taken(posted), `outstanding ${Atomics.load(signals, slot.outstanding)}`]);
  };
  step("publish", () => link.publish("stream", { name: "stdout", text: "ü".repeat(10) }, parent));
  step("what no JSON has", () =>
    link.publish(
      "display_data",
      {
        data: {
          f: () => 1,
          u: undefined,
          n: Number.NaN,
          list: ["xxxxx"],
          deep: { text: "12345" },
          none: null,
        },
      },
      parent,
      { metadata: { m: 1 }, buffers: [] },
    ),
  );
  step("finish", () => link.finish());
  step("finish with what failed", () => link.finish({ status: "error" }, true, false));
  step("finish with content", () => link.finish({ status: "ok" }));
  step("wait", () => link.waits({ number: 3, others: [4] }));
  port2.postMessage("an old answer");
  answer = () => {
    port2.postMessage("yes");
    Atomics.store(signals, slot.answered, 1);
  };
  await sleep(1);
  step("ask", () => link.ask("Name? ", parent));
  answer = () => {
    port2.postMessage(null);
    Atomics.store(signals, slot.answered, 1);
  };
  step("ask what is interrupted", () => link.ask("", parent));
  answer = () => Atomics.store(signals, slot.answered, 1);
  step("ask without an answer", () => link.ask("?", parent));
  Atomics.store(signals, slot.drained, 1);
  step("end", () => link.end(1000));
  Object.assign(worker, { postMessage: () => {} });
  const began = Date.now();
  link.end(30);
  calls.note("an end that does not come is waited for", Date.now() - began >= 29);
  Atomics.store(signals, slot.outstanding, 64 * 1024 * 1024 - 1);
  const early = Date.now();
  link.publish("stream", { text: "" }, parent);
  calls.note("below 64 MiB nothing waits", Date.now() - early < 500);
  const late = Date.now();
  link.publish("stream", { text: "" }, parent);
  calls.note("above it a second is waited", Date.now() - late >= 990);
  calls.note("outstanding", Atomics.load(signals, slot.outstanding));
  port1.close();
  calls.approve("kernel/jupyter/link");
});
