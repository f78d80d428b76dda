import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { packageRoot } from "../../src/core/packageRoot";
import { openCoco } from "../../src/data/coco";
import { fitSquare } from "../../src/data/transforms";
import {
  barComparison,
  detections,
  entropyScatter,
  heatmapGrid,
  lossCurves,
  type PlotlyFigure,
  saveFigure,
} from "../../src/figures";
import { figureBundle } from "../../src/figures/figureBundle";
import { plotlyMime } from "../../src/figures/spec";
import { temporaryFolder } from "../unit/train/support";
import { type Browser, blankPage, launch, type Page, skip } from "./chromium";

let browser: Browser;
before(async () => {
  if (!skip) browser = await launch();
});
after(() => browser?.close());

const curves = lossCurves({
  title: "Loss",
  series: [
    { name: "LUViT", steps: [0, 100, 200], values: [3, 2, 1] },
    { name: "ViT", steps: [0, 100, 200], values: [4, 3, 2] },
  ],
});
const bars = barComparison({
  categories: ["original", "mixed"],
  yTitle: "top-1 (%)",
  series: [
    { name: "LUViT", values: [90, 80] },
    { name: "ViT", values: [88, 70] },
  ],
});

async function open(figure: PlotlyFigure, options: object = {}) {
  const opened = await blankPage(browser, { viewport: { width: 900, height: 700 }, ...options });
  const path = await saveFigure(figure, join(temporaryFolder(), "figure.html"));
  await opened.page.goto(pathToFileURL(path).href);
  return opened;
}

const drawing = (page: Page) => page.locator(".drawing");
const tip = (page: Page) => page.locator(".tip");

/** The tick labels and names in the drawing. */
const words = async (page: Page) => (await drawing(page).textContent())!;

test("pointing reads the nearest point, bar or cell in words, with the unit of the axis in the drawing", {
  skip,
}, async () => {
  const { page, errors, requests } = await open(curves);
  await drawing(page).hover({ position: { x: 385, y: 190 } });
  assert.match((await tip(page).textContent())!, /^(LUViT|ViT)step 100: [\d.]+$/);
  assert.deepEqual([errors, requests], [[], []]);
  const { page: second } = await open(bars);
  await drawing(second).hover({ position: { x: 150, y: 200 } });
  assert.equal(await tip(second).textContent(), "LUViT, original: 90");
  const { page: third } = await open(
    heatmapGrid({
      zTitle: "entropy (nats)",
      maps: [
        {
          title: "head 1",
          values: [
            [1.25, 2],
            [3, 4],
          ],
        },
      ],
    }),
  );
  await drawing(third).hover({ position: { x: 60, y: 100 } });
  assert.equal(await tip(third).textContent(), "head 1row 0, column 0: 1.25");
});

test("arrow keys walk from point to point and from series to series; Escape shows everything", {
  skip,
}, async () => {
  const { page } = await open(bars);
  await page.locator(".plot").focus();
  const read = async (key: string) => {
    await page.keyboard.press(key);
    return tip(page).textContent();
  };
  assert.equal(await read("ArrowRight"), "LUViT, original: 90");
  assert.equal(await read("ArrowRight"), "LUViT, mixed: 80");
  assert.equal(await read("ArrowDown"), "ViT, mixed: 70");
  assert.equal(await read("ArrowLeft"), "ViT, original: 88");
});

test("a name in the legend switches its series off and on, and the axes follow", { skip }, async () => {
  const { page } = await open(bars);
  const before = await words(page);
  await page.locator(".entry").first().click();
  const without = await words(page);
  assert.match(before, /90.*80/);
  assert.doesNotMatch(without, /90.*LUViT/);
  assert.equal(await page.locator(".entry").first().getAttribute("opacity"), "0.4");
  await page.locator(".entry").first().click();
  assert.equal(await words(page), before);
});

test("a rectangle zooms, panels with one range together, and Reset shows everything", { skip }, async () => {
  const points = (shift: number) =>
    Array.from({ length: 20 }, (_, i) => ({ background: 3 + i / 20 + shift, foreground: 3 + i / 20 }));
  const { page } = await open(
    entropyScatter({
      series: [
        { name: "LUViT", points: points(0.1) },
        { name: "ViT", points: points(0) },
      ],
    }),
  );
  const before = await words(page);
  await page.mouse.move(140, 180);
  await page.mouse.down();
  await page.mouse.move(230, 260, { steps: 4 });
  await page.mouse.up();
  const zoomed = await words(page);
  assert.notEqual(zoomed, before);
  const ticks = zoomed.match(/\d\.\d+/g)!.map(Number);
  assert.ok(Math.max(...ticks) - Math.min(...ticks) < 0.8, ticks.join(" "));
  await page.locator('button:has-text("Reset")').click();
  assert.equal(await words(page), before);
});

test("it saves itself as PNG and SVG", { skip }, async () => {
  const { page } = await open(curves, { acceptDownloads: true });
  for (const [button, format, width] of [
    ["PNG", "png", 1440],
    ["SVG", "svg", 720],
  ] as const) {
    await drawing(page).hover({ position: { x: 300, y: 200 } });
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator(`button:has-text("${button}")`).click(),
    ]);
    const path = join(temporaryFolder(), download.suggestedFilename());
    await download.saveAs(path);
    const image = await sharp(path).metadata();
    assert.deepEqual([image.format, image.width], [format, width]);
  }
});

test("it follows theme and width of the page, down to a phone", { skip }, async () => {
  const { page } = await open(curves, { viewport: { width: 360, height: 700 }, colorScheme: "dark" });
  const svg = page.locator(".drawing svg");
  await svg.waitFor();
  assert.ok(Number(await svg.getAttribute("width")) <= 360);
  assert.ok((await page.evaluate<number>("document.documentElement.scrollWidth")) <= 360);
  const style = () => page.locator(".drawing style").first().textContent();
  const dark = await style();
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForSelector('.plot[data-theme="light"]');
  assert.notEqual(await style(), dark);
});

test("without scripts the image is there, with its numbers in words", { skip }, async () => {
  const { page } = await open(curves, { javaScriptEnabled: false });
  const image = page.locator(".luvit-plot img");
  assert.ok(await image.isVisible());
  assert.equal(await image.getAttribute("alt"), "LUViT 3 → 1 over 200 steps; ViT 4 → 2 over 200 steps");
});

const histogram = {
  data: [{ type: "histogram", x: [1, 1, 2, 3, 3, 3] }],
  layout: { title: { text: "Counts" }, meta: { summary: "six values" } },
} as unknown as PlotlyFigure;

test("what only Plotly can draw brings Plotly along: no network, and words where no script runs", {
  skip,
}, async () => {
  const { page, errors, requests } = await open(histogram);
  await page.locator(".luvit-plotly .main-svg").first().waitFor();
  assert.equal(await page.locator(".luvit-plotly .bars .point").count(), 3);
  assert.deepEqual([errors, requests], [[], []]);
  const { page: still } = await open(histogram, { javaScriptEnabled: false });
  assert.equal(await still.locator(".luvit-plotly p").textContent(), "six values");
});

test("still images of it are refused, with the way out", async () => {
  const path = join(temporaryFolder(), "x.png");
  await assert.rejects(saveFigure(histogram, path), /this figure has histogram; save it as \.html/);
});

test("Plotly itself draws every trace of the figures made here", { skip }, async () => {
  const { page } = await open(histogram);
  await page.locator(".luvit-plotly .main-svg").first().waitFor();
  const maps = [
    {
      title: "head 1",
      values: [
        [1.25, 2],
        [3, 4],
      ],
    },
  ];
  for (const figure of [curves, bars, heatmapGrid({ zTitle: "entropy (nats)", maps })]) {
    const json = (await figureBundle(figure))[plotlyMime];
    const found = await page.evaluate<unknown>(`(async ({ data, layout }) => {
      const box = document.createElement("div");
      document.body.append(box);
      await Plotly.newPlot(box, data, layout);
      return [box.data.length, box.querySelectorAll(".trace, .hm").length];
    })(${JSON.stringify(json)})`);
    assert.deepEqual(found, [figure.data.length, figure.data.length]);
  }
});

test("a box over an image is read by hand, finger and keys, and zoomed into with its neighbor", {
  skip,
}, async () => {
  const root = join(packageRoot(), "data/shapes/coco");
  const dataset = await openCoco({ root, part: "val", transform: fitSquare(96) });
  const [id] = dataset.images.map((image) => image.id);
  const results = dataset.truth
    .of(id)
    .map(({ imageId, categoryId, box }) => ({ imageId, categoryId, box, score: 0.9 }));
  const figure = await detections({ dataset, results: { ViT: [], LUViT: results }, images: [id] });
  const { page, errors, requests } = await open(figure, { hasTouch: true });
  await page.locator(".plot").focus();
  for (let i = 0; i <= results.length; i++) await page.keyboard.press("ArrowRight");
  assert.match((await tip(page).textContent())!, /0\.90right, overlap with its object 1\.00$/);
  await page.keyboard.press("Escape");
  const { left, top } = await page.evaluate<{ left: number; top: number }>(
    `(() => { const box = document.querySelector(".luvit-plot").shadowRoot.querySelectorAll(".drawing image")[1].getBoundingClientRect(); return { left: box.left + 5, top: box.top + 5 }; })()`,
  );
  await page.mouse.move(left, top);
  await page.mouse.down();
  await page.mouse.move(left + 120, top + 90, { steps: 3 });
  await page.mouse.up();
  const transformed = await page.evaluate<number[]>(
    `[...document.querySelector(".luvit-plot").shadowRoot.querySelectorAll(".drawing image")].map((one) => Number(one.getAttribute("width")))`,
  );
  assert.ok(
    transformed.every((width) => width > 450),
    transformed.join(),
  );
  await drawing(page).tap({ position: { x: 3, y: 3 } });
  assert.equal(await tip(page).isVisible(), false);
  assert.deepEqual([errors, requests], [[], []]);
});
