import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import sharp from "sharp";
import { LensMaps } from "../../../src/analysis/lens/lens";
import { RelevanceMap } from "../../../src/analysis/relevance/relevance";
import { unnormalize } from "../../../src/data";
import {
  colormap,
  entropyMaps,
  entropyOverlays,
  featureColors,
  ImageFigure,
  imageGrid,
  lensMaps,
  mapGrid,
  overlays,
  patchSimilarity,
  relevanceMaps,
} from "../../../src/figures";
import { classColor } from "../../../src/figures/classColor";
import { mapImage, type RgbImage, resizeImage, valueRange } from "../../../src/figures/image";
import { imageTable } from "../../../src/figures/imageTable";
import { inGray, overlayMap } from "../../../src/figures/maps";
import { assertRejects, temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";

const plain = (width: number, height: number, color: readonly number[] = [100, 100, 100]): RgbImage => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => color[i % 3]!),
});
const grid = (width: number, height: number, values: ArrayLike<number>) => ({ width, height, values });

/** The images that a figure is put together of, where they lie, and what a pixel of each is. */
async function layersOf(shown: ImageFigure) {
  const found = [
    ...(await shown.toSvg()).matchAll(
      /<image x="([\d.]+)" y="([\d.]+)" width="(\d+)" height="(\d+)" href="data:image\/png;base64,([^"]+)"/g,
    ),
  ];
  return Promise.all(
    found.map(async ([, x, y, width, height, bytes]) => {
      const pixels = await sharp(Buffer.from(bytes!, "base64")).removeAlpha().raw().toBuffer();
      const at = (left: number, top: number) => [
        ...pixels.subarray(3 * (top * Number(width) + left)).subarray(0, 3),
      ];
      return { x: Number(x), y: Number(y), width: Number(width), height: Number(height), at };
    }),
  );
}
const wordsOf = async (shown: ImageFigure) => [...(await shown.toSvg()).matchAll(/<(?:text|tspan)[^>]*>([^<]+)</g)].map(([, word]) => word); // biome-ignore format: one line

describe("maps as images", () => {
  it("have the range of their finite numbers, 0 to 1 where there are none, and the middle where all are one", () => {
    assert.deepEqual(valueRange([3, Number.NaN, -2, Number.POSITIVE_INFINITY]), [-2, 3]);
    assert.deepEqual([valueRange([]), valueRange([Number.NaN]), valueRange([5])], [[0, 1], [0, 1], [5, 5]]); // biome-ignore format: one line
    const colors = (values: number[], range?: [number, number]) => {
      const { data } = mapImage(grid(values.length, 1, values), "magma", range);
      return values.map((_, i) => [...data.subarray(3 * i, 3 * i + 3)]);
    };
    assert.deepEqual(colors([1, 2, 3, Number.NaN]), [0, 0.5, 1].map((at) => colormap("magma", at)).concat([[128, 128, 128]])); // biome-ignore format: one line
    assert.deepEqual(colors([4, 4]), [colormap("magma", 0.5), colormap("magma", 0.5)]);
    assert.deepEqual(colors([0, 5], [0, 10]), [colormap("magma", 0), colormap("magma", 0.5)]);
    assert.deepEqual([...mapImage(grid(1, 1, [1])).data], colormap("viridis", 0.5));
    assert.throws(
      () => mapImage(grid(2, 2, [1, 2, 3])),
      isLuvitError("shape-mismatch", "2 × 2 patches", "got 3"),
    );
  });

  it("grow in whole pixels or smoothly, and stay what they are in their own size", async () => {
    const image = { width: 2, height: 1, data: Uint8Array.of(0, 0, 0, 200, 200, 200) };
    assert.equal(await resizeImage(image, 2, 1, "nearest"), image);
    const { data, width, height } = await resizeImage(image, 4, 3, "nearest");
    assert.deepEqual([width, height, [...data.subarray(12, 24)]], [4, 3, [0, 0, 0, 0, 0, 0, 200, 200, 200, 200, 200, 200]]); // biome-ignore format: one line
    const smooth = await resizeImage(image, 8, 1, "lanczos3");
    assert.ok(new Set(smooth.data).size > 2);
  });

  it("lie over images at six tenths, by squares or blended, their grays by how bright colors are seen", async () => {
    const map = grid(2, 1, [0, 1]);
    const over = async (options: object) =>
      (await overlayMap(plain(16, 4, [200, 100, 0]), map, options)).data;
    const mixed = (at: number, name: "viridis" | "magma" = "viridis") =>
      colormap(name, at).map((c, i) => Math.round(0.4 * [200, 100, 0][i]! + 0.6 * c));
    assert.deepEqual([...(await over({})).subarray(0, 3)], mixed(0));
    assert.deepEqual([...(await over({})).subarray(45, 48)], mixed(1));
    assert.deepEqual(
      [...(await over({ colormap: "magma", range: [0, 2] })).subarray(45, 48)],
      mixed(0.5, "magma"),
    );
    const row = async (smooth: boolean) => {
      const data = await over({ smooth, alpha: 1 });
      return new Set(Array.from({ length: 16 }, (_, x) => data.subarray(3 * x, 3 * x + 3).join())).size;
    };
    assert.equal(await row(false), 2);
    assert.ok((await row(true)) > 4);
    assert.deepEqual([...inGray(plain(1, 1, [200, 100, 50])).data], Array(3).fill(Math.floor(0.299 * 200 + 0.587 * 100 + 0.114 * 50))); // biome-ignore format: one line
    await assertRejects(() => overlayMap({ ...plain(2, 2), width: 3 }, map), "bad-image", "overlayMap: 3 × 2 RGB needs 18 bytes, got 12"); // biome-ignore format: one line
  });
});

describe("a grid of images", () => {
  it("has cells of the widest image's shape: 160 pixels, so many times its size, or so wide", async () => {
    const rows = [[plain(20, 10), plain(10, 30)]];
    const sizes = async (options: object) =>
      (await layersOf(await imageGrid(rows, options))).map(({ x, y, width, height }) => [
        x,
        y,
        width,
        height,
      ]);
    assert.deepEqual(await sizes({}), [[0, 0, 160, 80], [166, 0, 160, 80]]); // biome-ignore format: one line
    assert.deepEqual(await sizes({ scale: 2.5 }), [[0, 0, 50, 25], [56, 0, 50, 25]]); // biome-ignore format: one line
    assert.deepEqual(await sizes({ cell: 40, scale: 9 }), [[0, 0, 40, 20], [46, 0, 40, 20]]); // biome-ignore format: one line
    assert.deepEqual((await sizes({ cell: 40, columnTitles: ["a"] }))[0], [0, 23, 40, 20]);
    assert.deepEqual((await sizes({ cell: 40, rowLabels: ["abcde"] }))[0], [
      Math.ceil(5 * 13 * 0.6) + 12,
      0,
      40,
      20,
    ]);
    const below = await imageGrid([rows[0]!, [plain(20, 10)]], { cell: 40, captions: [["x"]] });
    assert.equal(
      (await layersOf(below))[2]!.y,
      20 + 20 + 6,
      "a caption is 20 pixels high, and 6 are between rows",
    );
    assert.equal(below.height, 2 * 20 + 2 * 20 + 6 + 6);
    await assertRejects(() => imageGrid([[undefined]]), "bad-argument", "imageGrid: no images");
  });

  it("grows small images in whole pixels and large ones smoothly", async () => {
    const edge = { width: 8, height: 1, data: Uint8Array.from({ length: 24 }, (_, i) => (i < 12 ? 0 : 240)) };
    const levels = async (cell: number) => {
      const [layer] = await layersOf(await imageGrid([[edge]], { cell }));
      return new Set(Array.from({ length: cell }, (_, x) => layer!.at(x, 0)[0])).size;
    };
    assert.equal(await levels(16), 2);
    assert.ok((await levels(15)) > 2);
  });

  it("says what it shows, as it is told or by its rows and columns", async () => {
    const alt = async (rows: number, options: object) =>
      (await imageGrid(Array(rows).fill([plain(4, 4), undefined]), { cell: 8, ...options })).alt;
    assert.equal(await alt(1, {}), "1 row of 2 images");
    assert.equal(await alt(2, { columnTitles: ["a", "b"] }), "2 rows of 2 images: a | b");
    assert.equal(await alt(2, { alt: "own" }), "own");
  });

  it("has the names of its colors below, in as many lines as they need", async () => {
    const legend = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ name: "1234567890", color: [i, 2, 3] as const }));
    const wide = 11 + 6 + 10 * 13 * 0.56 + 16;
    const height = async (count: number, cell: number) =>
      (await imageGrid([[plain(4, 4)]], { cell, legend: legend(count) })).height - cell;
    const two = Math.ceil(2 * wide);
    assert.deepEqual(
      [await height(0, two), await height(1, two), await height(2, two), await height(3, two)],
      [0, 28, 28, 48],
    );
    assert.equal(await height(2, Math.floor(2 * wide) - 1), 48);
    const svg = await (await imageGrid([[plain(4, 4)]], { cell: two, legend: legend(3) })).toSvg();
    const squares = [
      ...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="11" height="11" fill="([^"]+)"/g),
    ].map(([, ...all]) => all);
    assert.deepEqual(squares, [["0", `${two + 8}`, "rgb(0,2,3)"], [String(wide), `${two + 8}`, "rgb(1,2,3)"], ["0", `${two + 28}`, "rgb(2,2,3)"]]); // biome-ignore format: one line
  });

  it("is a table in a page: titles, names of rows, words above and below, each image named by them", async () => {
    const cells = [{ image: plain(3, 2), above: "up <", below: "down" }, undefined];
    const html = await imageTable({
      rows: [cells],
      columnTitles: ["c1", "c2"],
      rowLabels: ["r"],
      cell: 50,
      alt: 'all "of it"',
      foot: "<i></i>",
    });
    assert.match(html, /<table aria-label="all &quot;of it&quot;"/);
    assert.match(
      html,
      /<td style="[^"]*"><\/td><th scope="col"[^>]*><span[^>]*>c1<.*<th scope="col"[^>]*><span[^>]*>c2</,
    );
    assert.match(
      html,
      /<th scope="row"[^>]*><span[^>]*>r<.*>up &lt;<.*<img [^>]*alt="c1, up &lt;, down" width="3" height="2"[^>]*><div[^>]*>down<\/div><\/td><td style="[^"]*"><\/td><\/tr><\/table><i><\/i>/,
    );
    assert.match(html, /max-width:192px/);
    const bare = await imageTable({ rows: [[{ image: plain(3, 2) }]], cell: 50, alt: "" });
    assert.doesNotMatch(bare, /<th|<div style/);
    assert.match(bare, /max-width:56px/);
    const [, bytes] = /src="data:image\/webp;base64,([^"]+)"/.exec(bare)!;
    assert.deepEqual([...(await sharp(Buffer.from(bytes!, "base64")).removeAlpha().raw().toBuffer())], [...plain(3, 2).data]); // biome-ignore format: one line
  });
});

describe("an image as a value", () => {
  it("is saved by its ending in any case, shown as what it has, and printed with its size", async () => {
    const { png } = await imageGrid([[plain(2, 2)]], { cell: 4 });
    const bare = new ImageFigure({ png, width: 4, height: 5, alt: "a" });
    const folder = temporaryFolder();
    for (const name of ["A.PNG", "a.png"]) assert.deepEqual(readFileSync(await bare.save(join(folder, name))), Buffer.from(png)); // biome-ignore format: one line
    assert.match(readFileSync(await bare.save(join(folder, "a.Svg")), "utf8"), /viewBox="0 0 4 5"/);
    for (const name of ["a.png.txt", "png", "a.svgz"]) await assertRejects(() => bare.save(join(folder, name)), "bad-argument", name); // biome-ignore format: one line
    assert.equal(inspect(bare), "Image(4 × 5 pixels: a)");
    const bundle = (shown: ImageFigure) => (shown as unknown as Record<symbol, () => object>)[Symbol.for("Jupyter.display")]!(); // biome-ignore format: one line
    assert.deepEqual(bundle(bare), {
      "text/plain": "Image: a",
      "image/png": Buffer.from(png).toString("base64"),
    });
    const own = new ImageFigure({
      png,
      width: 4,
      height: 5,
      alt: "a",
      forms: { svg: async () => "<svg/>", html: "<p>" },
    });
    assert.deepEqual(
      [await own.toSvg(), (bundle(own) as Record<string, unknown>)["text/html"]],
      ["<svg/>", "<p>"],
    );
  });
});

describe("maps beside images", () => {
  it("are as high as their patches are, on their own scale or one for all, which stands below with its unit", async () => {
    const maps = [grid(4, 2, [0, 1, 2, 3, 4, 5, 6, 7]), grid(4, 2, [0, 0, 0, 0, 0, 0, 0, 0.034])];
    const columns = [
      { title: "a", images: [plain(8, 4), plain(8, 4)] },
      { title: "b", maps, unit: "nats" },
      { title: "c", maps, range: [0, 14] as const, colormap: "magma" as const },
    ];
    const shown = await mapGrid({ columns, rowLabels: ["r1", "r2"], cell: 64 });
    const words = await wordsOf(shown);
    for (const word of ["r1", "r2", "0.0 – 7.0 nats", "0.000 – 0.034 nats", "0 – 14"]) assert.ok(words.includes(word), `${word} of ${words}`); // biome-ignore format: one line
    assert.equal(words.filter((word) => word === "0 – 14").length, 2);
    const layers = await layersOf(shown);
    assert.deepEqual(layers.map(({ width, height }) => [width, height]), Array(6).fill([64, 32])); // biome-ignore format: one line
    assert.deepEqual(
      [layers[1]!.at(63, 31), layers[2]!.at(63, 31)],
      [colormap("viridis", 1), colormap("magma", 0.5)],
    );
    assert.deepEqual(
      layers[1]!.at(0, 16),
      colormap("viridis", 4 / 7),
      "the second row of patches lies below",
    );
    assert.equal((await layersOf(await mapGrid({ columns: columns.slice(0, 1) })))[0]!.width, 168);
    const caption = async (values: number[], range?: [number, number]) =>
      (
        await wordsOf(
          await mapGrid({ columns: [{ title: "", maps: [grid(values.length, 1, values)], range }] }),
        )
      ).at(-1);
    assert.equal(await caption([1, 3]), "1.0 – 3.0");
    assert.equal(await caption([0, 12.3]), "0 – 12");
    assert.equal(await caption([0, 2345.6]), "0 – 2,346");
    assert.equal(await caption([2, 2]), "2.0 – 2.0");
    assert.equal(await caption([0, 0.00001]), "0.0000 – 0.0000");
    await assertRejects(() => mapGrid({ columns: [] }), "bad-argument", "same number");
  });

  it("lie over gray images, six tenths strong, in rows of four, each as wide as whole patches", async () => {
    const images = Array.from({ length: 5 }, () => plain(16, 8, [250, 0, 0]));
    const maps = images.map((_, i) => grid(4, 2, Array(8).fill(i)));
    const shown = await overlays({ images, maps, zTitle: "z", lines: false });
    const layers = await layersOf(shown);
    assert.deepEqual(layers.map(({ x, y }) => [x, y]), [0, 1, 2, 3, 4].map((i) => [186 * (i % 4), 98 * Math.floor(i / 4)])); // biome-ignore format: one line
    const mixed = (at: number, alpha: number) =>
      colormap("viridis", at).map((c) => Math.round((1 - alpha) * 74 + alpha * c));
    assert.deepEqual(layers[1]!.at(0, 0), mixed(0.25, 0.6));
    const given = await layersOf(
      await overlays({
        images,
        maps,
        zTitle: "",
        lines: false,
        alpha: 0.9,
        range: [0, 2],
        cell: 50,
        columns: 2,
      }),
    );
    assert.deepEqual(given[1]!.at(0, 0), mixed(0.5, 0.9));
    assert.deepEqual([given[0]!.width, given[2]!.x, given[2]!.y], [52, 0, 36], "13 pixels a patch");
    const one = images.slice(0, 1);
    const wrong = [
      [{ images: one, maps }, "1 images need as many of everything, got 5 maps"],
      [{ images: one, maps: maps.slice(0, 1), masks: [], titles: ["a", "b"] }, "got 0 masks, 2 titles"],
      [{ images: [], maps: [] }, "0 images need as many of everything, got none"],
    ] as const;
    for (const [options, message] of wrong) await assertRejects(() => overlays({ zTitle: "", ...options }), "bad-argument", message); // biome-ignore format: one line
  });
});

const sample = (path: string, width: number, height: number, more: object = {}) => ({ image: Float32Array.from({ length: 3 * width * height }, (_, i) => Math.sin(i)), label: 0, path, index: 0, width, height, ...more }); // biome-ignore format: one line

describe("maps of analyses", () => {
  it("of relevance stand in a row per image, on a scale from 0 to 1, with the class and its share", async () => {
    const one = (path: string, method: string, label: number, value: number) =>
      new RelevanceMap(
        sample(path, 8, 4) as never,
        method as never,
        label,
        0.996,
        { rows: 1, columns: 2 },
        { rows: 4, columns: 8 },
        { patches: () => [], pixels: () => new Float32Array(32).fill(value) } as never,
        {},
      );
    const maps = [
      one("b", "chefer", 1, 0.5),
      one("a", "legrad", 3, 1),
      one("b", "legrad", 1, 1),
      one("a", "chefer", 1, 0),
    ];
    const shown = await relevanceMaps(maps, { cell: 8, alpha: 1 });
    const layers = await layersOf(shown);
    assert.deepEqual([1, 2, 4, 5].map((i) => layers[i]!.at(0, 0)), [0.5, 1, 1, 0].map((at) => colormap("magma", at))); // biome-ignore format: one line
    assert.deepEqual(layers[0]!.at(3, 2), [
      ...unnormalize(maps[0]!.sample.image, 8, 4).data.subarray(57, 60),
    ]);
    const words = await wordsOf(shown);
    assert.deepEqual(words.slice(0, 3), ["image", "chefer, legrad", "legrad, chefer"]);
    assert.equal(words.filter((word) => word === "class 1 100 %").length, 3);
    assert.equal(shown.alt, "Relevance of 2 images: chefer, legrad | legrad, chefer");
    const gray = inGray(unnormalize(maps[0]!.sample.image, 8, 4)).data[0]!;
    const [, usual] = await layersOf(
      await relevanceMaps(maps.slice(0, 1), { classNames: ["x", "dog"], cell: 8 }),
    );
    assert.deepEqual(usual!.at(0, 0), colormap("magma", 0.5).map((c) => Math.round(0.35 * gray + 0.65 * c))); // biome-ignore format: one line
    assert.equal((await layersOf(await relevanceMaps(maps.slice(0, 1))))[0]!.width, 168);
  });

  it("of the lens: chosen places, an image of its own shape, the twelve classes that are said most", async () => {
    const classes = 14;
    // Fifteen patches: class 13 is said three times, 0 to 11 once.
    const said = [...Array(12).keys(), 13, 13, 13];
    const logits = Float32Array.from({ length: (said.length + 1) * classes }, (_, i) =>
      i % classes === [5, ...said][Math.floor(i / classes)] ? 60 : 0,
    );
    const pooled = Float32Array.from({ length: classes }, (_, i) => (i === 2 ? Math.log(13) : 0));
    const sites = ["embed", "blocks.0.out", "blocks.1.out"].map((site) => ({ site, logits, pooled }));
    const lens = new LensMaps(sample("a", 10, 6) as never, classes, { rows: 3, columns: 5 }, sites, 1);
    const shown = await lensMaps(lens, { sites: ["blocks.1.out", "embed"], cell: 10, columns: 1 });
    const layers = await layersOf(shown);
    assert.deepEqual(layers.map(({ x, y, width, height }) => [x, y, width, height]), [[0, 0, 10, 6], [0, 32, 10, 6]]); // biome-ignore format: one line
    const gray = inGray(unnormalize(lens.sample.image, 10, 6)).data;
    const expected = (patch: number, x: number, y: number) => classColor(said[patch]!).map((c) => Math.round(0.15 * gray[3 * (10 * y + x)]! + 0.85 * c)); // biome-ignore format: one line
    for (const [patch, x, y] of [[0, 1, 1], [4, 8, 0], [7, 5, 3], [14, 9, 5]] as const) assert.deepEqual(layers[0]!.at(x, y), expected(patch, x, y), `${patch}`); // biome-ignore format: one line
    const words = await wordsOf(shown);
    assert.deepEqual(words.filter((word) => word!.includes("%")), ["embed: class 2 50 %", "blocks.1.out: class 2 50 %"]); // biome-ignore format: one line
    const names = words.filter((word) => /^class \d+$/.test(word!));
    assert.deepEqual([names.length, names[0], names.at(-1)], [12, "class 13", "class 10"]);
    assert.equal((await layersOf(await lensMaps(lens, { cell: 10 })))[2]!.x, 32, "three side by side");
  });

  it("colors of classes are apart by the golden angle, the first red", () => {
    assert.deepEqual(classColor(0), [230, 25, 25]);
    const hues = [1, 2].map((id) => (137.508 * id) % 360);
    // 137.5 degrees lie between green and cyan, 275 between blue and magenta.
    assert.ok(hues[0]! > 120 && hues[0]! < 180 && hues[1]! > 240 && hues[1]! < 300);
    const [[r, g, b], [r2, g2, b2]] = [classColor(1), classColor(2)];
    assert.ok(g === 230 && r === 25 && b > 25 && b < 128, `${classColor(1)}`);
    assert.ok(b2 === 230 && g2 === 25 && r2 > 25 && r2 < 230, `${classColor(2)}`);
    assert.equal(new Set(Array.from({ length: 20 }, (_, id) => classColor(id).join())).size, 20);
  });

  it("of entropies dim what is not the object, patch by patch, and go without where no object is known", async () => {
    const of = (foreground?: Uint8Array) => ({ sample: sample("a", 8, 4, { foreground }), shape: { width: 8, height: 4 }, grid: { rows: 1, columns: 2 }, entropy: Float32Array.of(1, 3), norm: Float32Array.of(7, 5) }); // biome-ignore format: one line
    const known = await layersOf(await entropyMaps([of(Uint8Array.of(0, 1))] as never, { cell: 8 }));
    const { data } = unnormalize(of().sample.image, 8, 4);
    const pixel = (x: number, y: number) => [...data.subarray(3 * (8 * y + x)).subarray(0, 3)];
    assert.equal(known.length, 4);
    assert.deepEqual([known[1]!.at(3, 3), known[1]!.at(4, 0)], [pixel(3, 3).map((c) => Math.floor(0.22 * c)), pixel(4, 0)]); // biome-ignore format: one line
    assert.deepEqual(
      [known[2]!.at(0, 0), known[3]!.at(0, 0)],
      [colormap("magma", 1), colormap("viridis", 0)],
    );
    const mixed = [of(Uint8Array.of(0, 1)), of()];
    assert.deepEqual((await wordsOf(await entropyMaps(mixed as never))).slice(0, 3), ["image", "patch norm", "attention entropy"]); // biome-ignore format: one line
    const options = { alpha: 1, cell: 8, columns: 1, range: [0, 6] as const, titles: ["one", "two"] };
    const over = await entropyOverlays(mixed as never, options);
    const layers = await layersOf(over);
    assert.deepEqual(
      [layers[0]!.at(0, 3), layers[0]!.at(7, 3)],
      [colormap("viridis", 1 / 6), colormap("viridis", 0.5)],
    );
    assert.ok(layers[1]!.x === 0 && layers[1]!.y > layers[0]!.y && layers[0]!.width === 8);
    assert.equal((await over.toSvg()).match(/stroke="#fff" stroke-width="2.2"/g)!.length, 1, "the known object is outlined"); // biome-ignore format: one line
    const words = await wordsOf(over);
    assert.deepEqual(
      words.filter((word) => !/^[\d.]+$/.test(word!)).join(" "),
      "one two attention entropy (nats)",
    );
  });

  it("of features: cosines with the chosen patch, 0 with a patch that is nothing; one scale of colors for all images", async () => {
    const values = Float32Array.of(1, 0, 2, 0, 0, 3, 0, 0); // two images of two patches
    const features = { values, dim: 2, layer: "L", grid: { rows: 1, columns: 2 }, size: { rows: 4, columns: 8 }, samples: [sample("a", 8, 4), sample("b", 8, 4)] }; // biome-ignore format: one line
    const shown = await patchSimilarity(features as never, { image: 0, patch: 1, cell: 8, columns: 1 });
    assert.equal(shown.alt, "2 images under cosine similarity, L, 0 to 1");
    const layers = await layersOf(shown);
    const gray = (i: number) => inGray(unnormalize(features.samples[i]!.image, 8, 4)).data[0]!;
    const mixed = (at: number, i: number) =>
      colormap("viridis", at).map((c) => Math.round(0.4 * gray(i) + 0.6 * c));
    assert.deepEqual([layers[0]!.at(0, 0), layers[1]!.at(0, 0)], [mixed(1, 0), mixed(0, 1)]);
    const outlines = [...(await shown.toSvg()).matchAll(/<path d="([^"]+)" stroke="#fff"/g)].map(
      ([, d]) => d,
    );
    assert.deepEqual(outlines, ["M4 0V4M4 0H8M8 0V4M4 4H8"], "the chosen patch, in its image alone");
    for (const wrong of [{ image: 2, patch: 0 }, { image: 0, patch: 2 }]) await assertRejects(() => patchSimilarity(features as never, wrong), "bad-argument", `image ${wrong.image}, patch ${wrong.patch} of 2 images of 2 patches`); // biome-ignore format: one line
    const line = { ...features, dim: 3, values: Float32Array.of(0, 0, 0, 1, 0, 0, 2, 0, 0, 4, 0, 0) };
    const colors = await layersOf(await featureColors(line as never, { cell: 8 }));
    const reds = [colors[1]!.at(0, 0), colors[1]!.at(7, 0), colors[3]!.at(0, 0), colors[3]!.at(7, 0)].map(
      ([red]) => red!,
    );
    const steps = [0, 1, 2, 4].map((x) => Math.round((255 * x) / 4));
    assert.ok(reds.every((red, i) => Math.abs(red - steps[i]!) <= 1) || reds.every((red, i) => Math.abs(red - (255 - steps[i]!)) <= 1), `${reds}`); // biome-ignore format: one line
    assert.match((await featureColors(line as never)).alt, /^Principal components of L as colors, 100 % of the variance, 2 images$/); // biome-ignore format: one line
  });
});
