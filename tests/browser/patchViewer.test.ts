import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { AnswerAttention } from "../../src/analysis/answers/answerAttention";
import { answerViewer, type PatchViewer } from "../../src/figures";
import { temporaryFolder } from "../unit/train/support";
import { type Browser, blankPage, launch, type Page, skip } from "./chromium";

const side = 32;
let browser: Browser;
let viewer: PatchViewer;

before(async () => {
  if (skip) return;
  const image = { values: new Float32Array(3 * side * side), side, grid: { rows: 4, columns: 4 } };
  const weights = Float32Array.from({ length: 2 * 2 * 16 }, (_, i) => ((5 * i) % 19) / 400);
  const layers = ["layers.0", "layers.1"].map((layer) => ({ layer, heads: 2, weights }));
  viewer = await answerViewer(new AnswerAttention("what is it?", "star", ["star", "."], image, layers));
  browser = await launch();
});
after(() => browser?.close());

const inside = (selector: string) =>
  `document.querySelector(".luvit-patches").shadowRoot.querySelector("${selector}")`;
const read = (page: Page) => page.evaluate<string>(`${inside(".readout")}.textContent`);

async function open(options: object = {}) {
  const opened = await blankPage(browser, { viewport: { width: 1040, height: 900 }, ...options });
  await opened.page.goto(pathToFileURL(await viewer.save(join(temporaryFolder(), "viewer.html"))).href);
  await opened.page.waitForSelector(".luvit-patches[data-alive]");
  return opened;
}

test("token, layer and head are chosen by keys alone, and the words say what is shown", {
  skip,
}, async () => {
  const { page, errors, requests } = await open();
  assert.match(await read(page), /token star, layer block 2, head mean/);
  await page.locator("input").first().focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await read(page), /token \./);
  await page.locator("canvas.stage").focus();
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown"]) await page.keyboard.press(key);
  assert.match(await read(page), /Here, row 2, column 2/);
  assert.deepEqual(errors, []);
  assert.deepEqual(requests, []);
});

test("a touched patch tells its share and keeps telling it", { skip }, async () => {
  const { page } = await open({ viewport: { width: 390, height: 800 }, hasTouch: true });
  await page.locator("canvas.stage").tap({ position: { x: 5, y: 5 } });
  assert.match(await read(page), /Here, row 1, column 1/);
  const overflow = await page.evaluate<number>(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
  assert.ok(overflow <= 0, "nothing is wider than the page");
});

test("it is dark where the page is", { skip }, async () => {
  const { page } = await open({ colorScheme: "dark" });
  const ground = await page.evaluate<string>(`getComputedStyle(${inside(".patches")}).backgroundColor`);
  assert.equal(ground, "rgb(20, 23, 28)");
});
