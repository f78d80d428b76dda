import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it, test } from "node:test";
import { packageRoot } from "../../../src/core/packageRoot";
import type { Message } from "../../../src/kernel/protocol/wire";
import { type Content, type Exchange, KernelClient } from "./client";

/* The messages of a widget's frontend, protocol 2.1.0, over real sockets. */

let kernel: KernelClient;
let id: string;
let opened: Message;

const of = (type: string) => kernel.iopub.filter(({ header }) => header.msg_type === type);
const sent = (method: string) =>
  of("comm_msg").filter(
    ({ content }) => content.comm_id === id && (content.data as Content).method === method,
  );
const result = ({ published }: Exchange) =>
  published.find(({ type }) => type === "execute_result")?.content.data["text/plain"];

async function answered(method: string, act: () => string): Promise<Message> {
  const before = sent(method).length;
  const request = act();
  await kernel.until(() => sent(method).length > before);
  const message = sent(method).at(-1)!;
  assert.equal(message.parent.msg_id, request, "it names what it answers");
  return message;
}

const post = (data: object, buffers: Uint8Array[] = []) =>
  kernel.send("comm_msg", { comm_id: id, data }, "shell", { buffers });

before(async () => {
  kernel = await KernelClient.start();
  await kernel.run(`import * as luvit from "luvit";
const changes: unknown[] = [];
const made = luvit.widget({ esm: "export default {}", css: ".a {}", state: { count: 1, bytes: Uint8Array.of(1, 2), list: [Uint8Array.of(3), 4] as unknown[] } });
made.on("change:count", (count) => void changes.push(count));
made.on("msg:custom", (content, buffers) => made.send({ content, n: buffers.length }, [Uint8Array.of(9)]));`);
  opened = of("comm_open")[0]!;
  id = String(opened.content.comm_id);
});
after(() => kernel.close());

describe("a widget", () => {
  it("opens a comm with anywidget's model, its state, and bytes beside it", () => {
    assert.equal(opened.content.target_name, "jupyter.widget");
    assert.deepEqual(opened.metadata, { version: "2.1.0" });
    const { state, buffer_paths } = opened.content.data as Content;
    assert.deepEqual(
      [state._model_module, state._model_name, state._view_module, state._view_name],
      ["anywidget", "AnyModel", "anywidget", "AnyView"],
    );
    assert.deepEqual(
      [state._esm, state._css, state.count, state.list],
      ["export default {}", ".a {}", 1, [null, 4]],
    );
    assert.ok(!("bytes" in state));
    assert.deepEqual(buffer_paths, [["bytes"], ["list", 0]]);
    assert.deepEqual(
      opened.buffers.map((one) => [...one]),
      [[1, 2], [3]],
    );
  });

  it("is displayed as a view of its model", async () => {
    const ran = await kernel.run("made");
    const { data } = ran.published.find(({ type }) => type === "execute_result")!.content;
    assert.deepEqual(data["application/vnd.jupyter.widget-view+json"], {
      version_major: 2,
      version_minor: 1,
      model_id: id,
    });
    assert.match(data["text/plain"], /^Widget \{\s+count: 1/);
  });

  it("answers a page that has come later with its state", async () => {
    const { content, buffers } = await answered("update", () => post({ method: "request_state" }));
    assert.equal((content.data as Content).state.count, 1);
    assert.equal(buffers.length, 2);
  });

  it("takes what a view sets, tells the other views, and calls who listens", async () => {
    const update = { method: "update", state: { count: 5, list: [null] }, buffer_paths: [["list", 0]] };
    const { content, buffers } = await answered("echo_update", () => post(update, [Uint8Array.of(7, 8)]));
    assert.deepEqual(content.data, {
      method: "echo_update",
      state: { count: 5, list: [null] },
      buffer_paths: [["list", 0]],
    });
    assert.deepEqual(
      buffers.map((one) => [...one]),
      [[7, 8]],
    );
    assert.equal(
      result(
        await kernel.run("[made.get('count'), ...changes, (made.get('list')[0] as Uint8Array)[1]].join()"),
      ),
      "5,5,8",
    );
  });

  it("sends what the kernel sets", async () => {
    const { content } = await answered("update", () => kernel.start("made.set({ count: 6 });"));
    assert.deepEqual(content.data, { method: "update", state: { count: 6 }, buffer_paths: [] });
    assert.equal(result(await kernel.run("changes.join()")), "5,6");
  });

  it("carries messages of its own with bytes, in both directions", async () => {
    const { content, buffers } = await answered("custom", () =>
      post({ method: "custom", content: { hi: 1 } }, [Uint8Array.of(1)]),
    );
    assert.deepEqual(content.data, { method: "custom", content: { content: { hi: 1 }, n: 1 } });
    assert.deepEqual(
      buffers.map((one) => [...one]),
      [[9]],
    );
  });

  it("takes nothing but its own names, and goes on after messages that are wrong", async () => {
    const wrong: [object, Uint8Array[]][] = [
      [{ method: "update", state: { count: 7 }, buffer_paths: [["count"], ["x"]] }, [Uint8Array.of(1)]],
      [{ method: "update", state: {}, buffer_paths: [["__proto__", "polluted"]] }, [Uint8Array.of(1)]],
      [{ method: "update", state: { list: [] }, buffer_paths: [["list", 5]] }, [Uint8Array.of(1)]],
      [{ method: "update", state: "none" }, []],
      [{ method: "eval", code: "1" }, []],
      [{}, []],
    ];
    for (const [data, buffers] of wrong) post(data, buffers);
    await answered("echo_update", () =>
      post({ method: "update", state: { _esm: "evil()", other: 1 }, buffer_paths: [] }),
    );
    const { reply, ...ran } = await kernel.run(
      "[made.get('count'), ({} as any).polluted, Object.keys((made as any).state)].join()",
    );
    assert.equal(reply.status, "ok");
    assert.equal(result({ reply, ...ran }), "6,,count,bytes,list");
    const said = of("stream")
      .map(({ content }) => String(content.text))
      .join("");
    assert.match(said, /1 buffers and 2 places for them/);
    assert.match(said, /puts bytes where its state has no place: \["list",5\]/);
    assert.match(said, /unknown method: eval/);
    assert.match(said, /a view has set other, which its state does not have/);
  });

  it("refuses names that it was made without, and names that are the frontend's", async () => {
    for (const [code, why] of [
      ["made.set({ cuont: 1 } as any)", /the widget has no cuont; it has count, bytes, list/],
      ["made.on('change:no' as any, () => {})", /has no no/],
      ["made.on('click' as any, () => {})", /expected change:<name> or msg:custom, got click/],
      ["luvit.widget({ esm: 'x', state: { _esm: 1 } })", /names that do not begin with _/],
      ["luvit.widget({ esm: '' })", /esm/],
      ["made.set({ count: 7n } as any)", /a widget's state: count is 7n; expected JSON/],
      ["made.set({ count: NaN })", /count is NaN; expected JSON/],
      ["made.set({ list: [{ by: new Map() }] })", /list\.0\.by is Map\(0\) \{\}; expected JSON/],
      ["made.set({ list: [() => 1] })", /list\.0 is \[Function/],
      ["const ring: any = {}; ring.ring = ring; made.set({ list: [ring] })", /list\.0\.ring contains itself/],
      ["made.send(new Set())", /content is Set\(0\) \{\}/],
      ["made.send({ at: Uint8Array.of(1) })", /bytes go into the list behind the content/],
    ] as const)
      assert.match((await kernel.run(code)).reply.evalue, why);
    assert.equal(result(await kernel.run("made.get('count')")), "6");
  });

  it("closes its comm", async () => {
    await kernel.run("made.close()");
    assert.equal(of("comm_close").at(-1)?.content.comm_id, id);
  });
});

test("the slider of the documentation draws the layer that a page asks for", async () => {
  const page = readFileSync(join(packageRoot(), "docs", "notebooks-and-kernel.md"), "utf8");
  const code = /```ts\n([\s\S]*?luvit\.widget[\s\S]*?)```/.exec(page)![1]!;
  const own = await KernelClient.start(undefined, packageRoot());
  try {
    const { reply } = await own.answer(own.start(code), 120_000);
    assert.equal(reply.status, "ok", reply.evalue);
    const { content, buffers } = own.iopub.find(({ header }) => header.msg_type === "comm_open")!;
    own.send("comm_msg", {
      comm_id: content.comm_id,
      data: { method: "update", state: { at: 1 }, buffer_paths: [] },
    });
    const drawn = () =>
      own.iopub.find(
        ({ header, content: { data } }) =>
          header.msg_type === "comm_msg" && (data as Content).method === "update",
      );
    await own.until(() => drawn() !== undefined);
    assert.deepEqual((drawn()!.content.data as Content).buffer_paths, [["png"]]);
    const [before, after] = [buffers[0]!, drawn()!.buffers[0]!].map((one) => Buffer.from(one));
    for (const png of [before!, after!]) assert.equal(png.subarray(1, 4).toString(), "PNG");
    assert.ok(!before!.equals(after!));
  } finally {
    own.close();
  }
});
