import assert from "node:assert/strict";
import { before, mock, test } from "node:test";
import { tableFromArrays } from "apache-arrow";
import { startBackend, tf } from "../../../src/core/tf";
import { classifier, lora, mae, vit } from "../../../src/models";
import { html, md, table } from "../../../src/notebook";
import { cellTitle } from "../../../src/notebook/cellTitle";
import { LiveSuiteView } from "../../../src/notebook/liveParts";
import { LiveRunView } from "../../../src/notebook/liveView";
import { renderMarkdown } from "../../../src/notebook/markdown";
import { mimeBundleOf, richBundleOf } from "../../../src/notebook/mime";
import { renderPage } from "../../../src/notebook/page";
import { ProgressBar } from "../../../src/notebook/progressBar";
import { progressHtml } from "../../../src/notebook/progressGroup";
import { RunTerminal } from "../../../src/notebook/terminal";
import { approve, markupLines } from "../../support/approved";

before(() => startBackend());

/** A bundle, an element a line; drawn images unpacked, and the memory of this process left out. */
async function bundleLines(value: unknown): Promise<string[]> {
  const bundle = await richBundleOf(value);
  const lines = await Promise.all(
    Object.entries(bundle).map(async ([mime, content]) => {
      if (mime === "image/png") return [`${mime}: …`];
      return [
        `${mime}:`,
        ...(await shownLines(typeof content === "string" ? content : JSON.stringify(content))),
      ];
    }),
  );
  return lines.flat();
}

function shownLines(markup: string): Promise<string[]> {
  const unpacked = markup
    .replace(/memory [\d.,]+ [KMG]iB/g, "memory …")
    .replace(
      /data:image\/svg\+xml;base64,([A-Za-z0-9+/=]+)/g,
      (_, bytes: string) => `svg ${Buffer.from(bytes, "base64")}`,
    );
  return markupLines(unpacked);
}

test("tensors: few numbers, matrices, images of every range and layout, what is none", async () => {
  const ramp = (shape: number[], low: number, high: number) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from(
      { length: count },
      (_, i) => low + ((high - low) * ((7 * i) % count)) / (count - 1 || 1),
    );
    return tf.tensor(values, shape);
  };
  const tensors = {
    odd: tf.tensor([1, Number.NaN, 3, Number.POSITIVE_INFINITY, 0, -2.5]),
    scalar: tf.scalar(3.25),
    none: tf.zeros([0, 3]),
    same: tf.fill([40], 2),
    written: tf.tensor2d([
      [1, 2.5],
      [-0.001, 1234.5],
    ]),
    whole: tf.tensor([1, 2, 3], [3], "int32"),
    truth: tf.tensor([true, false], [2], "bool"),
    matrix: ramp([30, 50], -1, 3),
    above: ramp([9, 20], 0, 5),
    shares: ramp([2, 3, 16, 16], 0, 1),
    bytes: ramp([16, 9, 3], 0, 255),
    normalized: ramp([10, 3, 9, 12], -2, 2.5),
    wild: ramp([3, 8, 8], -9, 900),
    small: ramp([3, 7, 9], 0, 1),
    deep: ramp([2, 5, 4, 6], 0, 1),
  };
  const lines: string[] = [];
  for (const [name, tensor] of Object.entries(tensors))
    lines.push(`== ${name}`, ...(await bundleLines(tensor)));
  lines.push(
    "== host",
    ...(await bundleLines({ shape: [2, 2], data: Float32Array.of(1, 2, 3, 4), dtype: "BF16" })),
  );
  approve("notebook/tensors", lines);
});

test("models as trees, and what adapters make of them", async () => {
  const model = classifier.create({ encoder: vit.toy, classes: 6 });
  const lines = ["== classifier", ...(await bundleLines(model))];
  model.freeze("blocks.1");
  lines.push("== frozen", ...(await bundleLines(model)));
  lora.attach(model, { rank: 2, targets: ["qkv"] });
  lines.push("== adapted", ...(await bundleLines(model)), "== mae");
  lines.push(...(await bundleLines(mae.create({ encoder: vit.toy, decoder: mae.decoderToy }))));
  approve("notebook/models", lines);
});

test("tables of records, of Arrow, lists of images, texts", async () => {
  const records = [
    { model: "ViT <b>", "top-1 (%)": 72.5, images: 600, lr: 0.002833, ok: true, at: null },
    { model: "LUViT", "top-1 (%)": 60, images: 20, lr: 9.14e-7, ok: false, at: [1, 2] },
  ];
  const long = tableFromArrays({
    step: Int32Array.from({ length: 25 }, (_, i) => i),
    name: Array.from({ length: 25 }, (_, i) => `n${i}`),
  });
  const image = { width: 4, height: 2, data: Uint8Array.from({ length: 24 }, (_, i) => 10 * i) };
  const svg = {
    [Symbol.for("Jupyter.display")]: () => ({ "image/svg+xml": "<svg/>", "text/plain": "an <svg>" }),
  };
  const values: Record<string, unknown> = {
    ...{
      records,
      columns: table(records, { columns: ["images", "model"] }),
      long,
      image,
      images: [image, svg],
    },
    ...{
      text: "a <b>",
      number: 3,
      nothing: undefined,
      html: html`<i>${1}</i>`,
      markdown: md`$\frac{a}{b}$`,
      list: [1, 2],
      empty: [],
    },
    jpeg: Uint8Array.of(0xff, 0xd8, 1),
    png: { png: Uint8Array.of(0x89, 0x50, 0x4e, 1), alt: "what" },
    bytes: Uint8Array.of(1, 2, 3),
  };
  const lines: string[] = [];
  for (const [name, value] of Object.entries(values)) lines.push(`== ${name}`, ...(await bundleLines(value)));
  lines.push("== alone", ...Object.keys(await mimeBundleOf([image])));
  approve("notebook/values", lines);
});

test("a run and its display, from the first step to the last", async () => {
  mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  try {
    const history: Record<string, number>[] = [];
    const run = {
      name: "pretrain <1>",
      totalSteps: 40,
      epochs: 4,
      history,
      done: Promise.resolve(),
      state: "running",
      engine: "onnxruntime cpu",
      notes: ["a note"],
      report: { count: 0 },
      onRecord: () => () => {},
    };
    const view = new LiveRunView(run as never);
    const lines: string[] = [];
    const say = async (name: string) =>
      lines.push(
        `== ${name}`,
        ...(await shownLines(view.html())),
        ...(await shownLines(view.text())),
        String(view.share()),
      );
    await say("start");
    for (let step = 1; step <= 25; step++) {
      mock.timers.tick(250);
      const loss = step === 7 ? 90 : 2 / step + 0.5;
      view.add({
        step,
        epoch: (step - 1) / 10,
        loss,
        lr: 1e-4 * step,
        imagesPerSecond: 64.1234,
        ...(step % 10 === 0 ? { top1: step } : {}),
      });
      if (step === 1 || step === 3) await say(`step ${step}`);
    }
    await say("step 25");
    view.add({ step: 20, epoch: 1.9, loss: 0.25, lr: 1e-3, imagesPerSecond: 1234.5 });
    await say("made again");
    mock.timers.tick(3_600_000);
    view.end("failed", new Error("out of memory\nat line 1"));
    await say("failed");
    Object.assign(run, {
      report: { count: 2, toString: () => "2 images could not be read:\n a.png" },
      engine: undefined,
    });
    const other = new LiveRunView({
      ...run,
      state: "done",
      epochs: undefined,
      totalSteps: 0,
      history: [{ step: 1, epoch: 0, loss: 1, lr: 1, imagesPerSecond: 1, top1: 50 }],
    } as never);
    lines.push(
      "== one epoch",
      ...(await shownLines(other.html())),
      ...(await shownLines(other.text())),
      String(other.share()),
    );
    approve("notebook/liveRun", lines);
  } finally {
    mock.timers.reset();
  }
});

test("a suite of evaluations: sets that wait, run and are done, counted and estimated", async () => {
  mock.timers.enable({ apis: ["Date"], now: 5_000_000 });
  try {
    const part = (key: string, state: string, total: number | undefined, done: number, kept = 0) => ({
      key,
      data: key.split("/")[0],
      state,
      total,
      done,
      kept,
    });
    const suite = {
      name: "suite",
      parts: [part("in1k", "waiting", undefined, 0)],
      metrics: [] as object[],
      state: "running",
      engine: undefined as string | undefined,
      done: Promise.resolve(),
      onProgress: () => () => {},
    };
    const view = new LiveSuiteView(suite as never);
    const lines: string[] = [];
    const say = async (name: string) =>
      lines.push(
        `== ${name}`,
        ...(await shownLines(view.html())),
        ...(await shownLines(view.text())),
        String(view.share()),
      );
    await say("opening");
    mock.timers.tick(2000);
    suite.engine = "onnxruntime";
    for (let done = 20; done <= 100; done += 20) {
      mock.timers.tick(500);
      suite.parts = [
        part("in1k", "done", 50, 50, 10),
        part("c/fog/1", "running", 200, done),
        part("c/fog/2", "waiting", undefined, 0),
        part("r", "waiting", undefined, 0),
      ];
      view.progressed();
    }
    suite.metrics = [
      { data: "in1k", metric: "top1", value: 72.46, images: 50, paper: { ViT: 83.2, LUViT: 84 } },
      { data: "c", metric: "mCE", value: 51, images: 1, paper: {} },
    ];
    await say("running");
    suite.parts = suite.parts.map((one) => ({
      ...one,
      state: "done",
      total: one.total ?? 200,
      done: one.total ?? 200,
    }));
    Object.assign(suite, { state: "failed" });
    view.end("a text");
    await say("failed");
    approve("notebook/liveSuite", lines);
  } finally {
    mock.timers.reset();
  }
});

test("bars of progress: of items, of bytes, of nobody knows how many, stopped and failed", () => {
  let now = 0;
  const lines: string[] = [];
  const bar = (
    counted: ConstructorParameters<typeof ProgressBar>[0],
    steps: number[],
    milliseconds: number,
  ) => {
    const made = new ProgressBar(counted, () => now);
    const say = () => lines.push(`${made.text()} | ${made.share()}`);
    say();
    for (const count of steps) {
      now += milliseconds;
      made.reach(count);
      say();
    }
    return { made, say };
  };
  const items = bar({ label: "images", total: 10 }, [1, 2, 3, 4, 12], 400);
  items.made.end("done");
  items.say();
  const bytes = bar({ label: "file", total: 9e6, kept: 3e6, unit: "bytes" }, [4e6, 5e6, 6e6, 7e6], 1000);
  bytes.made.end("stopped");
  now += 5000;
  bytes.say();
  const slow = bar({ label: "slow", total: undefined }, [1, 2, 3], 7000);
  slow.made.end("failed", new Error("gone\nsecond line"));
  slow.say();
  const stopped = bar({ label: "none", total: 0 }, [], 1);
  stopped.made.end("stopped", "by hand");
  stopped.say();
  lines.push(...progressHtml([items.made, bytes.made, slow.made]).replace(/></g, ">\n<").split("\n"));
  approve("notebook/progress", lines);
});

test("a page of a notebook: words, code, outputs, how its cells ended", async () => {
  const code = (source: string, outputs: object[] = [], metadata = {}) => ({
    id: "c",
    cell_type: "code",
    source,
    outputs,
    metadata,
  });
  const text = (source: string, attachments?: object) => ({
    id: "t",
    cell_type: "markdown",
    source,
    metadata: {},
    attachments,
  });
  const display = (data: object) => ({ output_type: "display_data", data, metadata: {} });
  const outputs = [
    { output_type: "stream", name: "stdout", text: `\u001b[31mred\u001b[0m & <b>\r\n${"line\n".repeat(41)}` },
    { output_type: "stream", name: "stderr", text: "warned\n" },
    { output_type: "error", ename: "E", evalue: "v", traceback: ["E: v", "  at <x>"] },
    ...[
      { "text/html": "<i>h</i>", "text/plain": "h" },
      { "image/svg+xml": "<svg/>", "text/plain": "s" },
      { "image/png": "AAAA", "text/plain": "p" },
    ].map(display),
    ...[
      { "image/gif": "not base64!", "text/plain": "g" },
      { "text/markdown": "**m**" },
      { "text/latex": "$x$" },
      { "application/x": 1 },
    ].map(display),
  ];
  const cells = [
    text("# A *title* #\nbelow\n"),
    text("## One\n## Two & more\n### Deep\n## Three\n![a](attachment:a.png) $x^2$", {
      "a.png": { "image/png": "AAAA" },
    }),
    code(
      "// counts\nconst x: number = 0x1f + 2.5e3; // words\nclass A extends B { f() { return `t` + \"s\" + 'q' + null; } }",
      outputs,
    ),
    code(""),
    code("await f()"),
    code("never()"),
    { id: "r", cell_type: "raw", source: "<raw>", metadata: {} },
  ];
  const report = (index: number, status: string) => ({ index, title: "t", status, seconds: 1.5 * index });
  const page = (statuses: string[]) =>
    renderPage({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 } as never, {
      title: "file",
      startedAt: new Date(0),
      seconds: 75,
      cells: statuses.map((status, i) => report(i + 1, status)) as never,
    })
      .replace(/<style>[\s\S]*?<\/style>/, "<style>…</style>")
      .replace(/Node [^<]*/, "Node …");
  const heads = [
    ["ok", "ok", "ok", "interrupted"],
    ["ok", "ok", "failed", "not run"],
    ["ok", "ok", "not run"],
  ].map((statuses) => /<header>[\s\S]*<\/header>/.exec(page(statuses))![0]);
  const plain = renderPage({ cells: [code("1"), text("# late")], metadata: {} } as never, {
    title: "a <file>",
    startedAt: new Date(0),
    seconds: 0,
    cells: [],
  }).split("<body>")[1];
  const titles = cells.map((cell) => cellTitle({ cells } as never, cell as never));
  approve("notebook/page", [
    ...page(["ok", "ok", "ok", "ok"]).split("\n"),
    ...heads.join("\n").split("\n"),
    ...plain.replace(/Node [^<]*/, "Node …").split("\n"),
    ...titles,
  ]);
});

test("markdown: GitHub's dialect, formulas, code, what must not run", () => {
  const sources = [
    "a **b** _c_ ~~d~~ `code $x$`\n\n- [ ] todo\n- [x] done\n\n| a | b |\n|---|:-:|\n| 1 | 2 |",
    "```ts\nconst a = 1; // one\n```\n```python\na = 1 < 2\n```",
    "costs $5 and $6, $a_1$ and $$\\frac{a}{b}$$ and $ no $ and \\$x$",
    '[a](https://e.com \'tip\') [b](javascript:alert(1)) ![c](data:image/svg+xml;base64,AA) ![d](x.png) <a href="&#106;avascript:1" onclick="x">e</a>',
    "<details open><summary>s</summary><script>alert(1)</script><img src='a.png' alt=\"q\"><!-- gone --></details> 1 < 2",
    "![words with $x$](y.png) \u00011\u0001",
    "# Ärger & <b>Fett</b>\ntext",
    `${"x".repeat(20_001)}`,
    `${"> ".repeat(3)}quote`,
  ];
  approve(
    "notebook/markdown",
    sources.flatMap((source) =>
      [`== ${source.slice(0, 60)}`, ...renderMarkdown(source).trimEnd().slice(0, 3000).split("\n")]
        .join("\n")
        .split("\n"),
    ),
  );
});

test("lines of a run of cells, on a terminal and in a file", () => {
  mock.timers.enable({ apis: ["Date"], now: 9_000_000 });
  try {
    const lines: string[] = [];
    for (const isTTY of [true, false]) {
      const terminal = new RunTerminal(
        { isTTY, columns: isTTY ? 40 : undefined, write: (text: string) => lines.push(JSON.stringify(text)) },
        12,
      );
      terminal.say("\u001b[1mhead\u001b[0m");
      terminal.startCell(3, "a title\u0007 of a cell");
      for (const wait of [50, 60, 9_000, 1_000, 99, 100]) {
        mock.timers.tick(wait);
        terminal.note(`  said after ${wait}, which is longer than the line \u001b[31mred\u001b[0m  `);
      }
      terminal.endCell("ok", 75);
      terminal.endCell("failed", 0.5);
    }
    assert.ok(lines.length > 8);
    approve("notebook/terminal", lines);
  } finally {
    mock.timers.reset();
  }
});
