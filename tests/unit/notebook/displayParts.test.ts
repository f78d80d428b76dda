import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { inspect } from "node:util";
import { tableFromArrays } from "apache-arrow";
import sharp from "sharp";
import { startBackend, tf } from "../../../src/core/tf";
import { colormap, figure, ImageFigure } from "../../../src/figures";
import { classifier, vit } from "../../../src/models";
import { html, md, show, table } from "../../../src/notebook";
import { foreignBundle } from "../../../src/notebook/foreign";
import { metadataOf, mimeBundleOf, richBundleOf } from "../../../src/notebook/mime";
import { modelTree } from "../../../src/notebook/modelTree";
import { isPendingDisplay } from "../../../src/notebook/pending";
import { isArrowTable, isHostTensor, isRecords, isRgbImage } from "../../../src/notebook/recognized";
import { tensorImages } from "../../../src/notebook/tensorImages";
import { tensorStats } from "../../../src/notebook/tensorStats";
import { isWritten, tensorView } from "../../../src/notebook/tensorViews";
import { captureDisplays } from "../../../src/notebook/tslab";

before(() => startBackend());

const host = (shape: number[], data: ArrayLike<number>, more: object = {}) => ({ shape, data: Float32Array.from(data), ...more }); // biome-ignore format: one line
const bundleOf = async (value: unknown) => (await mimeBundleOf(value)) as Record<string, string>;
const view = (shape: readonly number[], values: ArrayLike<number>) =>
  tensorView(shape, values, tensorStats(values));
const pixels = async (url: string) => {
  const { data, info } = await sharp(Buffer.from(url.split(",")[1]!, "base64")).removeAlpha().raw().toBuffer({ resolveWithObject: true }); // biome-ignore format: one line
  return {
    ...info,
    at: (x: number, y: number) => [...data.subarray(3 * (info.width * y + x)).subarray(0, 3)],
  };
};

describe("the numbers of a tensor", () => {
  it("are written with four digits, small ones too, in rows as the tensor has them", async () => {
    const written = async (values: number[], shape = [values.length]) => [...(await view(shape, values)).matchAll(/<span[^>]*>([^<]*)</g)].map(([, text]) => text); // biome-ignore format: one line
    assert.deepEqual(await written([0.00001, -0.0123456, 1234.5678, 3, -0.5, 0]), ["1.00e−5", "−0.01235", "1,235", "3", "−0.5", "0"]); // biome-ignore format: one line
    assert.match(await view([2, 3], [1, 2, 3, 4, 5, 6]), /repeat\(3,max-content\)/);
    assert.match(await view([20], Array(20).fill(1)), /repeat\(16,max-content\)/);
    assert.match(await view([5], Array(5).fill(1)), /repeat\(5,max-content\)/);
    const [one, none] = [...(await view([2], [1, Number.NaN])).matchAll(/<span style="([^"]*)"/g)].map(
      ([, style]) => style!,
    );
    assert.ok(!one!.includes("#d0404f") && none!.includes("#d0404f"));
  });

  it("are written where there are 64 at most, in 16 columns at most", () => {
    const is = (...shape: number[]) => isWritten(shape, { length: shape.reduce((a, b) => a * b, 1) });
    assert.deepEqual([is(), is(64), is(8, 8), is(4, 16), is(0)], [true, true, true, true, true]);
    assert.deepEqual([is(65), is(3, 17), is(1, 17), is(2, 2, 2)], [false, false, false, false]);
  });

  it("of a matrix are a map from dark to bright, row by row, grown to be seen", async () => {
    const [rows, columns] = [5, 20];
    const values = Array.from({ length: 100 }, (_, i) => i / 3);
    const shown = await view([rows, columns], values);
    const map = await pixels(/src="([^"]+)"/.exec(shown)![1]!);
    assert.deepEqual([map.width, map.height], [320, 80], "sixteen pixels a number at most");
    for (const [row, column] of [
      [0, 0],
      [0, 19],
      [3, 7],
      [4, 19],
    ] as const)
      assert.deepEqual(
        map.at(16 * column + 8, 16 * row + 8),
        colormap("viridis", (row * columns + column) / 99),
      );
    assert.match(shown, /dark 0, bright 33</);
    assert.match(shown, /width:320px;height:80px/);
    const wide = await view(
      [2, 3600],
      Array.from({ length: 7200 }, (_, i) => i),
    );
    assert.match(wide, /width:360px;height:12px/);
    assert.equal(await view([1, 100], Array(100).fill(1)), "");
    assert.equal(await view([100, 1], Array(100).fill(1)), "");
    assert.equal(await view([2, 5, 10], Array(100).fill(1)), "");
  });

  it("of images are images: channels first or last, eight at most, on the scale that fits their range", async () => {
    const size = 64;
    const first = async (low: number, high: number, shape = [3, 8, 8]) => {
      const values = Float32Array.from(
        { length: 3 * size },
        (_, i) => low + ((high - low) * i) / (3 * size - 1),
      );
      return { values, shown: await tensorImages(shape, values, { min: low, max: high }) };
    };
    const corner = async ({ shown }: { shown: ImageFigure | undefined }) =>
      (await pixels(`,${Buffer.from(shown!.png).toString("base64")}`)).at(2, 2);
    for (const [low, high, words, byte] of [
      [0, 1, "as 0 to 1", (value: number) => 255 * value],
      [0, 255, "as 0 to 255", (value: number) => value],
      [0, 2.01, "as 0 to 255", (value: number) => value],
      [
        -2.2,
        2.7,
        "ImageNet's mean and deviation put back",
        (value: number, c: number) => 255 * (value * [0.229, 0.224, 0.225][c]! + [0.485, 0.456, 0.406][c]!),
      ],
      [
        0,
        2,
        "ImageNet's mean and deviation put back",
        (value: number, c: number) => 255 * (value * [0.229, 0.224, 0.225][c]! + [0.485, 0.456, 0.406][c]!),
      ],
      [0, 256, "stretched from least to greatest", (value: number) => (255 * value) / 256],
      [-3, 1, "stretched from least to greatest", (value: number) => (255 * (value + 3)) / 4],
    ] as const) {
      const made = await first(low, high);
      assert.equal(made.shown!.alt, words, `${low} to ${high}`);
      const expected = [0, 1, 2].map((c) =>
        Math.min(255, Math.max(0, Math.round(byte(made.values[c * size]!, c)))),
      );
      const got = await corner(made);
      assert.ok(
        got.every((channel, c) => Math.abs(channel - expected[c]!) <= 1),
        `${low} to ${high}: ${got}, ${expected}`,
      );
    }
    const last = await first(0, 255, [8, 8, 3]);
    assert.deepEqual(
      await corner(last),
      [0, 1, 2].map((c) => Math.round(last.values[c]!)),
    );
    assert.equal(last.shown!.width, 160);
    for (const shape of [[3, 7, 8], [3, 8, 7], [7, 8, 3], [8, 7, 3], [4, 8, 8], [0, 3, 8, 8], [8, 8], [1, 1, 3, 8, 8]]) assert.equal(await tensorImages(shape, [], { min: 0, max: 1 }), undefined, `${shape}`); // biome-ignore format: one line
    const many = async (count: number) => {
      const values = Float32Array.from({ length: count * 192 }, (_, i) => Math.floor(i / 192) / 10);
      return (await tensorImages([count, 3, 8, 8], values, { min: 0, max: 1 }))!;
    };
    const [four, five, nine] = [await many(4), await many(5), await many(9)];
    assert.deepEqual([four.width, five.width, five.height > four.height, four.alt, nine.alt], [4 * 112 + 18, 4 * 112 + 18, true, "as 0 to 1", "first 8 of 9, as 0 to 1"]); // biome-ignore format: one line
    const grid = await pixels(`,${Buffer.from(five.png).toString("base64")}`);
    assert.deepEqual([grid.at(2, 2)[0], grid.at(120, 2)[0], grid.at(2, 120)[0]], [0, 26, 102], "each image its own values"); // biome-ignore format: one line
  });
});

describe("what a tensor says of itself", () => {
  it("is its type, shape, size, and where it is from", async () => {
    const said = async (value: unknown) =>
      /<b>([^<]*)<\/b> <span[^>]*>([^<]*)</.exec((await bundleOf(value))["text/html"]!)!.slice(1);
    assert.deepEqual(await said(host([1], [2])), ["float32 [1]", "1 value, 4 bytes"]);
    assert.deepEqual(await said(host([255], Array(255).fill(1))), [
      "float32 [255]",
      "255 values, 1020 bytes",
    ]);
    assert.deepEqual(await said(host([256], Array(256).fill(1))), ["float32 [256]", "256 values, 1 KiB"]);
    assert.deepEqual(await said(host([512, 512], new Float32Array(2 ** 18))), [
      "float32 [512, 512]",
      "262,144 values, 1 MiB",
    ]);
    assert.deepEqual(await said(host([1], [2], { dtype: "BF16" })), [
      "float32 [1]",
      "1 value, 4 bytes, stored as BF16",
    ]);
    assert.deepEqual(await said(host([1], [2], { dtype: "F32" })), ["float32 [1]", "1 value, 4 bytes"]);
    const bool = tf.tensor([true, false, true], [3], "bool");
    assert.deepEqual(await said(bool), ["bool [3]", "3 values, 3 bytes"]);
    const model = classifier.create({ encoder: vit.toy, classes: 2 });
    const parameters = new Map(model.namedParameters());
    assert.match((await said(parameters.get("head.bias")))[1]!, /^2 values, 8 bytes, trainable/);
    model.freeze("head");
    assert.match((await said(parameters.get("head.bias")))[1]!, /^2 values, 8 bytes, frozen/);
  });

  it("is its range and moments, and how much is zero, infinite or no number", async () => {
    const text = async (values: number[]) => (await bundleOf(host([values.length], values)))["text/plain"];
    assert.equal(
      await text([0, 0, 0.5, -1.5]),
      "float32 [4]: min −1.5, mean −0.25, max 0.5, std 0.75, NaN 0, zero 50 %",
    );
    assert.equal(
      await text([1, 2, 3, 0, 5, 6, 7]),
      "float32 [7]: min 0, mean 3.429, max 7, std 2.441, NaN 0, zero 14.3 %",
    );
    assert.match((await text([Number.NEGATIVE_INFINITY, 1, Number.NaN]))!, /NaN 1, infinite 1$/);
    const marked = async (values: number[]) =>
      /background:#d0404f[^>]*><span[^>]*>NaN</.test(
        (await bundleOf(host([values.length], values)))["text/html"]!,
      );
    assert.deepEqual([await marked([1, 2]), await marked([1, Number.NaN])], [false, true]);
  });

  it("has a histogram where numbers are many and differ", async () => {
    const histogram = async (values: number[]) =>
      /<img src="data:image\/svg\+xml;base64,([^"]+)"/.exec(
        (await bundleOf(host([values.length], values)))["text/html"]!,
      )?.[1];
    assert.equal(
      await histogram(
        Array(64)
          .fill(0)
          .map((_, i) => i),
      ),
      undefined,
    );
    assert.equal(await histogram(Array(65).fill(3)), undefined);
    const svg = Buffer.from((await histogram(Array.from({ length: 96 }, (_, i) => (i < 64 ? -1 : (i - 63) / 32 - 1))))!, "base64").toString(); // biome-ignore format: one line
    const bars = [...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g)].map(
      (one) => one.slice(1).map(Number),
    );
    assert.equal(bars.length, 32);
    assert.deepEqual(bars[0], [0, 0, 7, 64], "the first is the highest");
    assert.ok(
      bars.slice(1, 31).every(([, , , height]) => height === 1),
      `${bars.map((one) => one[3])}`,
    );
    assert.deepEqual([bars[31]![0], bars[31]![3]], [248, 2]);
    assert.match(svg, /text-anchor="start">−1<.*text-anchor="end">0</);
  });
});

describe("what a value is taken for", () => {
  it("is told by what it has, and by nothing less", () => {
    const bytes = new Uint8Array(24);
    assert.ok(
      isRgbImage({ data: bytes, width: 4, height: 2 }) &&
        isRgbImage({ data: new Uint8ClampedArray(24), width: 2, height: 4 }),
    );
    for (const other of [null, 3, { data: bytes, width: 4 }, { data: bytes, width: 4, height: 3 }, { data: [...bytes], width: 4, height: 2 }, { data: bytes, width: "4", height: 2 }]) assert.equal(isRgbImage(other), false, inspect(other)); // biome-ignore format: one line
    assert.ok(isHostTensor(host([1], [1])));
    for (const other of [null, { shape: 1, data: new Float32Array(1) }, { shape: [1], data: [1] }, { shape: [1], data: bytes }]) assert.equal(isHostTensor(other), false); // biome-ignore format: one line
    assert.ok(isArrowTable(tableFromArrays({ a: [1] })));
    for (const other of [null, { numRows: 1, schema: { fields: [] } }, { numRows: "1", schema: { fields: [] }, get() {} }, { numRows: 1, schema: {}, get() {} }, { numRows: 1, get() {} }]) assert.equal(isArrowTable(other), false); // biome-ignore format: one line
    assert.ok(isRecords([{ a: 1 }, Object.assign(Object.create(null), { b: 1 })]));
    class Own { a = 1; } // biome-ignore format: one line
    for (const other of [
      [],
      {},
      [{ a: 1 }, 2],
      [null],
      [new Own()],
      [[1]],
      [{ data: [], layout: {} }],
      [{ png: bytes }],
      [{ data: bytes }],
      [{ [Symbol.for("Jupyter.display")]() {} }],
    ])
      assert.equal(isRecords(other), false, inspect(other));
    assert.ok(isRecords([{ data: 1 }, { layout: 2 }]), "fields of these names alone are no figure");
  });

  it("of other libraries is a canvas, an element or a chart; data that says it is HTML is none", () => {
    const canvas = (url: string) => foreignBundle({ toDataURL: () => url });
    assert.deepEqual(canvas("data:image/png;base64,AA=="), { "image/png": "AA==" });
    assert.deepEqual(canvas("data:image/webp;base64,AA"), { "image/webp": "AA" });
    for (const url of ["data:image/svg+xml;base64,AA", "data:image/png;base64,", "data:image/png,AA", "https://a", "xdata:image/png;base64,AA"]) assert.equal(canvas(url), undefined, url); // biome-ignore format: one line
    class Element { constructor(private readonly text: string) {} get outerHTML() { return this.text; } } // biome-ignore format: one line
    class Below extends Element {}
    assert.deepEqual(foreignBundle(new Below("<p>a</p>")), { "text/html": "<p>a</p>" });
    assert.deepEqual(foreignBundle(new Element(" <svg viewBox=''></svg>")), {
      "image/svg+xml": " <svg viewBox=''></svg>",
    });
    assert.deepEqual(foreignBundle(new Element("<svgx>")), { "text/html": "<svgx>" });
    for (const data of [{ outerHTML: "<b>" }, { get outerHTML() { return "<b>"; } }, Object.create({ outerHTML: "<b>" }), null, "x", undefined]) assert.equal(foreignBundle(data), undefined); // biome-ignore format: one line
    const own = Object.defineProperty(new Element("<i>"), "outerHTML", { value: "<b>" });
    assert.equal(foreignBundle(own), undefined, "what an object has of its own is data");
    const chart = (name: string) =>
      foreignBundle({ toSpec: () => ({ $schema: `https://vega.github.io/schema/${name}.json` }) });
    assert.deepEqual(Object.keys(chart("vega-lite/v5.2")!), ["application/vnd.vegalite.v5+json"]);
    assert.deepEqual(Object.keys(chart("vega/v6")!), ["application/vnd.vega.v6+json"]);
    assert.equal(chart("other/v1"), undefined);
    assert.equal(foreignBundle({ toSpec: () => null }), undefined);
  });
});

describe("a bundle", () => {
  it("has the size of a figure's image beside it, where it has both", () => {
    const layout = { width: 3, height: 4 };
    assert.deepEqual(metadataOf({ "application/vnd.plotly.v1+json": { layout }, "image/png": "" }), {
      "image/png": { width: 3, height: 4 },
    });
    for (const other of [{ "application/vnd.plotly.v1+json": { layout } }, { "image/png": "" }, {}])
      assert.deepEqual(metadataOf(other), {});
  });

  it("of a class's own has its text added, bytes as base64, and what it says of its text", async () => {
    const display = Symbol.for("Jupyter.display");
    const of = (bundle: unknown) => bundleOf({ [display]: () => bundle });
    assert.equal((await of({ "a/b": Uint8Array.of(1, 2) }))["a/b"], "AQI=");
    assert.match((await of({ "a/b": 1 }))["text/plain"]!, /Jupyter\.display/);
    assert.deepEqual(await of({ "text/plain": "own", "a/b": { c: 1 } }), {
      "text/plain": "own",
      "a/b": { c: 1 },
    });
    assert.deepEqual(await bundleOf({ png: Uint8Array.of(0x89, 0x50, 0x4e, 9) }), { "text/plain": "image/png, 4 bytes", "image/png": "iVBOCQ==" }); // biome-ignore format: one line
    assert.deepEqual([await bundleOf("a"), await bundleOf(null), await bundleOf([1])], [{ "text/plain": "a" }, { "text/plain": "null" }, { "text/plain": "[ 1 ]" }]); // biome-ignore format: one line
  });

  it("of a list of images has each in its richest form, side by side, named by its text", async () => {
    const display = Symbol.for("Jupyter.display");
    const shown = (bundle: object) => ({ [display]: () => bundle });
    const image = new ImageFigure({
      png: Uint8Array.of(0x89, 0x50, 0x4e, 9),
      width: 1,
      height: 1,
      alt: '"q"',
    });
    const list = (await richBundleOf([
      ...[shown({ "text/plain": "h", "text/html": "<i>h</i>", "image/png": "AA" }), shown({ "text/plain": "s", "image/svg+xml": "<svg/>", "image/png": "AA" })],
      ...[image, shown({ "text/plain": "t <", "a/b": 1 }), shown({ "image/gif": '"x', "text/plain": "g" })],
    ])) as Record<string, string>; // biome-ignore format: a list
    assert.equal(list["text/plain"], 'h\ns\nImage: "q"\nt <\ng');
    const inner = list["text/html"]!.replace(/^<div[^>]*>|<\/div>$/g, "");
    assert.match(
      inner,
      /^<div style="[^"]*"><i>h<\/i><\/div><img src="data:image\/svg\+xml;base64,PHN2Zy8\+" alt="s"><img src="data:image\/png;base64,iVBOCQ==" alt="Image: &quot;q&quot;"><pre>t &lt;<\/pre><img src="data:image\/gif;base64,&quot;x" alt="g">$/,
    );
    assert.ok(!("text/html" in (await richBundleOf([image, 3]))), "a list of other things is a text");
    const drawn = figure([{ type: "scatter", x: [1], y: [1] }], { width: 50, height: 50 }, "one");
    assert.equal(((await richBundleOf([drawn])) as Record<string, string>)["text/plain"], "Figure: one");
    assert.equal(
      ((await richBundleOf([{ a: 1 }])) as Record<string, string>)["text/plain"],
      String(table([{ a: 1 }])),
    );
  });

  it("of an Arrow table has twenty rows, and says so where there are more", async () => {
    const text = async (rows: number) =>
      (await bundleOf(tableFromArrays({ n: Float64Array.from({ length: rows }, (_, i) => i) })))[
        "text/plain"
      ]!.split("\n");
    const [all, more] = [await text(20), await text(22)];
    assert.deepEqual([all[0], all.at(-1), all.length], ["20 rows: n (Float64)", "19", 23]);
    assert.deepEqual(
      [more[0], more.at(-2), more.at(-1)],
      ["22 rows: n (Float64)", "19", "… and 2 more rows"],
    );
  });
});

describe("a model's tree", () => {
  it("adds up what is in it and what of that is trained, to the last parameter", () => {
    const model = classifier.create({ encoder: vit.toy, classes: 6 });
    model.freeze("blocks.0");
    const parameters = [...model.namedParameters()].map(([, one]) => one);
    const sum = (of: typeof parameters) => of.reduce((all, { size }) => all + size, 0);
    const tree = modelTree(model);
    assert.deepEqual(
      [tree.kind, tree.parameters, tree.trainable],
      ["Classifier", sum(parameters), sum(parameters.filter(({ trainable }) => trainable))],
    );
    const check = (node: typeof tree, times: number): number => {
      const folded = /^(\d+) … (\d+)$/.exec(node.name);
      const own = folded ? Number(folded[2]) - Number(folded[1]) + 1 : 1;
      if (node.children.length === 0) assert.match(node.shape, /^\[[\d, ]*\]$/);
      else
        assert.equal(
          own * node.children.reduce((all, child) => all + check(child, times), 0),
          node.parameters,
          node.name,
        );
      return node.parameters;
    };
    check(tree, 1);
    const blocks = JSON.stringify(tree).match(/"name":"(\d+)( … \d+)?"/g)!;
    assert.ok(
      blocks.includes('"name":"0"') && blocks.some((name) => name.startsWith('"name":"1 …')),
      `${blocks}`,
    );
  });
});

describe("showing", () => {
  it("keeps the places of what is drawn later, in the order of the calls, and updates them", async () => {
    const sent: [string, string | undefined, boolean][] = [];
    const restore = captureDisplays(({ data, transient }, update) =>
      sent.push([String(data["text/plain"]), transient?.display_id, update ?? false]),
    );
    try {
      let finish: (value: unknown) => void = () => {};
      const later = show(new Promise((resolve) => { finish = resolve; })); // biome-ignore format: one line
      assert.equal(show("now"), undefined);
      assert.ok(isPendingDisplay(later), "a kernel waits for it");
      finish("late");
      await later;
      const [[, id]] = sent;
      assert.deepEqual(sent, [["…", id, false], ["now", undefined, false], ["late", id, true]]); // biome-ignore format: one line
      assert.ok(id !== undefined && id.length > 8);
      await assert.rejects(show(Promise.reject(new Error("no"))) as Promise<void>, /no/);
    } finally {
      restore();
    }
    assert.deepEqual([inspect(md`a ${1}`), inspect(html`<b>`)], ["a 1", "<b>"]);
  });

  it("goes to the innermost that listens, and back to the one before", () => {
    const heard: string[] = [];
    const outer = captureDisplays(() => heard.push("outer"));
    const inner = captureDisplays(() => heard.push("inner"));
    show("a");
    inner();
    show("b");
    outer();
    assert.deepEqual(heard, ["inner", "outer"]);
  });

  it("of tensors that are gone or are no numbers is their text", async () => {
    const gone = tf.tensor([1]);
    gone.dispose();
    assert.ok(!("text/html" in (await bundleOf(gone))));
    assert.ok(!("text/html" in (await bundleOf(tf.tensor(["a"], [1], "string")))));
  });
});
