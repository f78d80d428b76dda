import assert from "node:assert/strict";
import { describe, it } from "node:test";
import sharp from "sharp";
import { LensMaps } from "../../../src/analysis/lens/lens";
import { LuvitError } from "../../../src/core/errors";
import {
  colormap,
  type ImageFigure,
  imageGrid,
  lensMaps,
  mapGrid,
  overlays,
  reconstructionGrid,
} from "../../../src/figures";
import { colormapTable } from "../../../src/figures/colormap";
import type { RgbImage } from "../../../src/figures/image";
import { overlayMap } from "../../../src/figures/maps";
import { maskOutline } from "../../../src/figures/svg/patchPaths";

/** An image of one color. */
function plain(width: number, height: number, color: [number, number, number]): RgbImage {
  return {
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, (_, index) => color[index % 3]!),
  };
}

describe("color maps", () => {
  it("rise evenly in lightness from dark to bright", () => {
    for (const name of ["viridis", "magma"] as const) {
      const table = colormapTable(name);
      const lightness = Array.from(
        { length: 256 },
        (_, i) => 0.21 * table[3 * i]! + 0.72 * table[3 * i + 1]! + 0.07 * table[3 * i + 2]!,
      );
      assert.ok(
        lightness.every((value, i) => i === 0 || value >= lightness[i - 1]! - 1.5),
        name,
      );
    }
  });

  it("clamp outside 0..1 and are gray for not-a-number", () => {
    assert.deepEqual(colormap("viridis", -1), colormap("viridis", 0));
    assert.deepEqual(colormap("magma", 7), colormap("magma", 1));
    assert.deepEqual(colormap("magma", Number.NaN), [128, 128, 128]);
  });
});

describe("a color map that there is none of", () => {
  it("is refused with the names of those there are", () => {
    for (const name of ["jet", "", "constructor", undefined]) {
      assert.throws(
        () => colormap(name as "viridis", 0.5),
        (error: unknown) =>
          error instanceof LuvitError && error.code === "bad-argument" && error.message.includes('"viridis"'),
        `${name}`,
      );
    }
  });
});

describe("images", () => {
  it("an overlay mixes image and map, patch by patch", async () => {
    const map = { width: 2, height: 2, values: [0, 1, 1, 0] };
    const mixed = await overlayMap(plain(8, 8, [100, 100, 100]), map, { alpha: 1 });
    assert.deepEqual([...mixed.data.subarray(0, 3)], colormap("viridis", 0));
    assert.deepEqual([...mixed.data.subarray(21, 24)], colormap("viridis", 1));
    const untouched = await overlayMap(plain(8, 8, [100, 100, 100]), map, { alpha: 0 });
    assert.ok(untouched.data.every((value) => value === 100));
  });

  it("a grid places images in equal cells, growing small ones in whole pixels", async () => {
    const image = await imageGrid([[plain(4, 4, [255, 0, 0]), plain(4, 4, [0, 0, 255])]], { scale: 10 });
    assert.deepEqual([image.width, image.height], [86, 40]);
    const { data, info } = await sharp(Buffer.from(image.png)).raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height, info.channels], [86, 40, 4]);
    assert.deepEqual([...data.subarray(0, 4)], [255, 0, 0, 255]);
    assert.deepEqual([...data.subarray(4 * 85, 4 * 86)], [0, 0, 255, 255]);
    assert.equal(data[4 * 42 + 3], 0, "the gap is transparent");
  });

  it("a grid shrinks large images to 160 pixels, and no image to nothing", async () => {
    const size = async (image: RgbImage, options = {}) => {
      const { width, height } = await imageGrid([[image]], options);
      return [width, height];
    };
    assert.deepEqual(await size(plain(320, 200, [1, 2, 3])), [160, 100]);
    assert.deepEqual(await size(plain(400, 1, [1, 2, 3]), { cell: 100 }), [100, 1]);
    assert.deepEqual(await size(plain(2, 900, [1, 2, 3]), { scale: 0.01 }), [1, 9]);
  });

  it("a grid is as wide as its longest row, wherever that is, with every image in its column", async () => {
    const [one, rows] = [plain(4, 2, [255, 0, 0]), [1, 3, 2]];
    const image = await imageGrid(
      rows.map((count) => Array<RgbImage>(count).fill(one)),
      { cell: 20, columnTitles: ["a", "b", "c"], captions: [["x"], ["y", undefined, "z"]] },
    );
    const [head, below] = [13 + 10, 13 + 7];
    assert.deepEqual([image.width, image.height], [3 * 20 + 2 * 6, head + 3 * (10 + below) + 3 * 6]);
    const svg = await image.toSvg();
    const places = [...svg.matchAll(/<image x="(\d+)" y="(\d+)" width="20" height="10"/g)];
    const top = (row: number) => head + row * (10 + below + 6);
    assert.deepEqual(
      places.map(([, x, y]) => [Number(x), Number(y)]),
      rows.flatMap((count, row) => Array.from({ length: count }, (_, x) => [26 * x, top(row)])),
    );
    const html = String((image as unknown as Record<symbol, () => object>)[Symbol.for("Jupyter.display")]()["text/html" as never]); // biome-ignore format: one line
    assert.match(html, /max-width:78px/);
    assert.deepEqual(
      html
        .split("<tr")
        .slice(2)
        .map((row) => row.match(/<td/g)!.length),
      rows,
    );
  });

  it("the lens's colors are named by how often they are said at the places that are shown", async () => {
    // Of four patches: at "embed" classes 0 and 3, behind the block 2, 2, 2 and 1.
    const said = { embed: [0, 3, 3, 0], "blocks.0.out": [2, 1, 2, 2] };
    const sites = Object.entries(said).map(([site, labels]) => ({
      site,
      logits: Float32Array.from({ length: 5 * 4 }, (_, i) =>
        Number(i % 4 === [1, ...labels][Math.floor(i / 4)]),
      ),
      pooled: Float32Array.of(0, 0, 0, 9),
    }));
    const sample = { image: new Float32Array(3 * 64), path: "a", label: 0, index: 0 };
    const maps = new LensMaps(sample as never, 4, { rows: 2, columns: 2 }, sites, 1);
    const names = async (options: object) => {
      const svg = await (await lensMaps(maps, { cell: 16, ...options })).toSvg();
      return [...svg.matchAll(/<text[^>]*>([^<]+)</g)]
        .map(([, word]) => word)
        .filter((word) => !word!.includes("%"));
    };
    assert.deepEqual(await names({}), ["class 2", "class 0", "class 3", "class 1"]);
    assert.deepEqual(await names({ sites: ["embed"] }), ["class 0", "class 3"]);
    const classNames = ["ant", "bee", "cat"];
    assert.deepEqual(await names({ sites: ["blocks.0.out"], classNames }), ["cat", "bee"]);
    assert.deepEqual(await names({ sites: ["embed"], classNames }), ["ant", "class 3"]);
  });

  it("map and reconstruction grids name their columns", async () => {
    const image = plain(16, 16, [9, 99, 199]);
    const map = { width: 4, height: 4, values: Array.from({ length: 16 }, (_, index) => index) };
    const maps = await mapGrid({
      columns: [
        { title: "image", images: [image] },
        { title: "entropy", maps: [map], unit: "nats" },
      ],
      cell: 64,
    });
    assert.match(maps.alt, /image \| entropy/);
    const rows = await reconstructionGrid(
      [{ original: image, masked: image, predicted: image, combined: image }],
      { cell: 32 },
    );
    assert.match(rows.alt, /original \| masked \| predicted \| predicted \+ visible/);
    await assert.rejects(
      mapGrid({
        columns: [
          { title: "a", images: [image] },
          { title: "b", maps: [] },
        ],
      }),
      /same number/,
    );
  });

  it("overlays put maps on one scale over gray images, with patch lines, an outline and a color bar", async () => {
    const image = plain(16, 16, [200, 0, 0]);
    const map = (value: number) => ({ width: 4, height: 4, values: new Array<number>(16).fill(value) });
    const mask = { width: 4, height: 4, values: [1, 1, 0, 0, ...new Array<number>(12).fill(0)] };
    const options = { images: [image, image], maps: [map(1), map(3)], zTitle: "entropy (nats)", cell: 80 };
    const plainly = await overlays({ ...options, lines: false });
    const outlined = await overlays({ ...options, lines: false, masks: [mask, undefined] });
    assert.equal(plainly.alt, "2 images under entropy (nats), 1 to 3");
    const at = async (shown: ImageFigure, x: number, y: number) => {
      const { data, info } = await sharp(shown.png).raw().toBuffer({ resolveWithObject: true });
      const start = 4 * (y * info.width + x);
      return [...data.subarray(start, start + 3)];
    };
    const gray = Math.floor(0.299 * 200);
    const mixed = (color: readonly number[]) => color.map((c) => Math.round(0.4 * gray + 0.6 * c));
    assert.deepEqual(await at(plainly, 30, 50), mixed(colormap("viridis", 0)));
    assert.deepEqual(await at(plainly, 120, 50), mixed(colormap("viridis", 1)));
    assert.deepEqual(await at(outlined, 40, 10), [255, 255, 255]);
    assert.deepEqual(await at(outlined, 60, 10), await at(plainly, 60, 10));
    await assert.rejects(overlays({ ...options, maps: [map(1)] }), /2 images need as many .* got 1 maps/);
  });

  it("the outline of a mask has every edge between object and rest once", () => {
    const values = [1, 0, 0, 0];
    assert.equal(maskOutline({ width: 2, height: 2, values }, 20, 20), "M0 0V10M0 0H10M10 0V10M0 10H10");
    assert.equal(maskOutline({ width: 2, height: 2, values: [0, 0, 0, 0] }, 20, 20), "");
  });

  it("bytes that do not fit the size are refused", async () => {
    await assert.rejects(
      imageGrid([[{ width: 4, height: 4, data: new Uint8Array(3) }]]),
      /needs 48 bytes, got 3/,
    );
  });
});
