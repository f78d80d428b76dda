import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Content, KernelClient } from "../unit/kernel/client";
import { DebugClient } from "../unit/kernel/debug/debugClient";
import { atEnd, type Check, info, plain, streamed } from "./check";

const completions = async (kernel: KernelClient, code: string): Promise<string[]> =>
  (await kernel.ask("complete_request", atEnd(code))).reply.matches;

const opened = (kernel: KernelClient): Content[] =>
  kernel.iopub.filter(({ header }) => header.msg_type === "comm_open").map(({ content }) => content);

/** What frontends and cells offer beyond running code: help while typing, magics, widgets, a debugger. */
export const tools: readonly Check[] = [
  {
    name: "Shift+Tab inside a call shows its parameters",
    async ask(kernel) {
      await kernel.run("function scaled(width: number, factor: number) { return width * factor; }");
      const { reply } = await kernel.ask("inspect_request", { ...atEnd("scaled(2, "), detail_level: 0 });
      assert.match(JSON.stringify(reply.data), /factor: number/);
    },
  },
  {
    name: "Shift+Tab shows a function's documentation",
    async ask(kernel) {
      await kernel.run("/** Halves a length. */\nfunction halved(length: number) { return length / 2; }");
      const { reply } = await kernel.ask("inspect_request", { ...atEnd("halved"), detail_level: 0 });
      assert.match(JSON.stringify(reply.data), /Halves a length/);
    },
  },
  {
    name: "paths of files complete",
    async ask(kernel) {
      mkdirSync(join(kernel.folder, "pictures"), { recursive: true });
      writeFileSync(join(kernel.folder, "pictures", "otter.png"), "");
      const found = await completions(kernel, 'const path = "./pictures/ot');
      assert.ok(
        found.some((each) => each.includes("otter.png")),
        String(found),
      );
    },
  },
  {
    name: "a shell's command in a cell (!)",
    ask: async (kernel) =>
      assert.match(streamed(await kernel.run("!echo from-the-shell"), "stdout"), /from-the-shell/),
  },
  {
    name: "the time of a cell (%%time)",
    ask: async (kernel) =>
      assert.match(JSON.stringify((await kernel.run("%%time\n6 * 7")).published), /wall/i),
  },
  {
    name: "a package that is not installed: the error gives the command",
    async ask(kernel) {
      const { reply, published } = await kernel.run('import leftPad from "left-pad";\nleftPad("5", 3)');
      assert.equal(reply.status, "error");
      assert.match(JSON.stringify(published), /npm i(nstall)? left-pad|deno (add|install) npm:left-pad/);
    },
  },
  {
    name: "a widget: what the page changes reaches the cells",
    async ask(kernel, { widget }) {
      const before = opened(kernel).length;
      await kernel.run(widget.open);
      const model = opened(kernel)[before];
      assert.equal(model?.target_name, "jupyter.widget");
      assert.equal(model.data.state._model_module, "anywidget");
      const data = { method: "update", state: { count: 5 }, buffer_paths: [] };
      kernel.send("comm_msg", { comm_id: model.comm_id, data });
      await kernel.ask("comm_info_request"); // behind it
      assert.equal(plain(await kernel.run(widget.count)), "5");
    },
  },
  {
    name: "a debugger: a breakpoint in a cell, its variables",
    async ask(kernel) {
      assert.ok((await info(kernel)).supported_features?.includes("debugger"), "it says that it has none");
      const client = await DebugClient.at(kernel);
      const code = "const edge = 3;\nconst area = edge * edge;\narea";
      await client.breakIn(code, 2);
      const id = kernel.start(code);
      await client.stopped();
      const seen = JSON.stringify(await client.variables());
      await client.must("continue", { threadId: 1 });
      assert.equal(plain(await kernel.answer(id)), "9");
      assert.match(seen, /"edge":"3"/);
      await client.must("disconnect", { restart: false });
    },
  },
];
