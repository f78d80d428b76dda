import assert from "node:assert/strict";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { packageRoot } from "../../../src/core/packageRoot";
import { type Message, Wire } from "../../../src/kernel/protocol/wire";
import { type Exchange, KernelClient } from "./client";

let kernel: KernelClient;

before(async () => {
  kernel = await KernelClient.start();
});
after(() => kernel.close());

const result = ({ published }: Exchange) =>
  published.find(({ type }) => type === "execute_result")?.content.data;
const stream = ({ published }: Exchange, name: string) =>
  published
    .map(({ type, content }) => (type === "stream" && content.name === name ? content.text : ""))
    .join("");

describe("messages of the kernel", () => {
  it("are its own session's and name the request they belong to", async () => {
    const { id } = await kernel.run('console.log("x"); 1');
    const own = kernel.iopub.filter(({ parent }) => parent.msg_id === id);
    const sessions = new Set(own.map(({ header }) => header.session));
    assert.equal(sessions.size, 1);
    assert.ok(own.every(({ header, parent }) => header.session !== parent.session));
    assert.deepEqual([...new Set(own.map(({ header }) => header.username))], ["kernel"]);
    assert.deepEqual([...new Set(own.map(({ header }) => header.version))], ["5.4"]);
    assert.equal(new Set(own.map(({ header }) => header.msg_id)).size, own.length);
  });

  it("answer connect_request with the ports, and say what the kernel is made of", async () => {
    const { reply } = await kernel.ask("connect_request");
    assert.ok(["shell_port", "iopub_port", "stdin_port", "hb_port"].every((port) => reply[port] > 0));
    const info = (await kernel.ask("kernel_info_request")).reply;
    const { name, version, mimetype, pygments_lexer, nbconvert_exporter } = info.language_info;
    assert.deepEqual(
      { name, version, mimetype, pygments_lexer, nbconvert_exporter },
      {
        name: "typescript",
        version: "6.0.3",
        mimetype: "text/x.typescript",
        pygments_lexer: "typescript",
        nbconvert_exporter: "script",
      },
    );
    assert.deepEqual([info.supported_features, info.debugger], [["debugger"], true]);
    assert.ok(
      info.help_links.every(({ text, url }: Record<string, string>) => text && url?.startsWith("https:")),
    );
    assert.match(info.banner, /LUViT .* TypeScript 6\.0\.3 .* Node \d+/);
  });

  it("carry buffers as they are, in both directions", async () => {
    await kernel.run(
      'import { onComm } from "luvit";\nonComm("bytes", (comm) => comm.onMessage(({ buffers }) => comm.send({ n: buffers.length }, { buffers: buffers.map((b) => Uint8Array.from(b).reverse()), metadata: { m: 1 } })));',
    );
    kernel.send("comm_open", { comm_id: "b1", target_name: "bytes", data: {} });
    const buffers = [Uint8Array.of(0, 1, 255), Uint8Array.of()];
    kernel.send("comm_msg", { comm_id: "b1", data: {} }, "shell", { buffers });
    const answer = () => kernel.iopub.find(({ header }) => header.msg_type === "comm_msg");
    await kernel.until(() => answer() !== undefined);
    const { content, metadata, buffers: back } = answer() as Message;
    assert.deepEqual([content.data, metadata], [{ n: 2 }, { m: 1 }]);
    assert.deepEqual(
      back.map((buffer) => [...buffer]),
      [[255, 1, 0], []],
    );
  });

  it("come after frames that are no message as if these had not been", async () => {
    kernel.sendFrames(["nonsense"]);
    kernel.sendFrames(["<IDS|MSG>", "", "{}", "{}", "{}", "{}"]);
    kernel.sendFrames(["<IDS|MSG>", "not", "even", "json", "{", "}"]);
    assert.equal(result(await kernel.run("1 + 1"))["text/plain"], "2");
  });

  it("tell kinds of completions, and documentation as Markdown", async () => {
    const { reply } = await kernel.ask("complete_request", { code: "Math.hypo", cursor_pos: 9 });
    const [hypot] = reply.metadata._jupyter_types_experimental;
    assert.deepEqual(hypot, { text: "hypot", type: "method", start: 5, end: 9 });
    const known = await kernel.ask("inspect_request", { code: "parseFloat", cursor_pos: 3, detail_level: 0 });
    assert.match(
      known.reply.data["text/markdown"],
      /^```typescript\nfunction parseFloat.*\n```\nConverts a string/,
    );
  });
});

describe("cells under the protocol", () => {
  it("that the compiler rejects have one error, worded by it", async () => {
    const { reply, published } = await kernel.run('const wrong: number = "one";');
    assert.deepEqual([reply.status, reply.ename], ["error", "TypeScriptError"]);
    assert.match(
      reply.traceback.join("\n"),
      /error TS2322: Type 'string' is not assignable to type 'number'/,
    );
    assert.equal(published.filter(({ type }) => type === "error").length, 1);
    assert.equal((await kernel.run("2")).reply.execution_count, reply.execution_count + 1);
  });

  it("get their write callbacks called", async () => {
    const ran = await kernel.run(
      'await new Promise<void>((done) => process.stdout.write("a", () => done()));\nprocess.stderr.write("b");',
    );
    assert.deepEqual([ran.reply.status, stream(ran, "stdout"), stream(ran, "stderr")], ["ok", "a", "b"]);
  });

  it("end by a SIGINT to the process as by an interrupt_request; an idle kernel does not", async () => {
    kernel.process.kill("SIGINT");
    const id = kernel.start("while (true) await new Promise((done) => setTimeout(done, 5));");
    await kernel.until(() => kernel.published(id).some(({ type }) => type === "execute_input"));
    await sleep(300);
    kernel.process.kill("SIGINT");
    assert.equal((await kernel.answer(id)).reply.ename, "KeyboardInterrupt");
    assert.equal((await kernel.run("1")).reply.status, "ok");
  });

  it("tell a library that listens of one request once, however long it takes to save", async () => {
    const id = kernel.start(
      'let told = 0;\nconst save = () => { told++; };\nprocess.on("SIGINT", save);\nawait null;\nconsole.log("on");\n' +
        "while (told === 0) await new Promise((done) => setTimeout(done, 5));\n" +
        'await new Promise((done) => setTimeout(done, 900));\nprocess.off("SIGINT", save);\ntold',
    );
    await kernel.until(() => kernel.published(id).some(({ type }) => type === "stream"));
    await kernel.interrupt();
    assert.equal(result(await kernel.answer(id))?.["text/plain"], "1");
  });

  it("show what is no bundle by itself: images' bytes, canvases, elements and Vega charts of other libraries", async () => {
    const bundle = async (code: string) => result(await kernel.run(code));
    const png = await bundle("new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])");
    assert.equal(png["image/png"], "iVBORw0KGgo=");
    const canvas = await bundle('({ toDataURL: () => "data:image/png;base64,iVBO" })');
    assert.equal(canvas["image/png"], "iVBO");
    assert.equal(
      (await bundle('new (class { get outerHTML() { return "<svg></svg>"; } })()'))["image/svg+xml"],
      "<svg></svg>",
    );
    assert.equal(
      (await bundle('new (class { get outerHTML() { return "<b>x</b>"; } })()'))["text/html"],
      "<b>x</b>",
    );
    const spec = { $schema: "https://vega.github.io/schema/vega-lite/v5.json", mark: "bar" };
    const chart = await bundle(`({ toSpec: () => (${JSON.stringify(spec)}) })`);
    assert.deepEqual(chart["application/vnd.vegalite.v5+json"], spec);
    assert.ok("text/plain" in chart);
  });

  it("do not fail because their value cannot show itself", async () => {
    const ran = await kernel.run(
      '({ kept: 1, [Symbol.for("Jupyter.display")]() { throw new RangeError("no image"); } })',
    );
    assert.equal(ran.reply.status, "ok");
    assert.match(result(ran)["text/plain"], /kept: 1/);
    assert.match(stream(ran, "stderr"), /cannot be shown:[\s\S]*RangeError.*no image/);
  });

  it("keep what they declared before an interrupt", async () => {
    const id = kernel.start('const kept = 41;\nconsole.log("on");\nwhile (true);');
    await kernel.until(() => kernel.published(id).some(({ type }) => type === "stream"));
    await kernel.interrupt();
    assert.equal((await kernel.answer(id)).reply.ename, "KeyboardInterrupt");
    assert.equal(result(await kernel.run("kept + 1"))["text/plain"], "42");
  });

  it("display through a copy of the library that the notebook's folder has installed", async () => {
    const copy = join(kernel.folder, "node_modules", "luvit");
    mkdirSync(copy, { recursive: true });
    for (const part of ["package.json", "dist", "kernels"])
      cpSync(join(packageRoot(), part), join(copy, part), { recursive: true });
    symlinkSync(join(packageRoot(), "node_modules"), join(copy, "node_modules"));
    const own = await KernelClient.start(undefined, kernel.folder);
    const ran = await own.run(
      'import * as luvit from "luvit";\nluvit.show(luvit.html("<b>x</b>"));\nluvit.inNotebook()',
    );
    own.close();
    assert.equal(result(ran)["text/plain"], "true");
    const shown = ran.published.find(({ type }) => type === "display_data");
    assert.equal(shown?.content.data["text/html"], "<b>x</b>");
  });
});

describe("the wire", () => {
  const header = { type: "status", content: { execution_state: "busy" } };

  it("without a key neither signs nor refuses", () => {
    const frames = new Wire("", "hmac-sha256").encode([], header).map((frame) => Buffer.from(frame));
    assert.equal(String(frames[1]), "");
    assert.deepEqual(new Wire("", "hmac-sha256").decode(frames)?.content, header.content);
    assert.equal(new Wire("key", "hmac-sha256").decode(frames), undefined);
  });

  it("takes null for an empty part, but for no header, and nothing else that is no object", () => {
    const wire = new Wire("", "hmac-sha256");
    const withPart = (at: number, part: string) => {
      const frames = wire.encode([], header).map((frame) => Buffer.from(frame));
      frames[at] = Buffer.from(part);
      return wire.decode(frames);
    };
    for (const at of [3, 4, 5]) {
      const { parent, metadata, content } = withPart(at, "null")!;
      assert.deepEqual([parent, metadata, content][at - 3], {});
      for (const part of ["[]", "1", '"{}"', "true", "{", ""])
        assert.equal(withPart(at, part), undefined, part);
    }
    assert.equal(withPart(2, "null"), undefined);
  });

  it("keeps every identity, and refuses what was changed on the way", () => {
    const wire = new Wire("key", "hmac-sha256");
    const frames = wire.encode(["one", "two"], header).map((frame) => Buffer.from(frame));
    assert.deepEqual(wire.decode(frames)?.identities.map(String), ["one", "two"]);
    frames[frames.length - 1] = Buffer.from('{"execution_state":"idle"}');
    assert.equal(wire.decode(frames), undefined);
  });
});

describe("shutdown_request", () => {
  for (const channel of ["control", "shell"] as const)
    it(`on ${channel} is answered with what was asked, and the process ends well`, async () => {
      const own = await KernelClient.start();
      try {
        await own.run("1");
        const { reply } = await own.ask("shutdown_request", { restart: channel === "shell" }, channel);
        assert.deepEqual(reply, { status: "ok", restart: channel === "shell" });
        await own.until(() => own.exitCode !== undefined, 5000, "the kernel did not end");
        assert.equal(own.exitCode, 0);
      } finally {
        own.close();
      }
    });
});
