import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import sharp from "sharp";
import { attentionViewer, ImageFigure, imageGrid, mapGrid, overlays } from "../../../src/figures";
import { mimeBundleOf } from "../../../src/notebook/mime";
import { assertRejects, temporaryFolder } from "../train/support";
import { syntheticMaps } from "./syntheticMaps";

const image = {
  width: 16,
  height: 16,
  data: Uint8Array.from({ length: 3 * 256 }, (_, i) => (i * 7) % 256),
};
const map = { width: 4, height: 4, values: Array.from({ length: 16 }, (_, i) => i) };
const mask = { ...map, values: map.values.map((value) => (value > 9 ? 1 : 0)) };

const made: [string, () => Promise<ImageFigure>, images: number, words: string[]][] = [
  [
    "a grid of images",
    () => imageGrid([[image, image], [image]], { columnTitles: ["a < b", "c"], rowLabels: ["one", "two"] }),
    3,
    ["a &lt; b", "c", "one", "two"],
  ],
  [
    "maps beside images",
    () =>
      mapGrid({
        columns: [
          { title: "image", images: [image] },
          { title: "entropy", maps: [map], unit: "nats" },
        ],
      }),
    2,
    ["image", "entropy", "0 – 15 nats"],
  ],
  [
    "overlays",
    () =>
      overlays({
        ...{ images: [image, image], maps: [map, map], masks: [mask, undefined] },
        ...{ titles: ["first", "second"], zTitle: "entropy (nats)" },
      }),
    2,
    ["first", "second", "entropy (nats)"],
  ],
];

describe("images", () => {
  for (const [name, make, images, words] of made) {
    it(`${name} are saved as SVG, its words as words, and look as the PNG does`, async () => {
      const shown = await make();
      const folder = temporaryFolder();
      const svg = readFileSync(await shown.save(join(folder, "shown.svg")), "utf8");
      assert.equal(svg.match(/<image /g)?.length, images);
      for (const word of words) assert.ok(svg.includes(`>${word}<`), word);
      const png = readFileSync(await shown.save(join(folder, "shown.PNG")));
      assert.deepEqual(png, Buffer.from(shown.png));
      const pixels = async (bytes: Buffer): Promise<Uint8Array> =>
        sharp(bytes).ensureAlpha().raw().toBuffer();
      const [a, b] = [await pixels(Buffer.from(svg)), await pixels(png)];
      assert.equal(a.length, b.length);
      const apart = a.reduce((sum, value, index) => sum + Math.abs(value - b[index]!), 0) / a.length;
      assert.ok(apart < 1, `${apart} levels apart`);
    });

    it(`${name} are shown with every word in the page's own letters`, async () => {
      const bundle = await mimeBundleOf(await make());
      const html = String(bundle["text/html"]);
      assert.equal(html.match(/<img src="data:image\/webp/g)?.length, images);
      for (const word of words) assert.ok(html.includes(`>${word}<`), word);
      assert.ok("image/png" in bundle, "and as one image where there is no HTML");
      assert.doesNotMatch(html, /<script|<svg/);
    });
  }

  it("given as PNG only have it in their SVG", async () => {
    const { png } = await imageGrid([[image]]);
    const svg = await new ImageFigure({ png, width: 160, height: 160, alt: "a & b" }).toSvg();
    assert.match(
      svg,
      /<title>a &amp; b<\/title><image width="160" height="160" href="data:image\/png;base64,/,
    );
  });

  it("are refused under other endings", async () => {
    const shown = await imageGrid([[image]]);
    await assertRejects(shown.save("x.gif"), "bad-argument", "x.gif ends in none of .png, .svg");
  });

  it("that stand still for a viewer are saved as both, too", async () => {
    const viewer = await attentionViewer(syntheticMaps({ grid: 4, layers: { "blocks.0": 2 } }));
    const folder = temporaryFolder();
    const svg = readFileSync(await viewer.save(join(folder, "viewer.svg")), "utf8");
    assert.match(svg, /^<svg .*class token looks at.*<\/svg>$/s);
    assert.deepEqual(
      readFileSync(await viewer.save(join(folder, "viewer.png"))),
      Buffer.from(viewer.image.png),
    );
  });
});
