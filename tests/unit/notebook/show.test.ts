import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { inspect } from "node:util";
import { ImageFigure, lossCurves } from "../../../src/figures";
import { html, inNotebook, md, show, table } from "../../../src/notebook";
import { highlight } from "../../../src/notebook/highlight";
import { renderMarkdown } from "../../../src/notebook/markdown";
import { overwriteLines } from "../../../src/notebook/outputs";
import { captureDisplays } from "../../../src/notebook/tslab";

const png = Uint8Array.from([137, 80, 78, 71, 13, 10]);

describe("show in a notebook", () => {
  let bundles: Record<string, unknown>[] = [];
  let restore = () => {};

  beforeEach(() => {
    bundles = [];
    restore = captureDisplays((message) => bundles.push(message.data));
  });
  afterEach(() => restore());

  it("honors Jupyter.display on the object, on its prototype and async", async () => {
    const symbol = Symbol.for("Jupyter.display");
    class Model {
      [symbol]() {
        return { "text/markdown": "**model**", "text/plain": "model" };
      }
    }
    show(new Model());
    await show({ [symbol]: async () => ({ "image/png": png }) });
    const image = Buffer.from(png).toString("base64");
    assert.deepEqual(bundles[0], { "text/plain": "model", "text/markdown": "**model**" });
    assert.deepEqual(bundles[1], { "text/plain": "…" });
    assert.equal(bundles[2]!["image/png"], image);
  });

  it("writes out what gives nothing to display, at once or later", async () => {
    const symbol = Symbol.for("Jupyter.display");
    for (const nothing of [null, undefined, 7]) show({ kept: 1, [symbol]: () => nothing });
    await show({ kept: 2, [symbol]: async () => null });
    const texts = bundles.map((bundle) => String(bundle["text/plain"]));
    for (const text of texts.slice(0, 3)) assert.match(text, /kept: 1/);
    assert.match(texts.at(-1)!, /kept: 2/);
  });

  it("shows figures, images, rows, texts and promises of them", async () => {
    show(new ImageFigure({ png, width: 2, height: 2, alt: "a fish" }));
    show([{ model: "ViT", top1: 0.5 }]);
    show(md`**${3}** images`);
    show("<b>bold</b>");
    show("plain");
    await show(Promise.resolve(html("<i>later</i>")));
    const richest = bundles.map((bundle) => Object.keys(bundle).at(-1));
    const expected = [
      "image/png",
      "text/html",
      "text/markdown",
      "text/plain",
      "text/plain",
      "text/plain",
      "text/html",
    ];
    assert.deepEqual(richest, expected);
    assert.equal(bundles[2]!["text/markdown"], "**3** images");
    assert.ok(bundles.every((bundle) => typeof bundle["text/plain"] === "string"));
  });

  it("sends a figure as one bundle: Plotly JSON, HTML with an image in it, PNG, and the numbers", async () => {
    await show(lossCurves({ series: [{ name: "ViT", steps: [0, 1], values: [2, 1] }] }));
    const bundle = bundles.at(-1)!;
    assert.equal(bundle["text/plain"], "Figure: ViT 2 → 1 over 1 steps");
    assert.match(
      String(bundle["text/html"]),
      /<img src="data:image\/svg\+xml;base64,[^"]+" alt="ViT 2 → 1 over 1 steps"/,
    );
    const bytes = Buffer.from(String(bundle["image/png"]), "base64");
    assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [720, 400]);
    const json = JSON.parse(JSON.stringify(bundle["application/vnd.plotly.v1+json"]));
    assert.deepEqual(json.data[1].y, [2, 1]);
    assert.equal(json.layout.xaxis.title.text, "optimizer step");
  });

  it("has Plotly draw what only Plotly can, from its bundle or in viewers that have all of it", async () => {
    await show({ data: [{ type: "violin", y: [1, 2] }], layout: {} });
    const json = "application/vnd.plotly.v1+json";
    assert.deepEqual(Object.keys(bundles.at(-1)!), ["text/plain", json, "text/html"]);
    await show({ data: [{ type: "scatter3d", x: [1], y: [2], z: [3] }], layout: {} });
    assert.deepEqual(Object.keys(bundles.at(-1)!), ["text/plain", json]);
  });

  it("puts lists of figures and images side by side", async () => {
    await show([new ImageFigure({ png, width: 2, height: 2, alt: "one" }), lossCurves({ series: [] })]);
    assert.equal(String(bundles.at(-1)!["text/html"]).match(/<img /g)?.length, 2);
  });

  it("lets long tables scroll under their head, and says how many rows it leaves out", () => {
    const rows = Array.from({ length: 250 }, (_, row) => ({ row }));
    show(rows);
    const text = String(bundles[0]!["text/html"]);
    assert.match(text, /overflow:auto.*position:sticky/);
    assert.match(text, /… and 50 more rows/);
    assert.doesNotMatch(table(rows.slice(0, 5)).toHtml(), /overflow|sticky/);
  });
});

describe("rich text", () => {
  it("is what was written, as a template with its backslashes or as a text", () => {
    const half = 0.5;
    assert.equal(md`$\frac{1}{2}$ is ${half}`.text, "$\\frac{1}{2}$ is 0.5");
    assert.equal(md("$\\frac{1}{2}$").text, "$\\frac{1}{2}$");
    assert.equal(html`<b>${half}</b>`.text, "<b>0.5</b>");
    assert.equal(html("<b>\\n</b>").text, "<b>\\n</b>");
    for (const wrong of [undefined, 3, {}])
      assert.throws(() => md(wrong as never), /expected a text, or a template/);
  });
});

describe("outside a notebook", () => {
  it("knows that it is outside", () => assert.equal(inNotebook(), false));

  it("prints figures and tables as text with the numbers", () => {
    const figure = lossCurves({ series: [{ name: "ViT", steps: [0, 400], values: [2.31, 0.64] }] });
    assert.equal(inspect(figure), "Figure: ViT 2.31 → 0.64 over 400 steps");
    const text = inspect(
      table([
        { model: "ViT", params: 5717416 },
        { model: "LUViT", params: 12 },
      ]),
    );
    assert.equal(text, "model     params\n─────  ─────────\nViT    5,717,416\nLUViT         12");
  });
});

describe("page parts", () => {
  it("carriage returns overwrite their line, a trailing one waits for what follows", () => {
    assert.equal(overwriteLines("a\rb\nc\r"), "b\nc\r");
    assert.equal(overwriteLines("one\r\ntwo"), "one\ntwo");
  });

  it("highlighting escapes HTML and loses no character", () => {
    const source = 'const a: Map<string, number> = f("<&>"); // "quoted"';
    const text = highlight(source)
      .replace(/<[^>]*>/g, "")
      .replace(/&lt;/g, "<")
      .replace(/&gt;/g, ">")
      .replace(/&quot;/g, '"')
      .replace(/&amp;/g, "&");
    assert.equal(text, source);
    assert.match(highlight(source), /<span class="t-keyword">const<\/span>/);
  });

  it("formulas become MathML; prices and code do not", () => {
    assert.match(renderMarkdown("where $x_i$ is"), /<math/);
    assert.doesNotMatch(renderMarkdown("from $5 to $6 and `$x$`"), /<math/);
  });
});
