import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { inspect } from "node:util";
import { lossCurves, Picture } from "../../../src/figures";
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

  it("honours Jupyter.display on the object, on its prototype and async", async () => {
    const symbol = Symbol.for("Jupyter.display");
    class Model {
      [symbol]() {
        return { "text/markdown": "**model**", "text/plain": "model" };
      }
    }
    show(new Model());
    await show({ [symbol]: async () => ({ "image/png": png }) });
    const image = { "image/png": Buffer.from(png).toString("base64") };
    assert.deepEqual(bundles, [{ "text/markdown": "**model**" }, { "text/plain": "…" }, image]);
  });

  it("shows figures, pictures, rows, texts and promises of them", async () => {
    show(lossCurves({ series: [{ name: "ViT", steps: [0, 1], values: [2, 1] }] }));
    show(new Picture(png, 2, 2, "a fish"));
    show([{ model: "ViT", top1: 0.5 }]);
    show(md`**${3}** images`);
    show("<b>bold</b>");
    show("plain");
    await show(Promise.resolve(html("<i>later</i>")));
    const mimes = bundles.map((bundle) => Object.keys(bundle)[0]);
    assert.deepEqual(mimes, [
      "text/html",
      "image/png",
      "text/html",
      "text/markdown",
      "text/html",
      "text/plain",
      "text/plain",
      "text/html",
    ]);
    assert.match(
      String(bundles[0]!["text/html"]),
      /<img src="data:image\/svg\+xml;base64,[^"]+" alt="ViT 2 → 1 over 1 steps"/,
    );
    assert.equal(bundles[3]!["text/markdown"], "**3** images");
  });

  it("puts lists of figures and pictures side by side", () => {
    show([new Picture(png, 2, 2, "one"), lossCurves({ series: [] })]);
    assert.equal(bundles.length, 1);
    assert.equal(String(bundles[0]!["text/html"]).match(/<img /g)?.length, 2);
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
