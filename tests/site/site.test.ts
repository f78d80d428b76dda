import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, extname, join, normalize } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { analysis, io } from "../../src";
import { packageRoot } from "../../src/core/packageRoot";
import { type Browser, launch, type Page, skip } from "../browser/chromium";
import { smallRepository } from "./smallRepository";

const project = packageRoot();
const options = { timeout: 300_000 };
const root = smallRepository();
const out = join(root, "out", "site");
let first: ReturnType<typeof build>;
let browser: Browser;
let server: Server;

function build(of: string) {
  const command = [join(project, "scripts", "site", "main.mjs"), "--root", of, "--no-api"];
  return spawnSync(process.execPath, command, { encoding: "utf8" });
}

before(async () => {
  first = build(root);
  if (skip) return;
  browser = await launch();
  server = createServer((request, response) => {
    const file = join(out, normalize(decodeURIComponent(request.url!.split(/[?#]/)[0]!)));
    const types: Record<string, string> = {
      ".html": "text/html",
      ".css": "text/css",
      ".js": "text/javascript",
    };
    if (!existsSync(file) || !file.startsWith(out)) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
}, options);
after(async () => {
  await browser?.close();
  server?.close();
});

const filesOf = (folder: string, ending: string) =>
  readdirSync(folder, { recursive: true })
    .map((name) => String(name).replaceAll("\\", "/"))
    .filter((name) => name.endsWith(ending))
    .sort();
const read = (name: string) => readFileSync(join(out, name), "utf8");

test("of README, docs, notebooks, studies and what they link to pages are made", () => {
  assert.equal(first.status, 0, first.stderr);
  assert.deepEqual(filesOf(out, ".html"), [
    "docs/index.html",
    "docs/long.html",
    "index.html",
    "notebooks/course/first.html",
    "notebooks/course/index.html",
    "notebooks/index.html",
    "notebooks/small.html",
    "source/src/index.html",
    "source/src/inner/index.html",
    "source/src/inner/two.ts.html",
    "source/src/one.ts.html",
    "studies/detect.html",
    "studies/distill.html",
    "studies/index.html",
    "studies/llavit.html",
    "studies/nobody-knows-it.html",
    "studies/sign.html",
  ]);
  assert.ok(!read("source/src/one.ts.html").includes("<script>alert"));
});

/** Links and sources that markup names, scripts and styles left out. */
function linksOf(html: string): string[] {
  const markup = html.replace(/<(script|style|template)\b(?![^>]*\bsrc=)[^>]*>[\s\S]*?<\/\1>/g, "");
  return [...markup.matchAll(/<[a-z][^>]*?\s(?:href|src)="([^"]*)"/g)].map(([, to]) => to!);
}

test("every link leads to a page or a file of the site, every anchor to a place in it", () => {
  const broken: string[] = [];
  let followed = 0;
  for (const name of filesOf(out, ".html")) {
    for (const link of linksOf(read(name))) {
      if (/^(data:|https:\/\/example\.org\/paper$)/.test(link)) continue;
      const [to, anchor] = link.split("#") as [string, string?];
      const target = to === "" ? name : join(dirname(name), to);
      const isThere = existsSync(join(out, target)) && (!anchor || read(target).includes(` id="${anchor}"`));
      if (!isThere) broken.push(`${name}: ${link}`);
      followed++;
    }
  }
  assert.deepEqual(broken, []);
  assert.ok(followed > 100, `only ${followed}`);
  assert.ok(linksOf(read("index.html")).includes("docs/index.html#all-of-it"));
  assert.ok(linksOf(read("docs/long.html")).includes("../notebooks/small.html#numbers"));
});

test("a page with an executed notebook holds what the notebook showed", () => {
  const page = read("notebooks/small.html");
  for (const part of [
    "all cells ran",
    'class="luvit-figure"',
    "a line that is written",
    '"../docs/long.html"',
  ])
    assert.ok(page.includes(part), part);
});

test("a page of a study has its figure, and every mean with its interval as the library computes it", async () => {
  const page = read("studies/detect.html");
  const table = await io.readTable(join(root, "data", "studies", "detect.arrow"));
  const rows = table.toArray().map((row) => row.toJSON());
  let seen = 0;
  for (const metric of new Set(rows.map((row) => row.metric))) {
    const [of, against] = ["LUViT", "ViT"].map((variant) =>
      rows
        .filter((row) => row.metric === metric && row.variant === variant)
        .sort((a, b) => a.seed - b.seed)
        .map(({ value }) => value),
    );
    const { mean, halfWidth } = analysis.seedStatistics(of!);
    const difference = analysis.seedStatistics(of!.map((value, i) => value - against![i]));
    if (mean < 0.1) continue;
    const isSeen = difference.interval[0] > 0 || difference.interval[1] < 0;
    assert.ok(
      page.includes(`<td>${mean.toFixed(2)} ± ${halfWidth.toFixed(2)}</td><td>${isSeen ? "<b>" : ""}`),
    );
    seen++;
  }
  assert.ok(seen > 5);
  for (const name of ["detect", "distill", "llavit", "nobody-knows-it"])
    assert.ok(read(`studies/${name}.html`).includes('class="luvit-figure"'), name);
  assert.ok(page.includes(`commit ${rows[0].commit}`));
});

test("a study of settings is drawn model beside model, and a model is compared within its setting", async () => {
  const page = read("studies/sign.html");
  const table = await io.readTable(join(root, "data", "studies", "sign.arrow"));
  const rows = table.toArray().map((row) => row.toJSON());
  const valuesOf = (variant: string, metric: string, layer: string | null) =>
    rows
      .filter((row) => row.variant === variant && row.metric === metric && row.layer === layer)
      .sort((a, b) => a.seed - b.seed)
      .map(({ value }): number => value);
  const figure = JSON.parse(/class="luvit-figure">(\{.*?\})<\/script>/.exec(page)![1]!) as {
    data: { name: string; x: string[]; y: number[] }[];
  };
  assert.deepEqual(
    figure.data.map(({ name }) => name),
    ["ViT", "LUViT"],
  );
  const share = "background entropy above, mean over heads (% of images)";
  for (const { name, x, y } of figure.data) {
    assert.deepEqual(x.slice(0, 3), ["as in the ablations", "not pretrained", "600 images"]);
    for (const [i, setting] of x.entries()) {
      const variant = i === 0 ? name : `${name}, ${setting}`;
      const layer = setting.startsWith("twice") ? "blocks.5" : "blocks.3";
      assert.equal(y[i], analysis.seedStatistics(valuesOf(variant, share, layer)).mean, variant);
    }
  }
  const [of, beside] = ["LUViT", "ViT"].map((model) =>
    valuesOf(`${model}, not pretrained`, "top-1 (%)", null),
  );
  const { mean, halfWidth } = analysis.seedStatistics(of!.map((value, i) => value - beside![i]!));
  const text = `${mean.toFixed(2)} ± ${halfWidth.toFixed(2)}`.replace("-", "−");
  assert.ok(page.includes(`<td>LUViT, not pretrained</td>`) && page.includes(text), text);
});

test("a page that was made before is taken, and run anew when its notebook is newer", () => {
  const again = build(root);
  assert.match(again.stdout, /^taken: .*small\.html$/m);
  assert.match(first.stdout, /^running: .*small\.ipynb$/m);
});

test("links to nothing and to headings that are not there are all named, and no site is promised", () => {
  const more = { "docs/bad.md": "# Bad\n\n[a](gone.md), [b](long.md#nowhere), [c](../../outside.md)\n" };
  const faulty = smallRepository(more);
  writeFileSync(
    join(faulty, "notebooks", "small.ipynb"),
    '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
  );
  const { status, stderr } = build(faulty);
  assert.equal(status, 1);
  for (const link of ["gone.md", "long.md#nowhere", "../../outside.md", "../notebooks/small.ipynb#numbers"])
    assert.match(stderr, new RegExp(`links to ${link.replaceAll(".", "\\.")}, `));
});

const violations = `axe.run(document, { preload: false, resultTypes: ["violations"] }).then(({ violations }) => violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + ": " + target.join(" ") + " " + failureSummary)))`;
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** A page in which one thing after another is opened below an address, and what went wrong in it. */
async function open(base: string, view: object): Promise<{ page: Page; troubles: string[] }> {
  const context = await browser.newContext(view);
  const troubles: string[] = [];
  await context.route(
    (url) => url.protocol.startsWith("http") && !url.href.startsWith(base),
    async (route) => {
      troubles.push(`asked for ${route.request().url()}`);
      await route.abort();
    },
  );
  const page = await context.newPage();
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") troubles.push(message.text());
  });
  return { page, troubles };
}

const bases = () => [
  `${pathToFileURL(out).href}/`,
  `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
];

test("opened from disk and from a server no page asks for anything outside it, or complains", {
  skip,
  ...options,
}, async () => {
  for (const base of bases()) {
    const { page, troubles } = await open(base, { viewport: { width: 1200, height: 900 } });
    for (const name of filesOf(out, ".html")) {
      await page.goto(base + name);
      assert.equal(
        await page.evaluate("getComputedStyle(document.querySelector('.skip')).position"),
        "absolute",
      );
      assert.deepEqual(troubles, [], base + name);
    }
    await page.context().close();
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`in ${colorScheme} colors axe finds nothing serious, and at 390 px nothing is wider than the window`, {
    skip,
    ...options,
  }, async () => {
    const grounds = new Set<string>();
    const base = bases()[0]!;
    const { page, troubles } = await open(base, { viewport: { width: 390, height: 800 }, colorScheme });
    for (const name of filesOf(out, ".html")) {
      await page.goto(base + name);
      assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 390, name);
      await page.evaluate(axe);
      assert.deepEqual(await page.evaluate(violations), [], `${name}, ${colorScheme}`);
      grounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
      assert.deepEqual(troubles, [], name);
    }
    await page.context().close();
    assert.deepEqual([...grounds], [colorScheme === "dark" ? "rgb(20, 23, 28)" : "rgb(255, 255, 255)"]);
  });
}

test("with keys alone one skips to the content, and sees where one is", { skip, ...options }, async () => {
  const base = bases()[0]!;
  const { page } = await open(base, { viewport: { width: 1200, height: 900 } });
  await page.goto(`${base}docs/long.html`);
  const at = () => page.evaluate<string>("document.activeElement.outerHTML.slice(0, 200)");
  await page.keyboard.press("Tab");
  assert.match(await at(), /class="skip"/);
  assert.ok((await page.evaluate<number>("document.activeElement.getBoundingClientRect().top")) >= 0);
  await page.keyboard.press("Enter");
  assert.match(await at(), /<main id="content"/);
  await page.keyboard.press("Tab");
  assert.match(await at(), /<a href="#formulas-and-tables"/);
  assert.equal(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid");
});
