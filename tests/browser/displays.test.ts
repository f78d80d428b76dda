import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { imageGrid, overlays } from "../../src/figures";
import { table } from "../../src/notebook";
import type { LiveRecord } from "../../src/notebook/liveRun";
import { LiveRunView } from "../../src/notebook/liveView";
import { mimeBundleOf } from "../../src/notebook/mime";
import { pageStyle } from "../../src/notebook/pageStyle";
import { type Browser, blankPage, launch, skip } from "./chromium";

let browser: Browser;
before(async () => {
  if (!skip) browser = await launch();
});
after(() => browser?.close());

/** A page of ours with displays in it, in a width. */
async function open(html: string, width: number) {
  const { page } = await blankPage(browser, { viewport: { width, height: 900 } });
  await page.setContent(
    `<html><head><style>${pageStyle}</style></head><body><main><section class="cell"><div class="output">${html}</div></section></main></body></html>`,
  );
  return page;
}

const widths = [1200, 600, 390];

test("a live run is as high before its first step as at its end", { skip }, async () => {
  const history = Array.from({ length: 200 }, (_, i): LiveRecord => {
    const record = {
      step: i + 1,
      epoch: i / 20,
      loss: 2 / (i + 1),
      lr: 1e-3,
      imagesPerSecond: 64.25,
    };
    return (i + 1) % 20 === 0 ? { ...record, top1: i / 3 } : record;
  });
  const engine = "onnxruntime cpu (2 threads, float32), one graph";
  const shown = (steps: number, state: "running" | "done") => {
    const run = {
      ...{ name: "pretrain", totalSteps: 200, epochs: 10, history: history.slice(0, steps), state },
      engine: steps > 0 ? engine : undefined,
      done: Promise.resolve(),
      onRecord: () => () => {},
    };
    const view = new LiveRunView(run);
    if (state === "done") view.end("done");
    return view.html();
  };
  for (const width of widths) {
    const heights = [];
    for (const [steps, state] of [
      [0, "running"],
      [1, "running"],
      [90, "running"],
      [200, "done"],
    ] as const) {
      const page = await open(shown(steps, state), width);
      heights.push(await page.evaluate<number>(`document.querySelector(".luvit-live").clientHeight`));
    }
    assert.equal(new Set(heights).size, 1, `${heights} at ${width}`);
  }
});

test("tables of results show every digit on a phone", { skip }, async () => {
  const rows = ["LUViT", "ViT"].map((model) => ({
    ...{ model, original: 93.333, mixedSame: 85, mixedRand: 72.5, backgroundGap: 12.5 },
  }));
  const parts = ["llama_dim_mapper1", "decoder_pos_embed"].map((part) => ({
    ...{ part, tensors: 48, parameters: 199_936, trainable: 199_936 },
  }));
  for (const [width, records] of widths.flatMap(
    (each) =>
      [
        [each, rows],
        [each, parts],
      ] as const,
  )) {
    const page = await open(table(records).toHtml(), width);
    const [inner, outer] = await page.evaluate<[number, number]>(
      `[document.querySelector("table").scrollWidth, document.querySelector(".output").clientWidth]`,
    );
    assert.ok(inner <= outer, `${inner} in ${outer}`);
  }
});

test("words of images keep their size where their images shrink", { skip }, async () => {
  const image = { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64).fill(90) };
  const map = { width: 8, height: 8, values: Array.from({ length: 64 }, (_, i) => i) };
  const grid = await imageGrid([Array(6).fill(image)], {
    columnTitles: ["circle", "cross", "ring", "square", "star", "triangle"],
  });
  const tinted = await overlays({
    ...{ images: [image, image, image, image], maps: [map, map, map, map], zTitle: "entropy (nats)" },
    titles: ["first", "second", "third", "fourth"],
  });
  for (const shown of [grid, tinted]) {
    const html = String((await mimeBundleOf(shown))["text/html"]);
    const sides = [];
    for (const width of widths) {
      const page = await open(html, width);
      const found = await page.evaluate<{ page: number; words: number[]; image: number }>(`({
        page: document.documentElement.scrollWidth,
        words: [...document.querySelectorAll(".luvit-image span, .luvit-image td div")].map((one) => parseFloat(getComputedStyle(one).fontSize)),
        image: document.querySelector(".luvit-image img").clientWidth,
      })`);
      assert.ok(found.page <= width);
      assert.ok(found.words.length >= 4 && Math.min(...found.words) >= 12, String(found.words));
      sides.push(found.image);
    }
    assert.ok(sides[0]! > sides[2]! && sides[2]! > 40, String(sides));
  }
});
