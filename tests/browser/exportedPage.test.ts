import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { temporaryFolder } from "../unit/train/support";
import { type Browser, launch, skip } from "./chromium";
import { writeCells } from "./jupyter/notebooks";

const project = resolve(__dirname, "..", "..", "..");
const options = { skip, timeout: 300_000 };
let browser: Browser;
let address: string;
const folder = temporaryFolder();

before(async () => {
  if (skip) return;
  const data = join(project, "data", "shapes");
  const notebook = join(folder, "looks.ipynb");
  writeCells(notebook, [
    `import * as luvit from "luvit";
const { analysis, classifier, data, figures, show, vit } = luvit;
await luvit.ready();`,
    `const images = await data.imageFolder(${JSON.stringify(join(data, "val"))}, { transform: data.transforms.none(64) });
const model = classifier.create({ encoder: vit.toy, classes: 6 });
show(await figures.attentionViewer(await analysis.attentionMaps(model, images, { index: 0 })));`,
    `const step = (step: number, loss: number) => ({ step, epoch: 0, loss, lr: 1, imagesPerSecond: 1 });
figures.historyCurves({ LUViT: [step(1, 3), step(2, 2), step(3, 1)] }, { title: "Loss", yTitle: "loss" })`,
  ]);
  const out = join(folder, "out");
  execFileSync(process.execPath, [join(project, "dist", "cli.js"), "run", notebook, "--html", "--out", out]);
  address = pathToFileURL(join(out, "looks.html")).href;
  browser = await launch();
}, options);
after(() => browser?.close());

/** The exported page with the network blocked; what it asked for and what went wrong in it. */
async function open(context: object = {}) {
  const made = await browser.newContext({ viewport: { width: 1100, height: 900 }, ...context });
  const troubles: string[] = [];
  await made.route(/^https?:/, async (route) => {
    troubles.push(`asked for ${route.request().url()}`);
    await route.abort();
  });
  const page = await made.newPage();
  page.on("pageerror", (error) => troubles.push(String(error)));
  await page.goto(address);
  return { page, troubles };
}

test(
  "in the page that `luvit run` writes, the viewer reacts to a click and a figure to the pointer",
  options,
  async () => {
    const { page, troubles } = await open();
    const stage = page.locator("canvas.stage").first();
    const side = await stage.evaluate((canvas) => canvas.clientWidth);
    await stage.click({ position: { x: side / 16, y: (side * 15) / 16 } });
    assert.match((await stage.getAttribute("aria-label"))!, /Query: row 8, column 1\./);
    const drawing = page.locator(".drawing").first();
    await drawing.scrollIntoViewIfNeeded();
    const { width, height } = await drawing.evaluate((box) => ({
      width: box.clientWidth,
      height: box.clientHeight,
    }));
    await drawing.hover({ position: { x: width / 2, y: height / 2 } });
    assert.match((await page.locator(".tip").first().textContent())!, /step 2/);
    assert.deepEqual(troubles, []);
  },
);

test("where scripts do not run, its images stand still", options, async () => {
  const { page, troubles } = await open({ javaScriptEnabled: false });
  for (const shown of [".luvit-attention img", ".luvit-plot img"]) {
    const image = page.locator(shown);
    assert.equal(await image.count(), 1);
    assert.ok(await image.isVisible(), shown);
    assert.ok((await image.getAttribute("alt"))!.length > 20);
  }
  assert.deepEqual(troubles, []);
});
