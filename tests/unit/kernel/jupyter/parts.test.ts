import assert from "node:assert/strict";
import { test } from "node:test";
import { Comms } from "../../../../src/kernel/jupyter/comms";
import { History, matchesGlob } from "../../../../src/kernel/jupyter/history";
import { kernelInfo } from "../../../../src/kernel/jupyter/info";
import { complete, inspect } from "../../../../src/kernel/jupyter/language";
import { CellPublisher, silence } from "../../../../src/kernel/jupyter/publisher";

/** Comms whose messages go into a list. */
function comms() {
  const sent: unknown[][] = [];
  const parent = { msg_id: "p" };
  const link = { publish: (...message: unknown[]) => void sent.push(message) };
  const made = new Comms(link as never, () => parent as never);
  const take = (type: string, content: object, metadata = {}, buffers: Uint8Array[] = []) =>
    made.take({ type, content, metadata, buffers } as never);
  return { made, sent, take, parent };
}

test("a comm that the page opens goes to who waits for its target, with all that came with it", () => {
  const { made, sent, take, parent } = comms();
  const heard: unknown[] = [];
  made.register("mine", (comm, opened) => {
    heard.push(["opened", comm.id, comm.target, opened]);
    for (const name of ["first", "second"]) {
      comm.onMessage((message) => heard.push([name, message]));
      comm.onClose((message) => heard.push([`${name} closed`, message]));
    }
    comm.send({ hi: 1 }, { metadata: { m: 1 }, buffers: [Uint8Array.of(1)] });
  });
  const buffers = [Uint8Array.of(7)];
  take("comm_open", { comm_id: "a", target_name: "mine", data: { d: 1 } }, { m: 2 }, buffers);
  assert.deepEqual(heard, [["opened", "a", "mine", { data: { d: 1 }, metadata: { m: 2 }, buffers }]]);
  assert.deepEqual(sent, [
    [
      "comm_msg",
      { comm_id: "a", data: { hi: 1 } },
      parent,
      { metadata: { m: 1 }, buffers: [Uint8Array.of(1)] },
    ],
  ]);
  take("comm_msg", { comm_id: "a" }, { n: 1 }, buffers);
  const message = { data: {}, metadata: { n: 1 }, buffers };
  assert.deepEqual(heard.slice(1), [
    ["first", message],
    ["second", message],
  ]);
  take("comm_msg", { comm_id: "other", data: {} });
  assert.equal(heard.length, 3);
  take("comm_close", { comm_id: "a", data: { bye: 1 } });
  const bye = { data: { bye: 1 }, metadata: {}, buffers: [] };
  assert.deepEqual(heard.slice(3), [
    ["first closed", bye],
    ["second closed", bye],
  ]);
  assert.deepEqual(made.info(undefined), {}, "it is no longer listed");
  take("comm_close", { comm_id: "a" });
  take("comm_msg", { comm_id: "a", data: {} });
  assert.equal(heard.length, 5, "nor heard");
  assert.equal(sent.length, 1, "who closes it is not told to close it");
  take("comm_open", { comm_id: "b", target_name: "nobody" });
  assert.deepEqual(sent.at(-1), ["comm_close", { comm_id: "b", data: {} }, parent, {}]);
});

test("a comm that a cell opens is told of with its options, and closed once", () => {
  const { made, sent, parent } = comms();
  const options = { metadata: { version: "2" }, buffers: [Uint8Array.of(1)] };
  const [comm, other] = [made.openFromHere("there", { x: 1 }, options), made.openFromHere("there", {}, {})];
  assert.notEqual(comm.id, other.id);
  const content = { comm_id: comm.id, target_name: "there", data: { x: 1 } };
  assert.deepEqual(sent[0], ["comm_open", content, parent, options]);
  sent.length = 0;
  comm.close({ why: "done" });
  comm.close();
  other.close();
  assert.deepEqual(sent, [
    ["comm_close", { comm_id: comm.id, data: { why: "done" } }, parent, {}],
    ["comm_close", { comm_id: other.id, data: {} }, parent, {}],
  ]);
});

test("text waits 50 ms for more of its stream, and no longer", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1e12 });
  const texts: string[] = [];
  const link = { publish: (_: string, { text }: { text: string }) => texts.push(text) };
  const publisher = new CellPublisher(link as never, {} as never, 1);
  publisher.stream("stdout", "a");
  t.mock.timers.tick(20);
  publisher.stream("stdout", "b");
  t.mock.timers.tick(20);
  publisher.stream("stdout", "c");
  assert.deepEqual(texts, ["a"]);
  t.mock.timers.tick(29);
  assert.deepEqual(texts, ["a"]);
  t.mock.timers.tick(1);
  assert.deepEqual(texts, ["a", "bc"], "50 ms after the first that waits");
  t.mock.timers.tick(200);
  publisher.stream("stdout", "d");
  assert.deepEqual(texts, ["a", "bc", "d"], "nothing was sent for long");
  publisher.stream("stdout", "x".repeat((1 << 16) - 1));
  assert.equal(texts.length, 3);
  publisher.stream("stdout", "y");
  assert.equal(texts[3]!.length, 1 << 16);
  t.mock.timers.tick(200);
  publisher.flush();
  assert.equal(texts.length, 4, "nothing is sent twice, and nothing empty");
});

test("text waits as long each time, whatever has sent the text before it", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1e12 });
  const sent: [string, string][] = [];
  const link = {
    publish: (type: string, { name, text }: { name?: string; text?: string }) =>
      void sent.push([name ?? type, text ?? ""]),
  };
  const publisher = new CellPublisher(link as never, {} as never, 1);
  const senders: Record<string, () => void> = {
    "its time": () => t.mock.timers.tick(50),
    "text of the other stream": () => publisher.stream("stderr", "e"),
    "a display": () => publisher.display({ data: {} }),
    "its length": () => publisher.stream("stdout", "x".repeat(1 << 16)),
    "who wants all of it": () => publisher.flush(),
  };
  publisher.stream("stdout", "first");
  for (const [name, send] of Object.entries(senders)) {
    publisher.stream("stdout", "a");
    send();
    publisher.stream("stdout", "b");
    publisher.stream("stdout", "c");
    sent.length = 0;
    t.mock.timers.tick(49);
    assert.deepEqual(sent, [], name);
    t.mock.timers.tick(1);
    assert.deepEqual(sent, [["stdout", "bc"]], name);
    t.mock.timers.tick(1000);
    assert.equal(sent.length, 1, name);
    publisher.flush();
  }
});

test("what a cell shows has its metadata and its id, and its value the size of an image", () => {
  const sent: [string, { metadata?: object; transient?: object }][] = [];
  const link = { publish: (...[type, content]: (typeof sent)[number]) => sent.push([type, content]) };
  const publisher = new CellPublisher(link as never, {} as never, 2);
  assert.equal(publisher.resultText, null);
  publisher.display({ data: {}, metadata: { isolated: true }, transient: { display_id: "i" } }, true);
  assert.deepEqual(sent[0], [
    ...["update_display_data", { data: {}, metadata: { isolated: true }, transient: { display_id: "i" } }],
  ]);
  publisher.display({ data: {} });
  assert.deepEqual(sent[1]![1], { data: {}, metadata: {}, transient: {} });
  publisher.clear(false);
  assert.deepEqual(sent[2], ["clear_output", { wait: false }]);
  publisher.result({ "text/html": "<b>" });
  assert.equal(publisher.resultText, "");
  const why = { ename: "E", evalue: "v", traceback: ["t"] };
  publisher.error(why);
  assert.deepEqual(sent.at(-1), ["error", why]);
  assert.equal(silence.hidden, true);
});

test("candidates are told with their places in code points, and what kind each is", () => {
  const code = "🐑; ab";
  const compiler = {
    complete: (source: string, offset: number) => {
      assert.deepEqual([source, offset], [code, 6]);
      return {
        ...{ start: 4, end: 6, candidates: ["abs", "able"] },
        imports: [{ name: "about", module: "node:x", text: "import about" }],
        original: { entries: [{ name: "abs", kind: "method" }] },
      };
    },
  };
  const place = { start: 3, end: 5 };
  assert.deepEqual(complete(compiler as never, code, 5), {
    ...{ status: "ok", matches: ["abs", "able", "about"], cursor_start: 3, cursor_end: 5 },
    metadata: {
      _jupyter_types_experimental: [
        { text: "abs", type: "method", ...place },
        { text: "able", type: "<unknown>", ...place },
        { text: "import about", type: "from node:x", ...place },
      ],
    },
  });
  const paths = { complete: () => ({ start: 0, end: 0, candidates: ["data/"] }) };
  assert.deepEqual(complete(paths as never, "", 0), {
    ...{ status: "ok", matches: ["data/"], cursor_start: 0, cursor_end: 0 },
    metadata: { _jupyter_types_experimental: [{ text: "data/", type: "path", start: 0, end: 0 }] },
  });
  const inspected: unknown[] = [];
  inspect({ inspect: (...given: unknown[]) => void inspected.push(...given) } as never, code, 4);
  assert.deepEqual(inspected, [code, 5]);
});

test("a pattern of the history stands for whole inputs: * for any text, ? for one character", () => {
  for (const [text, pattern, matches] of [
    ["", "", true],
    ["", "*", true],
    ["", "?", false],
    ["abc", "abc", true],
    ["abc", "ab", false],
    ["ab", "abc", false],
    ["abc", "a?c", true],
    ["abc", "a*", true],
    ["abc", "*b*", true],
    ["abc", "*b", false],
    ["aab", "*ab", true],
    ["abab", "*ab", true],
    ["a.c", "a.c", true],
    ["abc", "a.c", false],
    ["abc", "***", true],
    ["a\nb", "a*b", true],
    ["mississippi", "m*iss*ip*i", true],
    ["mississippi", "m*iss*ipp", false],
  ] as const)
    assert.equal(matchesGlob(text, pattern), matches, `${text} ${pattern}`);
});

test("the history answers with session, line and input, of this session alone, the latest of those that are alike", () => {
  const history = new History();
  for (const [line, input] of ["a", "b", "a", "c"].entries()) history.add(line + 1, input, null);
  const ask = (request: object) => history.answer(request as never);
  assert.deepEqual(ask({ hist_access_type: "tail", n: 2 }), [
    [1, 3, "a"],
    [1, 4, "c"],
  ]);
  assert.deepEqual(ask({ hist_access_type: "tail" }).length, 4);
  assert.deepEqual(ask({ hist_access_type: "range", session: 1, start: 4 }), [[1, 4, "c"]]);
  assert.deepEqual(ask({ hist_access_type: "range", session: 0, stop: 2 }), [[1, 1, "a"]]);
  assert.deepEqual(ask({ hist_access_type: "range", session: -1, start: 1 }), []);
  assert.deepEqual(ask({ hist_access_type: "search", pattern: "?", unique: true, n: 2 }), [
    [1, 3, "a"],
    [1, 4, "c"],
  ]);
  assert.deepEqual(ask({ hist_access_type: "search", pattern: "a", n: 9 }).length, 2);
});

test("what a frontend is told of the kernel is what it needs to show, save and export cells", () => {
  const {
    language_info,
    protocol_version,
    implementation,
    debugger: debugs,
  } = kernelInfo() as Record<string, never>;
  assert.deepEqual([protocol_version, implementation, debugs], ["5.4", "luvit", true]);
  assert.deepEqual(language_info, {
    ...{ name: "typescript", version: "6.0.3", mimetype: "text/x.typescript", file_extension: ".ts" },
    ...{ pygments_lexer: "typescript", codemirror_mode: "typescript", nbconvert_exporter: "script" },
  });
});
