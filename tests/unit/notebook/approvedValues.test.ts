import { before, describe, it } from "node:test";
import { inspect } from "node:util";
import { Table as ArrowTable, Int32, vectorFromArray } from "apache-arrow";
import { Rng } from "../../../src/core/rng";
import { startBackend, TfjsStatus, tf } from "../../../src/core/tf";
import { EngineStatus } from "../../../src/engine";
import type { RgbImage } from "../../../src/figures/image";
import { Linear, Module, Parameter } from "../../../src/nn";
import { html, jupyterDisplay, md, show, Table, table } from "../../../src/notebook";
import { foreignBundle } from "../../../src/notebook/foreign";
import { metadataOf, mimeBundleOf, richBundleOf } from "../../../src/notebook/mime";
import { modelBundle } from "../../../src/notebook/modelDisplay";
import { modelTree } from "../../../src/notebook/modelTree";
import type { MimeBundle } from "../../../src/notebook/nbformat";
import { columnFormats, columnTitle } from "../../../src/notebook/numberColumns";
import { isPendingDisplay } from "../../../src/notebook/pending";
import { readyBundle } from "../../../src/notebook/readyDisplay";
import * as recognized from "../../../src/notebook/recognized";
import { RichText } from "../../../src/notebook/show";
import { tensorBundle } from "../../../src/notebook/tensorDisplay";
import { tensorImages } from "../../../src/notebook/tensorImages";
import { tensorStats } from "../../../src/notebook/tensorStats";
import { isWritten, tensorView } from "../../../src/notebook/tensorViews";
import { captureDisplays } from "../../../src/notebook/tslab";
import { Calls } from "../../support/calls";

/** Images in a text as their types, and drawings as their elements. */
const plain = (text: unknown) =>
  typeof text === "string"
    ? text
        .replace(/data:image\/svg\+xml;base64,([\w+/=]+)/g, (_, code) =>
          Buffer.from(code, "base64").toString(),
        )
        .replace(/\{ \[?Symbol\(Jupyter\.display\)\]?: [^}]*\}/g, "{ its own display }")
        .replace(/data:(image\/\w+);base64,[\w+/=]{100,}/g, "<$1>")
    : text;
const plainBundle = (bundle: MimeBundle) =>
  Object.fromEntries(
    Object.entries(bundle).map(([mime, content]) => [
      mime,
      mime === "image/png" && String(content).length > 50
        ? "…"
        : mime.startsWith("application/vnd.plotly")
          ? "…"
          : plain(content),
    ]),
  );

class Block extends Module {
  readonly norm = new Parameter([4], (values) => values.fill(1), 1);
  readonly mlp = new Linear(4, 3, new Rng(1), { bias: false });
}
class Model extends Module {
  readonly cls = new Parameter([1, 4], (values) => values.fill(0.5), 2);
  readonly blocks = [new Block(), new Block(), new Block()];
  readonly mixed = [new Linear(2, 2, new Rng(1)), new Linear(2, 3, new Rng(2))];
  constructor() {
    super();
    this.blocks[2].norm.trainable = false;
    this.cls.trainable = false;
  }
}
class Empty extends Module {}

/** Digits one by one, so that their number counts and not only their value. */
const digits = (text: string) => text.replace(/\d/g, "$&_");

describe("of values in a notebook", () => {
  before(() => startBackend({ backend: "cpu" }));

  it("what tables show is approved", async () => {
    const calls = new Calls();
    const both = async (name: string, made: () => Table) => {
      await calls.does(name, () => digits(String(made())).split("\n"));
      await calls.does("  html", () => made().toHtml().replaceAll("><", ">\n<").split("\n"));
    };
    await both("numbers and texts", () =>
      table([
        { model: "A", top1: 83.62, n: 5 },
        { model: "B & <C>", top1: null, n: 12345 },
        { model: "D", top1: 7, more: [1, { a: 1 }] },
      ]),
    );
    await both("long texts and four columns", () =>
      table([{ a: "thirteen long", b: 1, c: true, d: undefined }]),
    );
    await both("three columns, texts of twelve letters", () => table([{ a: "twelve lett.", b: 1, c: "x" }]));
    await both("chosen columns", () => table([{ a: 1, b: 2 }, { a: 3 }], { columns: ["b", "none"] }));
    await both("a limit", () => table([{ a: 1 }, { a: 22 }, { a: 3.5 }, { a: 4 }], { limit: 2 }));
    await both("none", () => table([]));
    for (const count of [16, 17, 202])
      await calls.does(`${count} rows`, () => {
        const made = table(Array.from({ length: count }, (_, i) => ({ i })));
        return [String(made).split("\n").length, made.toHtml().slice(0, 420), made.toHtml().slice(-120)];
      });
    await calls.does("as a value", () => {
      const made = table([{ a: 1 }]);
      return [
        inspect(made),
        Object.keys(
          made[jupyterDisplay as never]
            ? (made as never as Record<symbol, () => object>)[jupyterDisplay]()
            : {},
        ),
        made.columns,
        made.records,
        new Table([{ lr: 1 }], {}, (name) => `<${name}>`).toString(),
      ];
    });
    for (const options of [
      { columns: [] },
      { limit: 0 },
      { limit: 1.5 },
      { limit: 100_001 },
      { columns: "a" },
      { rows: 1 },
      { columns: [5] },
    ])
      await calls.does(`table ${JSON.stringify(options)}`, () => table([], options as never));
    await calls.does("table of none", () => table("x" as never));
    calls.title("titles and formats");
    const names = [
      "lr",
      "top1",
      "top5",
      "boxAP",
      "maskAP",
      "squareMIoU",
      "imagesPerSecond",
      "mixedSame",
      "mixedRand",
      "backgroundGap",
      "percentBackgroundGreater",
      "original",
      "meanLoss",
      "Epoch",
      "a_b",
      "x",
      "constructor",
      "top1Accuracy",
    ];
    for (const name of names) await calls.of(columnTitle, name);
    await calls.of(columnTitle, "original", ["mixedSame", "original"]);
    const columns: [string, number[]][] = [
      ["whole", [1, 20000, -3]],
      ["decimals", [1.5, 2.25, 100]],
      ["small", [0.00123, 0.5]],
      ["tiny", [1e-5, 2e-4]],
      ["huge", [1e9, 1.5]],
      ["long", [12345.678, 0.0001]],
      ["with zero", [0, 0.125]],
      ["not finite", [Number.NaN, 1.25, Number.POSITIVE_INFINITY]],
      ["negative", [-0.5, -12.25]],
      ["learning rate", [0.001, 2.5e-5]],
      ["none", []],
      ["many digits", [0.123456, 0.2]],
      ["1e-3", [0.001, 0.0005]],
      ["below", [0.00099, 0.0005]],
    ];
    for (const [head, values] of columns)
      await calls.does(`${head} ${values}`, () => {
        const [format] = columnFormats([head], [values]);
        return [...values, 0].map((value) => digits(format(value)));
      });
    await calls.does("of one unit", () => {
      const formats = columnFormats(["a (%)", "b (points)", "c (s)", "d"], [[1.25], [10], [10.5], [3]]);
      return formats.map((format) => digits(format(7)));
    });
    calls.title("arrow");
    const arrow = (count: number) =>
      new ArrowTable({
        n: vectorFromArray(
          Array.from({ length: count }, (_, i) => i),
          new Int32(),
        ),
        label: vectorFromArray(Array.from({ length: count }, (_, i) => (i % 2 ? null : `<${i}>`))),
      });
    for (const count of [0, 2, 20, 22, 1234])
      await calls.does(`${count} rows`, async () => {
        const bundle = await mimeBundleOf(arrow(count));
        return [
          String(bundle["text/plain"]).split("\n").slice(0, 4),
          String(bundle["text/plain"]).slice(-40),
          String(bundle["text/html"]).slice(0, 120),
          String(bundle["text/html"]).slice(-80),
        ];
      });
    calls.approve("notebook/tables");
  });

  it("what models and tensors show is approved", async () => {
    const calls = new Calls();
    const model = new Model();
    await calls.does("modelTree", () => modelTree(model));
    await calls.does("modelBundle", () =>
      Object.entries(modelBundle(model)).map(([mime, content]) => [
        mime,
        ...String(content).replaceAll("><", ">\n<").split("\n"),
      ]),
    );
    await calls.does("an empty model", () => modelBundle(new Empty()));
    await calls.does("a block", () => modelBundle(new Block())["text/plain"]);
    calls.title("statistics");
    for (const values of [
      [],
      [5],
      [1, 2, 3, 4],
      [0, 0, -0],
      [Number.NaN],
      [Number.NaN, Number.POSITIVE_INFINITY, 2, -6],
      [Number.NEGATIVE_INFINITY],
      [1e30, -1e30],
    ])
      await calls.of(tensorStats, values);
    await calls.does("of many", () =>
      tensorStats(Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i))),
    );
    calls.title("views");
    for (const [shape, size] of [
      [[64], 64],
      [[65], 65],
      [[4, 16], 64],
      [[3, 17], 51],
      [[2, 2, 2], 8],
      [[], 1],
      [[1, 64], 64],
    ] as [number[], number][])
      await calls.does(`isWritten ${shape}`, () => isWritten(shape, Array(size).fill(1)));
    const view = (shape: number[], values: ArrayLike<number>) =>
      calls.does(`view of [${shape}]`, async () =>
        String(plain(await tensorView(shape, values, tensorStats(values)))).replace(
          /src="<image\/png>"/g,
          "src",
        ),
      );
    const ramp = (count: number, scale = 1, from = 0) =>
      Float32Array.from({ length: count }, (_, i) => from + (scale * i) / count);
    await view([3], [1, -2.34567, Number.NaN]);
    await view([2, 3], [1, 2, 3, 4, 5, Number.NEGATIVE_INFINITY]);
    await view([], [7]);
    await view([20, 30], ramp(600, -4));
    await view([100, 3], ramp(300));
    await view([2, 500], ramp(1000));
    await view([1, 100], ramp(100));
    await view([100], ramp(100));
    await view([9, 9], ramp(81));
    await view([2, 40], ramp(80));
    const vast = { ...tensorStats([0, 1]), count: 2 ** 22 + 2048 };
    await calls.does("view of more than four million", () =>
      tensorView([2049, 2048], { length: vast.count }, vast),
    );
    await view([1000, 2000], new Float32Array(2_000_000));
    await view([5, 5, 5], ramp(125));
    for (const [shape, scale, from] of [
      [[3, 8, 9], 1, 0],
      [[8, 9, 3], 255, 0],
      [[2, 3, 8, 8], 4, -2],
      [[5, 8, 8, 3], 4, -2.3],
      [[9, 3, 8, 8], 500, 0],
      [[4, 3, 8, 8], 1, 0],
      [[8, 3, 8, 8], 1, 0],
      [[3, 7, 8], 1, 0],
      [[7, 8, 3], 1, 0],
      [[0, 3, 8, 8], 1, 0],
      [[3, 8, 8], 1.5, 0],
      [[3, 8, 8], 2.5, 0],
      [[4, 8, 8], 1, 0],
    ] as [number[], number, number][]) {
      const values = ramp(
        shape.reduce((a, b) => a * b, 1),
        scale,
        from,
      );
      await calls.does(`tensorImages [${shape}] from ${from} over ${scale}`, async () => {
        const figure = await tensorImages(shape, values, tensorStats(values));
        return figure && [figure.alt, figure.width, figure.height];
      });
    }
    calls.title("tensors");
    const bundle = (name: string, value: () => never) =>
      calls.does(name, async () => plainBundle(await tensorBundle(value())));
    await bundle(
      "small",
      () =>
        tf.tidy(() =>
          tf.tensor2d([
            [1, 0],
            [-2.5, Number.NaN],
          ]),
        ) as never,
    );
    await bundle("of whole numbers", () => tf.tensor1d([1, 2, 3], "int32") as never);
    await bundle("long", () => ({ shape: [100], data: ramp(100) }) as never);
    await bundle("all alike", () => ({ shape: [70], data: new Float32Array(70), dtype: "BF16" }) as never);
    await bundle(
      "infinite",
      () => ({ shape: [300], data: ramp(300).fill(Number.POSITIVE_INFINITY, 0, 5), dtype: "F32" }) as never,
    );
    await bundle("a parameter", () => model.cls as never);
    await bundle("a parameter that is trained", () => model.blocks[0].norm as never);
    await bundle("large", () => ({ shape: [300_000], data: new Float32Array(300_000).fill(3) }) as never);
    await calls.does("of a tensor that is disposed of at once", async () => {
      const short = tf.tensor([1, 2]);
      const bundle = tensorBundle(short);
      short.dispose();
      return (await bundle)["text/plain"];
    });
    await calls.does("by any kernel", async () => {
      const display = (value: object) => (value as Record<symbol, () => unknown>)[jupyterDisplay]();
      const gone = tf.tensor([1]);
      gone.dispose();
      const text = tf.tensor(["x"]);
      const found = [
        await display(tf.tensor([1, 2])),
        display(gone),
        display(text),
        await display(model.cls),
        Object.keys((await display(model)) as object),
      ];
      return found.map((one) =>
        Array.isArray(one) || one === undefined ? one : (one as MimeBundle)["text/plain"],
      );
    });
    calls.approve("notebook/tensors");
  });

  it("what values are taken for, and how they are shown, is approved", async () => {
    const calls = new Calls();
    const image: RgbImage = { width: 2, height: 1, data: Uint8ClampedArray.of(1, 2, 3, 4, 5, 6) };
    const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 1, 2]);
    class Canvas {
      constructor(readonly url: unknown) {}
      toDataURL() {
        return this.url;
      }
    }
    class Element {
      constructor(readonly markup: string) {}
      get outerHTML() {
        return this.markup;
      }
    }
    class Chart {
      constructor(readonly schema: unknown) {}
      toSpec() {
        return { $schema: this.schema, mark: "bar" };
      }
    }
    const own = (bundle: unknown) => ({ [jupyterDisplay]: () => bundle });
    const values: Record<string, unknown> = {
      undefined: undefined,
      null: null,
      five: 5,
      text: "a\nb <c>",
      list: [1, "x"],
      object: { a: 1 },
      "a function": () => 1,
      symbol: Symbol("s"),
      image,
      "an image of a wrong size": { ...image, height: 2 },
      "bytes of a PNG": png,
      "bytes of a JPEG": Uint8Array.from([0xff, 0xd8, 1]),
      "other bytes": Uint8Array.of(1, 2, 3),
      "no bytes": new Uint8Array(),
      "an object with a png": { png, alt: "a cat" },
      "and without words": { png },
      "a png that is none": { png: "x" },
      "its own bundle": own({ "text/html": "<b>", "image/png": png }),
      "its own, later": own(Promise.resolve({ "text/plain": "p" })),
      "its own that is none": own(5),
      "its own that is null": own(null),
      "no method": { [jupyterDisplay]: 5 },
      "a function with one": Object.assign(() => 1, {
        [jupyterDisplay]: () => ({ "text/plain": "of a function" }),
      }),
      "a canvas": new Canvas("data:image/png;base64,aGk="),
      "a canvas of text": new Canvas("data:text/plain;base64,aGk="),
      "an empty canvas": new Canvas("data:,"),
      "an element": new Element("<p>x</p>"),
      "a drawing": new Element(" <svg viewBox='0'/>"),
      "data with HTML": { outerHTML: "<b>" },
      "an element with HTML of its own": Object.defineProperty(new Element("<p>x</p>"), "outerHTML", {
        value: "<b>",
      }),
      "a chart": new Chart("https://vega.github.io/schema/vega-lite/v5.json"),
      "a Vega chart": new Chart("https://vega.github.io/schema/vega/v5.1.json"),
      "another chart": new Chart(undefined),
      records: [{ a: 1 }, { a: 2 }],
      "records and others": [{ a: 1 }, 5],
      images: [own({ "text/html": "<i>1</i>", "text/plain": "<one>" }), { png }],
      "an image later": [
        own(Promise.resolve({ "image/svg+xml": "<svg/>", "text/plain": "d" })),
        own({ "text/plain": "only text" }),
        own({ "image/gif": "aGk=" }),
        own({ "text/latex": "$x$", "text/plain": "l" }),
        own({ "a/b": 1 }),
      ],
      "images and others": [{ png }, 5],
      "an empty list": [],
      "records with bytes": [{ data: new Uint8Array(1) }],
      "records of figures": [{ data: [], layout: {} }],
    };
    for (const [name, value] of Object.entries(values)) {
      calls.title(name);
      calls.note(
        "recognized",
        Object.entries(recognized)
          .filter(([, is]) => is(value))
          .map(([is]) => is),
      );
      if (name !== "image") {
        await calls.does("mimeBundleOf", async () => plainBundle(await mimeBundleOf(value)));
        await calls.does("richBundleOf", async () => plainBundle(await richBundleOf(value)));
        await calls.does("foreignBundle", () => foreignBundle(value));
      } else await calls.does("mimeBundleOf", async () => Object.keys(await mimeBundleOf(value)));
    }
    for (const value of [
      { numRows: 1, schema: { fields: [] }, get: () => null },
      { numRows: 1, schema: {}, get: () => null },
      { numRows: "1", schema: { fields: [] }, get: () => null },
      { shape: [1], data: new Float32Array(1) },
      { shape: [1], data: [1] },
      [Object.create(null)],
      [new Date(0)],
      [{ [jupyterDisplay]: 1 }],
    ])
      calls.note(
        "recognized",
        Object.entries(recognized)
          .filter(([, is]) => is(value))
          .map(([is]) => is),
      );
    const plotly = "application/vnd.plotly.v1+json";
    for (const bundle of [
      {},
      { [plotly]: { layout: { width: 5, height: 6 } }, "image/png": "x" },
      { [plotly]: { layout: { width: 5, height: 6 } } },
      { "image/png": "x" },
    ])
      await calls.of(metadataOf, bundle);
    calls.title("texts");
    await calls.does("md", () => [
      md`a ${1} \frac`,
      md("b"),
      inspect(md`c`),
      (md`d` as never as Record<symbol, () => unknown>)[jupyterDisplay](),
    ]);
    await calls.does("html", () => [html`<b>${"<i>"}</b>\n`, html("b"), new RichText("text/html", "x")]);
    for (const wrong of [5, undefined, {}]) await calls.does(`of ${typeof wrong}`, () => md(wrong as never));
    await calls.does("html of none", () => html(undefined as never));
    calls.title("shown in a notebook");
    const sent: unknown[] = [];
    const restore = captureDisplays(({ data, metadata, transient }, update) =>
      sent.push([
        plainBundle(data),
        metadata,
        transient?.display_id === undefined ? "no id" : "an id",
        update,
      ]),
    );
    const shown = async (name: string, value: unknown) => {
      sent.length = 0;
      const given = show(value);
      calls.note(name, [given, isPendingDisplay(given), [...sent]]);
      await Promise.resolve(given).catch(() => {});
      calls.note("  later", sent);
    };
    await shown("a text", "x");
    await shown("records", [{ a: 1 }]);
    await shown("a promise", Promise.resolve(5));
    await shown("its own, later", own(Promise.resolve({ "text/plain": "p" })));
    await shown("a promise that fails", Promise.reject(new Error("no")));
    restore();
    calls.title("ready");
    const cells = new TfjsStatus("wasm", "a <CPU>", []);
    const engine = { engine: "onnxruntime", device: "cpu", threads: 2, precision: "float32" } as const;
    await calls.of(readyBundle, new EngineStatus(engine, cells, ["tfjs <x> not used"], "1.2.3"));
    await calls.of(
      readyBundle,
      new EngineStatus({ ...engine, engine: "eager" }, cells, [], "1.2.3", "worker 2 of 4"),
    );
    await calls.does("by any kernel", async () =>
      Object.keys(await mimeBundleOf(new EngineStatus(engine, cells, [], "1"))),
    );
    calls.approve("notebook/values");
  });
});
