import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { Script } from "node:vm";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import { rowWeights } from "../../../src/analysis/quantizedRows";
import { Rng } from "../../../src/core/rng";
import { attentionViewer } from "../../../src/figures";
import { Evidence } from "../../../src/figures/attention/browser/evidence";
import { explanation, hint, hints } from "../../../src/figures/attention/browser/guide";
import { readModels, type ViewerHeader } from "../../../src/figures/attention/browser/payload";
import {
  entropyRow,
  headRow,
  maxRow,
  meanRow,
  objectShare,
  patchRange,
  rolloutRow,
  strongestPatch,
} from "../../../src/figures/attention/browser/rows";
import {
  layerNames,
  movedQuery,
  percent,
  startState,
  tokenName,
} from "../../../src/figures/attention/browser/state";
import { sentencesOf } from "../../../src/figures/attention/browser/words";
import { show } from "../../../src/notebook";
import { captureDisplays } from "../../../src/notebook/tslab";
import { assertRejects, temporaryFolder } from "../train/support";
import { syntheticMaps } from "./syntheticMaps";

/** What a viewer's HTML carries, as the page reads it. */
function contentsOf(html: string) {
  const part = (name: string) => new RegExp(`class="luvit-attention-${name}">([^<]*)<`).exec(html)![1]!;
  const header = JSON.parse(part("header")) as ViewerHeader;
  const bytes = gunzipSync(Buffer.from(part("data"), "base64"));
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  return { header, layers: readModels(header, buffer).map((one) => one.layers), total: bytes.length };
}

const square = (side: number) => ({ rows: side, columns: side });
const toy = { grid: 4, layers: { "blocks.0": 3, "blocks.1": 3, "llama.layers.0": 2 } };

describe("what the viewer says of itself", () => {
  it("speaks of a frame only where one is drawn: around a patch, not for the class token", () => {
    for (const view of ["mean", "max", "head", "rollout", "entropy", "relevance", "lens", "norms"] as const)
      assert.doesNotMatch(explanation(view, 0), /frame/);
    assert.match(explanation("mean", 7), /where the framed patch, the query, looks most/);
    assert.match(explanation("mean", 0), /where the class token, the query, looks most/);
    assert.doesNotMatch(hint({ pinned: true, query: 0 }), /frame/);
    assert.match(hint({ pinned: true, query: 3 }), /^The frame is pinned/);
    for (const query of [0, 3])
      for (const pinned of [true, false])
        assert.ok(hints.includes(hint({ pinned, query })), "room is kept for each of them");
  });
});

describe("the attention viewer", () => {
  it("carries every level, scale and entropy of its maps, byte for byte", async () => {
    const maps = [
      syntheticMaps(toy),
      syntheticMaps({ ...toy, seed: 2, layers: { "blocks.0": 3, "blocks.1": 3 } }),
    ];
    const { header, layers, total } = contentsOf((await attentionViewer(maps)).html);
    assert.deepEqual(
      header.models.map(({ title, grid, leftOut }) => [title, grid, leftOut]),
      [
        ["model A", { rows: 4, columns: 4 }, []],
        ["model B", { rows: 4, columns: 4 }, []],
      ],
    );
    let read = 0;
    for (const [index, one] of maps.entries()) {
      assert.deepEqual(layers[index]!.map(({ name, heads }) => [name, heads]), Object.entries(index === 0 ? toy.layers : { "blocks.0": 3, "blocks.1": 3 })); // biome-ignore format: one line
      for (const [i, layer] of layers[index]!.entries()) {
        const { pattern, rollout, entropy } = one.layers[i]!;
        assert.deepEqual([...layer.levels], [...pattern.levels]);
        assert.deepEqual([...layer.greatest], [...pattern.greatest]);
        assert.deepEqual([...layer.entropy], [...entropy]);
        assert.deepEqual([...layer.rolloutLevels], [...rollout.levels]);
        assert.deepEqual([...layer.rolloutGreatest], [...rollout.greatest]);
        read +=
          pattern.levels.length +
          rollout.levels.length +
          4 * (pattern.greatest.length * 2 + rollout.greatest.length);
      }
    }
    assert.equal(read, total, "and nothing else");
  });

  it("keeps a small image to the last bit, and a photograph's size as JPEG", async () => {
    const layers = { "blocks.0": 1 };
    const imageOf = async (side: number) => {
      const { html } = await attentionViewer(syntheticMaps({ grid: 4, side, layers }));
      return contentsOf(html).header.models[0]!.image;
    };
    assert.match(await imageOf(32), /^data:image\/png;/);
    assert.match(await imageOf(224), /^data:image\/jpeg;/);
  });

  it("keeps all toy layers, and of a ViT-B as many layers of 12 heads as fit 2 MB, the last among them", async () => {
    const layers = Object.fromEntries(Array.from({ length: 12 }, (_, k) => [`blocks.${k}`, 12]));
    const maps = syntheticMaps({ grid: 14, side: 224, layers, sharpness: 3 });
    const viewer = await attentionViewer(maps);
    const { header } = contentsOf(viewer.html);
    const names = header.models[0]!.layers.map(({ name }) => name);
    assert.ok(Buffer.byteLength(viewer.html) < 2_000_000, `${Buffer.byteLength(viewer.html)} bytes`);
    assert.ok(names.length >= 2 && names.includes("blocks.11"), names.join());
    assert.equal(names.length + header.models[0]!.leftOut.length, 12);
    const path = viewer.save(join(temporaryFolder(), "vit-b.html"));
    assert.ok(readFileSync(path).length < 2_000_000);
    const two = await attentionViewer([maps, maps], { layers: ["blocks.11"] });
    assert.ok(Buffer.byteLength(two.html) < 2_000_000);
    await assertRejects(
      attentionViewer(maps, { layers: Object.keys(layers) }),
      "bad-argument",
      "blocks.0",
      "maxBytes",
    );
  });

  it("never takes more than maxBytes, though numbers of several kinds take more together than alone", async () => {
    const layers = Object.fromEntries(Array.from({ length: 8 }, (_, k) => [`blocks.${k}`, 1]));
    const maps = syntheticMaps({ grid: 8, layers });
    const rng = new Rng(5);
    // Sixteen levels of its own in each layer: alone four bits a number, seven where one code serves all.
    for (const [k, { pattern, rollout, entropy }] of maps.layers.entries()) {
      pattern.levels.forEach((_, i) => {
        pattern.levels[i] = 16 * k + rng.integer(16);
      });
      rollout.levels.fill(0);
      entropy.fill(1);
    }
    const sizeAt = async (maxBytes: number) =>
      Buffer.byteLength((await attentionViewer(maps, { maxBytes })).html);
    const all = await sizeAt(1e7);
    const one = Buffer.byteLength((await attentionViewer(maps, { layers: ["blocks.7"] })).html);
    for (let maxBytes = one + 2000; maxBytes < all; maxBytes += Math.floor((all - one) / 12))
      assert.ok((await sizeAt(maxBytes)) <= maxBytes, `${await sizeAt(maxBytes)} of ${maxBytes} bytes`);
  });

  it("refers to nothing outside itself and is one script that compiles", async () => {
    const { html } = await attentionViewer(syntheticMaps(toy), { title: 'a <b> & "c"' });
    const references =
      /https?:|\bfetch\(|XMLHttpRequest|WebSocket|import\(|@import|url\(|<iframe| (?:src|href)="(?!data:)/;
    assert.equal(references.exec(html)?.[0], undefined);
    const scripts = [...html.matchAll(/<script(?: [^>]*)?>([\s\S]*?)<\/script>/g)];
    assert.equal(scripts.length, 3);
    new Script(scripts[2]![1]!);
    assert.match(html, /a &lt;b&gt; &amp; &quot;c&quot;/);
    assert.ok(scripts[2]![1]!.length < 60_000, `${scripts[2]![1]!.length} characters of script`);
  });

  it("shows a still image where no script runs: one row per model, described in words", async () => {
    const maps = syntheticMaps(toy);
    const viewer = await attentionViewer([maps, maps], { labels: ["LUViT", "ViT"] });
    const { width, height } = await sharp(Buffer.from(viewer.image.png)).metadata();
    assert.deepEqual([width, height], [viewer.image.width, viewer.image.height]);
    assert.match(
      viewer.image.alt,
      /LUViT, ViT block 2 \(blocks\.1\), mean of 3 heads: the patch in row 3, column 3/,
    );
    const image = /<img src="data:image\/webp;base64,([^"]+)"/.exec(viewer.html)![1]!;
    const still = await sharp(Buffer.from(image, "base64")).metadata();
    assert.deepEqual([still.width, still.height, still.hasAlpha], [width, height, true]);
    assert.ok(viewer.html.includes(`alt="${viewer.image.alt}"`));
  });

  it("is one bundle in notebooks and a line with the numbers elsewhere", async () => {
    const viewer = await attentionViewer(syntheticMaps(toy));
    const bundle = Reflect.get(viewer, Symbol.for("Jupyter.display")).call(viewer);
    const mimes = ["image/png", "text/html", "text/plain"];
    assert.deepEqual(Object.keys(bundle).sort(), mimes);
    const shown: Record<string, unknown>[] = [];
    const restore = captureDisplays(({ data }) => shown.push(data));
    show(viewer);
    restore();
    assert.deepEqual(Object.keys(shown[0]!).sort(), mimes);
    assert.ok(shown.length === 1 && shown[0]!["text/html"] === viewer.html);
    assert.match(
      inspect(viewer),
      /^AttentionViewer: model, ViT block 2 .* looks most at .* \(\d+\.\d+\u00a0%\)\.$/,
    );
  });

  it("shows images that are not square, wide or tall, in rows and columns of patches", async () => {
    for (const grid of [
      { rows: 2, columns: 5 },
      { rows: 5, columns: 2 },
    ]) {
      const maps = syntheticMaps({ ...toy, grid, side: 16 * grid.columns });
      const viewer = await attentionViewer(maps);
      const { header, layers } = contentsOf(viewer.html);
      assert.deepEqual(header.models[0]!.grid, grid);
      assert.equal(layers[0]![0]!.tokens, 11);
      const image = await sharp(Buffer.from(header.models[0]!.image.split(",")[1]!, "base64")).metadata();
      assert.deepEqual([image.width, image.height], [16 * grid.columns, 16 * grid.rows]);
      assert.match(
        viewer.summary,
        grid.rows === 2 ? /the patch in row 2, column 3/ : /the patch in row 3, column 2/,
      );
    }
    const wide = syntheticMaps({ ...toy, grid: { rows: 2, columns: 5 } });
    const tall = syntheticMaps({ ...toy, grid: { rows: 5, columns: 2 } });
    await assertRejects(attentionViewer([wide, tall]), "bad-argument", "2 × 5 and 5 × 2");
  });

  it("saves a page or an image, and refuses other endings", async () => {
    const viewer = await attentionViewer(syntheticMaps(toy));
    const folder = temporaryFolder();
    assert.match(
      readFileSync(viewer.save(join(folder, "a.html")), "utf8"),
      /^<!doctype html>[\s\S]*<\/html>\n$/,
    );
    assert.equal(
      readFileSync(viewer.save(join(folder, "a.png")))
        .subarray(1, 4)
        .toString(),
      "PNG",
    );
    assert.throws(() => viewer.save(join(folder, "a.gif")), /a\.gif ends in none of \.html, \.png/);
  });

  it("refuses three models, other grids, missing labels and layers nobody has, all at once", async () => {
    const [four, two] = [syntheticMaps(toy), syntheticMaps({ ...toy, grid: 2 })];
    await assertRejects(attentionViewer([four, two], { labels: ["a"] }), "bad-argument", "4 × 4 and 2 × 2", "2 models need as many labels, got 1"); // biome-ignore format: one line
    await assertRejects(attentionViewer([four, four, four]), "bad-argument", "got 3");
    await assertRejects(
      attentionViewer(four, { layers: ["blocks.7"] }),
      "bad-argument",
      "blocks.7",
      "blocks.0, blocks.1",
    );
  });
});

describe("the viewer's numbers", () => {
  const maps = syntheticMaps(toy);
  const { pattern, rollout, entropy } = maps.layers[0]!;
  const layer = {
    ...{
      name: "blocks.0",
      heads: 3,
      ...{ tokens: 17, columns: 4, step: 1, rows: 17 },
      levels: pattern.levels,
      greatest: pattern.greatest,
      entropy,
    },
    ...{ rolloutLevels: rollout.levels, rolloutGreatest: rollout.greatest },
  };
  const near = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    assert.ok(Array.from(a).every((value, i) => Math.abs(value - b[i]!) < 1e-6));

  it("are the rows of one head, their mean and maximum over heads, and the rollout's", () => {
    for (const query of [0, 5, 16]) {
      const rows = [0, 1, 2].map((head) => rowWeights(pattern, head * 17 + query));
      near(headRow(layer, 1, query), rows[1]!);
      near(
        meanRow(layer, query),
        rows[0]!.map((_, key) => (rows[0]![key]! + rows[1]![key]! + rows[2]![key]!) / 3),
      );
      near(
        maxRow(layer, query),
        rows[0]!.map((_, key) => Math.max(...rows.map((row) => row[key]!))),
      );
      near(rolloutRow(layer, query), rowWeights(rollout, query));
    }
    near(entropyRow(layer, 2), entropy.subarray(34));
    near(
      entropyRow(layer),
      entropyRow(layer, 0).map((_, t) => (entropy[t]! + entropy[17 + t]! + entropy[34 + t]!) / 3),
    );
  });

  it("leave the class token out of the range and of the strongest patch", () => {
    const row = Float32Array.from([0.9, 0.1, 0.4, 0.2]);
    assert.deepEqual(
      patchRange(row).map((value) => value.toFixed(1)),
      ["0.1", "0.4"],
    );
    assert.equal(strongestPatch(row), 2);
  });

  it("compare the object's share of the weight with its share of the patches", () => {
    const row = Float32Array.from([0.5, 0.3, 0.1, 0.1, 7]);
    const share = objectShare(row, [1, 0, 0, -1])!;
    assert.ok(Math.abs(share.weight - 0.6) < 1e-6);
    assert.ok(Math.abs(share.area - 1 / 3) < 1e-12);
    assert.equal(objectShare(row, [1, 1, 1, -1]), undefined);
  });

  it("are said in words", () => {
    const row = Float32Array.from([0.2, 0.1, 0.7]);
    const none = {
      evidence: new Evidence({ labels: [], choices: [] }, { grid: square(2), stages: [] }, new Map()),
      className: "",
      method: "",
    };
    const tiny = { ...layer, heads: 1, tokens: 3, entropy: Float32Array.from([0.8, 0, 0]) };
    const shown = {
      layer: tiny,
      wanted: "blocks.0",
      view: "mean" as const,
      head: 0,
      query: 0,
      grid: square(2),
      ...none,
      row,
    };
    assert.deepEqual(sentencesOf(shown), [
      "The class token looks most at row 1, column 2 (70.0\u00a0%).",
      "Mean entropy of the heads: 0.80\u00a0nats of at most ln 3 = 1.10.",
    ]);
    assert.equal(
      sentencesOf({ ...shown, hovered: 1 })[0],
      "Under the pointer, row 1, column 1: 10.0\u00a0%.",
    );
  });
});

describe("the viewer's state", () => {
  const header = (names: readonly string[]) => ({
    ...{ title: "", image: "", grid: square(8), leftOut: [] },
    layers: names.map((name) => ({ name, heads: 2, step: 1 })),
    ...{ stages: names.map((name) => ({ name, heads: 2 })), sections: [] },
  });
  const start = (...models: ReturnType<typeof header>[]) => startState({ models, methods: [] });

  it("starts at the last ViT block and the middle patch", () => {
    const state = start(header(["blocks.0", "blocks.1", "llama.layers.0"]), header(["blocks.0", "blocks.1"]));
    assert.deepEqual([state.layer, state.query, state.view, state.heads], ["blocks.1", 37, "mean", [0, 0]]);
    assert.deepEqual(layerNames([header(["blocks.0"]), header(["blocks.0", "llama.layers.0"])]), ["blocks.0", "llama.layers.0"]); // biome-ignore format: one line
  });

  it("moves with the arrow keys and stops at the edges", () => {
    assert.deepEqual(
      ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "c", "x"].map((key) =>
        movedQuery(1, key, square(8)),
      ),
      [1, 2, 1, 9, 1, 8, 0, undefined],
    );
    assert.equal(movedQuery(64, "ArrowDown", square(8)), 64);
    assert.equal(movedQuery(0, "ArrowDown", square(8)), 1);
  });

  it("moves, stops and counts by rows and columns where they differ", () => {
    const wide = { rows: 2, columns: 5 };
    assert.equal(start({ ...header(["blocks.0"]), grid: wide }).query, 8);
    assert.deepEqual(
      ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].map((key) =>
        movedQuery(8, key, wide),
      ),
      [7, 9, 3, 8, 6, 10],
    );
    assert.equal(tokenName(8, wide), "row 2, column 3");
    assert.equal(tokenName(8, { rows: 5, columns: 2 }), "row 4, column 2");
  });

  it("names tokens and shares for people", () => {
    assert.deepEqual(
      [tokenName(0, square(8)), tokenName(10, square(8))],
      ["the class token", "row 2, column 2"],
    );
    assert.deepEqual([0.0123, 0.123, 0.9999].map(percent), ["1.23\u00a0%", "12.3\u00a0%", "100\u00a0%"]);
  });
});
