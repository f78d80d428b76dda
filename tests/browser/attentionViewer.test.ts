import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { type AttentionViewer, attentionViewer } from "../../src/figures";
import { syntheticMaps } from "../unit/figures/syntheticMaps";
import { temporaryFolder } from "../unit/train/support";
import { type Browser, blankPage, type Locator, launch, type Page, skip } from "./chromium";

const grid = 4;
let browser: Browser;
let one: AttentionViewer;
let two: AttentionViewer;

before(async () => {
  if (skip) return;
  const luvit = syntheticMaps({
    grid,
    side: 64,
    layers: { "blocks.0": 3, "blocks.1": 3, "llama.layers.0": 2 },
  });
  const vit = syntheticMaps({ grid, side: 64, seed: 5, layers: { "blocks.0": 3, "blocks.1": 3 } });
  one = await attentionViewer(luvit, { labels: ["LUViT"] });
  two = await attentionViewer([luvit, vit], { labels: ["LUViT", "ViT"] });
  browser = await launch();
});
after(() => browser?.close());

const viewport = { width: 1040, height: 1000 };

async function open(viewer: AttentionViewer, options: object = {}) {
  const opened = await blankPage(browser, { viewport, ...options });
  await opened.page.goto(pathToFileURL(viewer.save(join(temporaryFolder(), "viewer.html"))).href);
  await opened.page.waitForSelector(".luvit-attention[data-alive]");
  return opened;
}

/** The image's pixels as text; equal when the same is drawn. */
const drawn = (page: Page, panel = 0) =>
  page
    .locator("canvas.stage")
    .nth(panel)
    .evaluate((canvas) => canvas.toDataURL());

/** Where in the image a patch is. */
async function middleOf(stage: Locator, row: number, column: number) {
  const side = await stage.evaluate((canvas) => canvas.clientWidth);
  return { position: { x: ((column - 0.5) * side) / grid, y: ((row - 0.5) * side) / grid } };
}

test("pointing shows where a patch looks, a click pins it, and pointing then reads single shares", {
  skip,
}, async () => {
  const { page, errors, requests } = await open(one);
  const stage = page.locator("canvas.stage");
  const readout = page.locator(".readout");
  const start = await drawn(page);
  await stage.hover(await middleOf(stage, 1, 2));
  assert.match((await readout.textContent())!, /^The patch in row 1, column 2 looks most at /);
  assert.notEqual(await drawn(page), start);
  await stage.click(await middleOf(stage, 2, 4));
  const pinned = await drawn(page);
  await stage.hover(await middleOf(stage, 4, 1));
  assert.equal(await drawn(page), pinned);
  assert.match((await readout.textContent())!, /^Under the pointer, row 4, column 1: [\d.]+\u00a0%\./);
  await stage.click(await middleOf(stage, 4, 1));
  assert.match((await stage.getAttribute("aria-label"))!, /Query: row 4, column 1\./);
  assert.deepEqual([errors, requests], [[], []]);
});

test("keys move the query, choose the class token, pin and let go", { skip }, async () => {
  const { page } = await open(one);
  const stage = page.locator("canvas.stage");
  await stage.focus();
  const query = async () => /Query: ([^.]*)\./.exec((await stage.getAttribute("aria-label"))!)![1];
  const after = async (key: string) => {
    await page.keyboard.press(key);
    return query();
  };
  assert.equal(await query(), "row 3, column 3");
  assert.equal(await after("ArrowRight"), "row 3, column 4");
  assert.equal(await after("ArrowRight"), "row 3, column 4");
  assert.equal(await after("ArrowUp"), "row 2, column 4");
  assert.equal(await after("Home"), "row 2, column 1");
  assert.equal(await after("c"), "the class token");
  assert.equal(await page.locator(".class-token").getAttribute("aria-pressed"), "true");
  await page.keyboard.press("Escape");
  assert.match((await page.locator(".hint").textContent())!, /^Point at a patch/);
});

test("layers, heads, rollout and entropy draw different images with their own words", {
  skip,
}, async () => {
  const { page } = await open(one);
  const seen = new Set([await drawn(page)]);
  const subtitle = page.locator(".subtitle");
  for (const [text, words] of [
    ["max of heads", "ViT block 2 (blocks.1), maximum of 3 heads"],
    ["rollout", "ViT block 2 (blocks.1), rollout"],
    ["entropy", "ViT block 2 (blocks.1), entropy, mean of 3 heads"],
    ["LLaMA", "LLaMA block (llama.layers.0), entropy, mean of 2 heads"],
    ["mean of heads", "LLaMA block (llama.layers.0), mean of 2 heads"],
  ] as const) {
    await page.locator(`label:has-text("${text}")`).first().click();
    assert.equal(await subtitle.textContent(), words);
    seen.add(await drawn(page));
  }
  assert.equal(seen.size, 6);
  const heads = page.locator("button.head");
  assert.equal(await heads.count(), 2);
  await heads.nth(1).click();
  assert.equal(await subtitle.textContent(), "LLaMA block (llama.layers.0), head 2 of 2");
  assert.equal(await heads.nth(1).getAttribute("aria-pressed"), "true");
  assert.match((await heads.nth(1).getAttribute("aria-label"))!, /^head 2, entropy \d\.\d\d\u00a0nats$/);
  assert.ok(!seen.has(await drawn(page)));
});

test("two models share the query; a model without the layer says so; one scale makes the ends equal", {
  skip,
}, async () => {
  const { page } = await open(two);
  const stages = page.locator("canvas.stage");
  const other = await drawn(page, 1);
  await stages.first().click(await middleOf(stages.first(), 1, 1));
  assert.notEqual(await drawn(page, 1), other);
  assert.match((await page.locator(".readout").nth(1).textContent())!, /^The patch in row 1, column 1 looks/);
  const ends = () =>
    Promise.all([0, 1].map((i) => page.locator(".legend span:last-child").nth(i).textContent()));
  const [a, b] = await ends();
  assert.notEqual(a, b);
  await page.locator('label:has-text("same scale")').click();
  const [sameA, sameB] = await ends();
  assert.equal(sameA, sameB);
  await page.locator('label:has-text("LLaMA")').click();
  const lacking = await page.locator(".subtitle").nth(1).textContent();
  assert.equal(lacking, "no LLaMA block here; ViT block 2 (blocks.1), mean of 3 heads");
  await page.locator("button.head").first().click();
  assert.match((await page.locator(".subtitle").nth(0).textContent())!, /head 1 of 2$/);
});

test("the PNG button gives an image, the HTML button a page that opens with the same view", {
  skip,
}, async () => {
  const { page } = await open(two, { acceptDownloads: true });
  const folder = temporaryFolder();
  const stage = page.locator("canvas.stage").first();
  await stage.click(await middleOf(stage, 4, 2));
  await page.locator('label:has-text("max of heads")').click();
  const press = async (button: string) => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator(`button:has-text("${button}")`).click(),
    ]);
    const path = join(folder, download.suggestedFilename());
    await download.saveAs(path);
    return path;
  };
  const png = await press("Save as PNG");
  const { width, format } = await sharp(png).metadata();
  assert.deepEqual([width, format], [2 * (28 + 2 * 508), "png"]);
  const svg = readFileSync(await press("Save as SVG"), "utf8");
  for (const words of ["LUViT: ", "ViT: ", "maximum of 3 heads", "row 4, column 2"])
    assert.ok(svg.includes(words));
  const drawn = await sharp(Buffer.from(svg)).metadata();
  assert.deepEqual([drawn.format, drawn.width], ["svg", 28 + 2 * 508]);
  assert.equal(svg.match(/<image /g)?.length, 2 * (2 + 3));
  await press("Save as PNG");
  await page.locator('button:has-text("Show the image here")').click();
  assert.ok(await page.locator(".made img").isVisible());
  const html = await press("Save as HTML");
  assert.ok(readFileSync(html).length < 2_000_000);
  const again = await blankPage(browser, { viewport });
  await again.page.goto(pathToFileURL(html).href);
  await again.page.waitForSelector(".luvit-attention[data-alive]");
  assert.match((await again.page.locator(".readout").first().textContent())!, /row 4, column 2/);
  assert.match((await again.page.locator(".subtitle").first().textContent())!, /maximum of 3 heads/);
});

test("no image moves, whatever is chosen: words above it take the room of the longest of them", {
  skip,
}, async () => {
  for (const [viewer, widths] of [
    [one, [1040, 620, 390]],
    [two, [1040, 700, 390]],
  ] as const) {
    for (const width of widths) {
      const { page } = await open(viewer, { viewport: { width, height: 1400 } });
      const tops = () =>
        page.evaluate<number[]>(
          `[...document.querySelector(".luvit-attention").shadowRoot.querySelectorAll("canvas.stage")].map((stage) => stage.getBoundingClientRect().top + scrollY)`,
        );
      const before = await tops();
      for (const choice of ["max of heads", "one head", "rollout", "entropy", "LLaMA", "mean of heads"]) {
        await page.locator(`label:has-text("${choice}")`).first().click();
        assert.deepEqual(await tops(), before, `${choice} at ${width}`);
      }
      const stage = page.locator("canvas.stage").first();
      await stage.click(await middleOf(stage, 2, 2));
      assert.deepEqual(await tops(), before, `pinned at ${width}`);
      await page.locator(".class-token").first().click();
      assert.deepEqual(await tops(), before, `class token at ${width}`);
    }
  }
});

test("with the class token as the query nothing speaks of a frame, which is not drawn then", {
  skip,
}, async () => {
  const { page } = await open(one);
  const words = async () =>
    (
      await Promise.all([".explain", ".hint", ".readout"].map((part) => page.locator(part).textContent()))
    ).join(" ");
  assert.match(await words(), /framed patch/);
  await page.locator(".class-token").click();
  for (const view of ["mean of heads", "max of heads", "one head", "rollout", "entropy"]) {
    await page.locator(`label:has-text("${view}")`).first().click();
    assert.doesNotMatch(await words(), /frame/, view);
  }
  await page.locator('label:has-text("mean of heads")').first().click();
  assert.match(await words(), /where the class token, the query, looks most.*The class token looks most at/s);
});

test("a tap moves the query on a touch screen, and nothing is wider than a phone", { skip }, async () => {
  const { page } = await open(one, { hasTouch: true, viewport: { width: 360, height: 740 } });
  const stage = page.locator("canvas.stage");
  await stage.tap(await middleOf(stage, 1, 4));
  assert.match(
    (await page.locator(".readout").textContent())!,
    /^(The patch in|Under the pointer,) row 1, column 4/,
  );
  assert.ok((await page.evaluate<number>("document.documentElement.scrollWidth")) <= 360);
});

test("an image that is not square keeps its shape: patches are where they are pointed at, also in the files", {
  skip,
}, async () => {
  for (const grid of [
    { rows: 3, columns: 7 },
    { rows: 7, columns: 3 },
  ]) {
    const viewer = await attentionViewer(
      syntheticMaps({ grid, side: 16 * grid.columns, layers: { "blocks.0": 3 } }),
    );
    const { page, errors } = await open(viewer, { acceptDownloads: true });
    const stage = page.locator("canvas.stage");
    const [width, height] = await stage.evaluate(({ clientWidth, clientHeight }) => [
      clientWidth,
      clientHeight,
    ]);
    assert.ok(Math.abs(width! / height! - grid.columns / grid.rows) < 0.02, `${width} × ${height}`);
    const place = (row: number, column: number) => ({
      position: { x: ((column - 0.5) * width!) / grid.columns, y: ((row - 0.5) * height!) / grid.rows },
    });
    await stage.click(place(grid.rows, grid.columns));
    const words = await stage.getAttribute("aria-label");
    assert.match(words!, new RegExp(`Query: row ${grid.rows}, column ${grid.columns}\\.`));
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator('button:has-text("Save as SVG")').click(),
    ]);
    const path = join(temporaryFolder(), "wide.svg");
    await download.saveAs(path);
    const [, drawnWidth, drawnHeight] = /<image x="[\d.]+" y="74" width="([\d.]+)" height="([\d.]+)"/.exec(
      readFileSync(path, "utf8"),
    )!;
    assert.ok(Math.abs(Number(drawnWidth) / Number(drawnHeight) - grid.columns / grid.rows) < 0.01);
    assert.deepEqual(errors, []);
  }
});

test("it follows the page's theme: the system's, Jupyter's and VS Code's", { skip }, async () => {
  const { page } = await open(one, { colorScheme: "dark" });
  const theme = () => page.locator(".viewer").getAttribute("data-theme");
  assert.equal(await theme(), "dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForSelector('.viewer[data-theme="light"]');
  await page.evaluate("document.body.dataset.jpThemeLight = 'false'");
  await page.waitForSelector('.viewer[data-theme="dark"]');
  await page.evaluate(
    "delete document.body.dataset.jpThemeLight; document.body.dataset.vscodeThemeKind = 'vscode-light'",
  );
  await page.evaluate("document.body.className = 'vscode-light'");
  await page.waitForSelector('.viewer[data-theme="light"]');
});

test("it lives in a sandboxed frame, and where a notebook inserts HTML and runs its scripts anew", {
  skip,
}, async () => {
  const { page } = await blankPage(browser, { viewport });
  await page.setContent(
    '<iframe sandbox="allow-scripts" style="width:900px;height:900px"></iframe><div id="output"></div>',
  );
  const html = JSON.stringify(one.html);
  await page.evaluate(`document.querySelector("iframe").srcdoc = ${html.replace(/<\//g, "<\\/")}`);
  await page.frameLocator("iframe").locator("canvas.stage").waitFor();
  // As JupyterLab and VS Code do: scripts set by innerHTML do not run, so each is replaced by a copy that does.
  await page.evaluate(`{
    const output = document.getElementById("output");
    output.innerHTML = ${html.replace(/<\//g, "<\\/")};
    for (const old of output.querySelectorAll("script")) {
      const script = document.createElement("script");
      for (const { name, value } of old.attributes) script.setAttribute(name, value);
      script.textContent = old.textContent;
      old.replaceWith(script);
    }
  }`);
  await page.locator("#output canvas.stage").waitFor();
  // As Jupyter Notebook 6 does: a copy of the script runs in the document's head.
  await page.evaluate(`{
    const output = document.getElementById("output");
    output.innerHTML = ${html.replace(/<\//g, "<\\/")};
    const script = document.createElement("script");
    script.textContent = output.querySelector("script:not([type])").textContent;
    document.head.append(script);
  }`);
  await page.locator("#output canvas.stage").waitFor();
});

test("without scripts the still image is there, with its numbers in words", { skip }, async () => {
  const { page } = await blankPage(browser, { viewport, javaScriptEnabled: false });
  await page.goto(pathToFileURL(two.save(join(temporaryFolder(), "still.html"))).href);
  const image = page.locator(".luvit-attention img");
  assert.ok(await image.isVisible());
  assert.equal(await image.getAttribute("alt"), two.image.alt);
});
