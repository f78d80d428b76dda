import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Page } from "./chromium";
import { placeForeignCopy, placeShipped } from "./jupyter/notebooks";
import { errorsOf, imagesOf, storedImages } from "./jupyter/outputs";
import { JupyterBrowser, type NotebookPage, until } from "./jupyter/page";
import { skip } from "./jupyter/server";

const options = { skip, timeout: 900_000 };
let jupyter: JupyterBrowser;
let notebook: string;
let opened: NotebookPage;

before(async () => {
  if (skip) return;
  jupyter = await JupyterBrowser.start();
  notebook = placeShipped(jupyter.server, "00-quickstart.ipynb", 3);
}, options);
after(() => jupyter?.close());

/** Clicks patches of the first panel: the frame and the words follow. */
async function clickPatches(page: Page): Promise<void> {
  const stage = page.locator(".luvit-attention canvas.stage").first();
  const readout = page.locator(".luvit-attention .readout").first();
  await stage.scrollIntoViewIfNeeded();
  const side = await stage.evaluate((canvas) => canvas.clientWidth);
  for (const [row, column] of [
    [1, 8],
    [7, 2],
  ] as const) {
    await stage.click({ position: { x: ((column - 0.5) * side) / 8, y: ((row - 0.5) * side) / 8 } });
    assert.match(
      (await stage.getAttribute("aria-label"))!,
      new RegExp(`Query: row ${row}, column ${column}\\.`),
    );
    assert.match((await readout.textContent())!, new RegExp(`row ${row}, column ${column}`));
  }
}

test("the quickstart runs from the menu, and its runs are seen going on", options, async () => {
  opened = await jupyter.open(notebook);
  await opened.runAll();
  const states = new Set<string>();
  await until(
    "the quickstart has run",
    async () => {
      const display = opened.page.locator(".luvit-live").last();
      if (await display.count()) states.add((await display.getAttribute("aria-label"))!);
      return !(await opened.progress()).some((cell) => cell.running);
    },
    800_000,
  );
  const cells = await opened.cells();
  assert.deepEqual(errorsOf(cells), []);
  assert.deepEqual(
    cells.map(({ count }) => count),
    cells.map((_, index) => index + 1),
  );
  const underWay = [...states].filter((state) => / left /.test(state));
  assert.ok(underWay.length >= 8, `the live display was seen in ${underWay.length} states`);
});

test("the attention viewer reacts to clicks", options, () => clickPatches(opened.page));

test("saved and loaded again, the viewer works without running anything", options, async () => {
  await opened.save();
  await opened.reload();
  assert.ok((await opened.cells()).every(({ trusted }) => trusted));
  await clickPatches(opened.page);
});

test(
  "somebody else's copy, which is not trusted, shows every image and runs no script",
  options,
  async () => {
    const foreign = await jupyter.open(placeForeignCopy(jupyter.server, notebook));
    const cells = await foreign.cells();
    assert.ok(cells.some(({ trusted }) => !trusted));
    const seen = await imagesOf(foreign, cells.length);
    assert.deepEqual(seen, storedImages(cells));
    assert.ok(seen.reduce((sum, count) => sum + count) >= 7);
    assert.equal(await foreign.page.locator(".luvit-attention canvas, [data-alive]").count(), 0);
  },
);

test("exported by nbconvert, the viewer works and every image is there", options, async () => {
  const path = join(jupyter.server.folder, notebook);
  const convert = ["-m", "nbconvert", "--to", "html", path, "--output", "exported"];
  execFileSync(jupyter.server.jupyter.python, convert, { env: jupyter.server.environment, stdio: "ignore" });
  const page = await jupyter.openFile(pathToFileURL(join(path, "..", "exported.html")).href);
  await clickPatches(page);
});

test("nothing was asked from outside the machine", options, () => {
  const exportedPage = /^https:\/\/cdnjs\.cloudflare\.com\//; // nbconvert's own: MathJax, require.js
  assert.deepEqual(
    jupyter.blocked.filter((url) => !exportedPage.test(url)),
    [],
  );
});
