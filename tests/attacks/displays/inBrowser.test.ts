import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { richBundleOf } from "../../../src/notebook/mime";
import { type Browser, blankPage, launch, type Page, skip } from "../../browser/chromium";
import { payloads, trap } from "../payloads";
import { byPlotly, figures, live, notebooks, type Pages } from "./pages";
import { values } from "./values";

/*
 * The displays of `displays.test.ts` in a browser, with its scripts: nothing of a stranger's text runs, stands in a handler
 * or asks the network for something, neither at once nor when the reader points, presses and types.
 */

if (skip) console.log(`SKIPPED: displays in a browser: ${skip}`);

let browser: Browser;
before(async () => {
  if (!skip) browser = await launch();
});
after(() => browser?.close());

/** Set before anything else of the page: whatever a stranger's text can call is counted. */
const tripwire = `<script>
window.sprung = [];
window.${trap} = (by) => window.sprung.push(String(by));
for (const name of ["alert", "confirm", "prompt", "open", "print"]) window[name] = () => window.sprung.push(name);
</script>`;

/** Handlers, addresses that run something, and frames, in the page and in the shadow roots of its displays. */
const remains = `(() => {
  const found = [];
  const visit = (root) => {
    for (const element of root.querySelectorAll("*")) {
      for (const { name, value } of element.attributes)
        if (/^on/i.test(name) || (/^(href|src|action|formaction|xlink:href)$/i.test(name) && /^[\\s\\u0000-\\u0020]*(java|vb)\\s*script:/i.test(value)))
          found.push(element.tagName + " " + name + "=" + value);
      if (/^(iframe|object|embed|base|meta|link)$/i.test(element.tagName)) found.push(element.outerHTML.slice(0, 100));
      if (element.shadowRoot) visit(element.shadowRoot);
    }
  };
  visit(document.body);
  return found;
})()`;

/** What this library writes at the head of its own pages. */
const ownHead =
  /<\/?(html|head|body|!doctype)[^>]*>|<meta charset="utf-8">|<meta name="viewport"[^>]*>|<link rel="icon" href="data:,">/gi;

/** Plotly has drawn, or refused, every figure of the page. */
const allDrawn = `document.querySelectorAll(".luvit-plotly").length === ${payloads.length} &&
  [...document.querySelectorAll(".luvit-plotly")].every((host) => host.querySelector(".main-svg"))`;

/** Points at, presses and focuses everything, section by section, so that a page is laid out once for each. */
const usePage = `(async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const all = (root) => [...root.querySelectorAll("*")].flatMap((one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
  const isLeft = (one) => /^(A|BUTTON)$/.test(one.tagName) && (one.href || /^(Save|PNG|SVG|Reset|No file)/.test(one.textContent));
  const use = (one, { left, top, width, height }) => {
    const at = { bubbles: true, composed: true, clientX: left + width / 2, clientY: top + height / 2, pointerType: "mouse" };
    one.dispatchEvent(new MouseEvent("mouseover", at));
    one.dispatchEvent(new PointerEvent("pointermove", at));
    if (/plot|stage|luvit/.test(String(one.className))) {
      one.dispatchEvent(new PointerEvent("pointerdown", at));
      one.dispatchEvent(new PointerEvent("pointerup", at));
    }
    if (one.tabIndex >= 0) one.focus?.();
    for (const key of ["ArrowRight", "ArrowDown"]) one.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true }));
  };
  await wait(60);
  const sections = document.querySelectorAll("body > section");
  for (const section of sections.length > 0 ? sections : [document.body]) {
    const elements = all(section).filter((one) => !isLeft(one));
    const places = elements.map((one) => one.getBoundingClientRect());
    elements.forEach((one, index) => use(one, places[index]));
  }
  await wait(30);
})()`;

/** Pages of many figures that Plotly draws carry it once. */
function withOneLibrary(html: string): string {
  let isFirst = true;
  return html.replace(/(class="luvit-plotly-library">)[^<]*/g, (whole, tag: string) => {
    const kept = isFirst ? whole : tag;
    isFirst = false;
    return kept;
  });
}

async function open(html: string) {
  const opened = await blankPage(browser);
  const body = withOneLibrary(html);
  await opened.page.setContent(`<!doctype html><html><head>${tripwire}</head><body>${body}</body></html>`);
  return opened;
}

async function expectUntouched(
  page: Page,
  requests: readonly string[],
  allowed: readonly string[],
  what: string,
) {
  assert.deepEqual(await page.evaluate(`window.sprung`), [], what);
  const found = await page.evaluate<string[]>(remains);
  assert.deepEqual(found, [], what);
  assert.deepEqual(
    requests.filter((url) => !allowed.some((one) => url.startsWith(one))),
    [],
    what,
  );
}

/**
 * Opens what all texts give on one page, uses it when `ready` is true, and looks at what happened. The errors of the page.
 */
async function attack(
  what: string,
  parts: readonly string[],
  { allowed = [], ready = "true" }: { allowed?: readonly string[]; ready?: string } = {},
): Promise<string[]> {
  const { page, errors, requests } = await open(parts.map((part) => `<section>${part}</section>`).join("\n"));
  const sections = `document.querySelectorAll("body > section").length`;
  assert.equal(await page.evaluate(sections), parts.length, `${what}: a text takes others' places`);
  await page.waitForFunction(ready);
  await page.evaluate(usePage);
  await expectUntouched(page, requests, allowed, what);
  await page.context().close();
  return errors;
}

for (const [what, madeWith] of Object.entries(values)) {
  test(`${what}: nothing of the text runs`, { skip }, async () => {
    const parts = [];
    for (const payload of payloads)
      parts.push(String((await richBundleOf(await madeWith(payload)))["text/html"]));
    assert.deepEqual(await attack(what, parts), [], what);
  });
}

const pages: Pages = { ...live, ...figures, ...notebooks };
for (const [what, pageOf] of Object.entries(pages)) {
  test(`${what}: nothing of the text runs`, { skip }, async () => {
    const parts = [];
    for (const payload of payloads) parts.push((await pageOf(payload)).replace(ownHead, ""));
    // Markdown may show images from elsewhere: their addresses are what its author wrote.
    const allowed = what in notebooks ? ["https://strangers.test/image"] : [];
    assert.deepEqual(await attack(what, parts, { allowed }), [], what);
  });
}

for (const [what, pageOf] of Object.entries(byPlotly)) {
  test(`${what}, drawn by Plotly: nothing of the text runs, and nothing is asked for`, { skip }, async () => {
    const parts = [];
    for (const payload of payloads) parts.push(await pageOf(payload));
    await attack(what, parts, { ready: allDrawn });
  });
}

test("the trap springs where something does run, and requests are seen", { skip }, async () => {
  const { page, requests } = await open(payloads.join("\n"));
  await page.waitForFunction(`window.sprung.length > 3`);
  await page.evaluate(usePage);
  assert.ok((await page.evaluate<string[]>(remains)).length > 3);
  assert.ok(requests.length > 0);
});
