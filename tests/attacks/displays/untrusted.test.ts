import assert from "node:assert/strict";
import { test } from "node:test";
import { html, md } from "../../../src/notebook";
import { renderMarkdown } from "../../../src/notebook/markdown";
import { mimeBundleOf } from "../../../src/notebook/mime";
import { renderOutput } from "../../../src/notebook/page";
import { isSafeAddress, safeHtml } from "../../../src/notebook/safeMarkup";

const attack = `<img src=x onerror="alert(1)"></img>`;
const bundle = async (value: unknown) => await mimeBundleOf(value);

test("text is text, whatever it looks like", async () => {
  for (const text of [attack, "<b>bold</b>", "<!doctype html><p>x</p>"])
    assert.deepEqual(await bundle(text), { "text/plain": text });
  assert.deepEqual(Object.keys(await bundle(JSON.parse(JSON.stringify({ outerHTML: attack })))), [
    "text/plain",
  ]);
});

test("HTML is what a class computes, or html() says", async () => {
  class Element {
    get outerHTML() {
      return "<b>mine</b>";
    }
  }
  assert.equal((await bundle(new Element()))["text/html"], "<b>mine</b>");
  assert.equal((await bundle(html`<b>${1 + 1}</b>`))["text/html"], "<b>2</b>");
});

test("md keeps the backslashes of formulas", async () => {
  const shown = await bundle(md`half is $\frac{a}{b}$`);
  assert.equal(shown["text/markdown"], "half is $\\frac{a}{b}$");
});

test("addresses that run something lead nowhere, however they are spelled", () => {
  const wrong = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " java\nscript:alert(1)",
    "\u0001javascript:x",
  ];
  for (const address of [
    ...wrong,
    "vbscript:x",
    "data:text/html,<script>",
    "data:image/svg+xml;base64,AAAA",
    "file:///etc",
  ])
    assert.equal(isSafeAddress(address), false, address);
  for (const address of [
    "https://a.b/c?d=e:f",
    "#part",
    "../x.md",
    "mailto:a@b",
    "data:image/png;base64,AAAA",
    "a/b:c",
  ])
    assert.equal(isSafeAddress(address), true, address);
  assert.doesNotMatch(renderMarkdown("[x](javascript:alert(1)) [y](&#106;avascript:alert(1))"), /href/);
  assert.doesNotMatch(renderMarkdown("![x](javascript:alert(1))"), /<img/);
});

test("of HTML within text what could run is shown, not run", () => {
  const attacks = [
    attack,
    "<script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    `<a href="&#x6a;avascript:alert(1)">x</a>`,
    "<iframe srcdoc='<script>1</script>'></iframe>",
    "<p style='background:url(x)' onclick=alert(1)>x</p>",
    "<<b>script>alert(1)</script>",
    "<!-- --><img src=x onerror=alert(1)>",
    '<b title="><img src=x onerror=alert(1)>">x</b>',
  ];
  for (const text of attacks) {
    for (const shown of [safeHtml(text), renderMarkdown(text)]) {
      const tags = [...shown.matchAll(/<[^>]*>/g)].map(([one]) => one);
      for (const one of tags)
        assert.doesNotMatch(
          one,
          /\son\w+\s*=|javascript|srcdoc|style=|<(script|svg|iframe)/i,
          `${text} -> ${shown}`,
        );
    }
  }
  assert.equal(
    safeHtml("<details><summary>more</summary>1 < 2</details>"),
    "<details><summary>more</summary>1 &lt; 2</details>",
  );
});

test("names and contents of a notebook's outputs stay in their places on the page", () => {
  const name = `x" onmouseover="alert(1)` as "stdout";
  assert.doesNotMatch(renderOutput({ output_type: "stream", name, text: "a" }), /onmouseover/);
  const data = { "text/plain": "x", "image/png": `AAAA" onerror="alert(1)` };
  const output = { output_type: "display_data", data, metadata: {} } as const;
  assert.doesNotMatch(renderOutput(output), /onerror/);
});
