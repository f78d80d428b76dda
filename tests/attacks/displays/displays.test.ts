import assert from "node:assert/strict";
import { test } from "node:test";
import { html } from "../../../src/notebook";
import { mimeBundleOf, richBundleOf } from "../../../src/notebook/mime";
import { payloads } from "../payloads";
import { byPlotly, figures, live, notebooks } from "./pages";
import { expectHarmless } from "./scan";
import { data, values } from "./values";

/*
 * Text of strangers in displays, as far as it can be told without a browser. `inBrowser.test.ts` opens the same in one.
 */

for (const [what, madeWith] of Object.entries(data)) {
  test(`${what} goes out as text or JSON, never as markup`, async () => {
    for (const payload of payloads) {
      for (const bundleOf of [mimeBundleOf, richBundleOf]) {
        const bundle = await bundleOf(madeWith(payload));
        const markup = Object.keys(bundle).filter((type) => !/^(text\/plain|image\/png)$/.test(type));
        assert.deepEqual(markup, [], payload);
      }
    }
  });
}

for (const [what, madeWith] of Object.entries(values)) {
  test(`${what}: the text stays text`, async () => {
    const plain = await htmlOf(madeWith("plain"));
    for (const payload of payloads) expectHarmless(await htmlOf(madeWith(payload)), plain, payload);
  });
}

for (const [what, pageOf] of Object.entries({ ...live, ...figures, ...byPlotly, ...notebooks })) {
  test(`${what}: the text stays text`, async () => {
    const plain = await pageOf("plain");
    for (const payload of payloads) expectHarmless(await pageOf(payload), plain, payload);
  });
}

test("what a class or html() says is HTML is found by the same look at a page", async () => {
  const caught = payloads.filter((payload) => {
    try {
      expectHarmless(html`<p>${payload}</p>`.text, "<p>plain</p>", payload);
      return false;
    } catch {
      return true;
    }
  });
  assert.ok(caught.length >= 12, `only ${caught.length} of ${payloads.length} payloads do anything`);
});

async function htmlOf(value: unknown): Promise<string> {
  const bundle = await richBundleOf(await value);
  assert.ok("text/html" in bundle, Object.keys(bundle).join(", "));
  return String(bundle["text/html"]);
}
