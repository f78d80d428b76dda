import { test } from "node:test";
import { LensMaps } from "../../../src/analysis/lens/lens";
import { imageGrid } from "../../../src/figures/imageGrid";
import { lensMaps } from "../../../src/figures/lensMaps";
import { inGray, mapGrid, overlayMap, reconstructionGrid } from "../../../src/figures/maps";
import { overlays } from "../../../src/figures/overlays";
import { featureColors, patchSimilarity } from "../../../src/figures/patchFeatureFigures";
import { Calls } from "../../support/calls";

type Given = never;
const picture = (width: number, height: number, shift = 0) => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 37 + shift * (i % 3)) % 256),
});
const grid = (width: number, height: number, shift = 0) => ({
  width,
  height,
  values: Array.from({ length: width * height }, (_, i) => (i * 7 + shift) % 11),
});
/** Of an image its size, words and marks, without the pixels. */
async function marked(made: ReturnType<typeof imageGrid>) {
  const { width, height, alt, ...rest } = await made;
  const { html } = (rest as unknown as { forms: { html: string } }).forms;
  const without = (text: string) => text.replace(/base64,[\w+/=]+/g, "…").replace(/font-family="[^"]*"/, "");
  return {
    size: [width, height],
    alt,
    svg: without(await (await made).toSvg()).split(/(?=<)/),
    html: without(html).split(/(?=<)/),
  };
}

test("grids of images, maps and overlays are approved, but for their pixels", async () => {
  const calls = new Calls();
  const rows = [[picture(8, 6), undefined, picture(4, 4, 9)], [picture(8, 6, 3)]];
  for (const options of [
    {},
    { cell: 16 },
    { scale: 2 },
    { columnTitles: ["a", "b <c>", "d"], cell: 16 },
    { rowLabels: ["one", "a longer one"], cell: 16 },
    { captions: [["x", undefined, "z"], []], cell: 16, alt: "A & B" },
    {
      legend: [
        { name: "cat & dog", color: [1, 2, 3] },
        { name: "a long name", color: [4, 5, 6] },
      ],
      cell: 16,
    },
    { scale: 0 },
    { cell: 0 },
    { cell: 8193 },
    { legend: 3 },
    { other: 1 },
  ])
    await calls.once(`imageGrid ${JSON.stringify(options)}`, () => marked(imageGrid(rows, options as Given)));
  for (const given of [[], [[]], [[undefined]], [3], undefined])
    await calls.once(`imageGrid of ${JSON.stringify(given)}`, () => imageGrid(given as Given));
  await calls.once("imageGrid of bytes too few", () => imageGrid([[{ ...picture(4, 4), width: 5 }]]));
  await calls.of(inGray, picture(2, 2));
  for (const options of [
    undefined,
    { alpha: 0 },
    { alpha: 1, colormap: "magma" },
    { range: [0, 20] },
    { alpha: 1.5 },
    { range: [1] },
    { colormap: "jet" },
    { smooth: 1 },
  ])
    await calls.once(`overlayMap ${JSON.stringify(options)}`, () =>
      overlayMap(picture(3, 2), grid(3, 2), options as Given),
    );
  await calls.once("overlayMap of too few bytes", () =>
    overlayMap({ ...picture(3, 2), height: 3 }, grid(3, 2)),
  );
  const given = {
    images: [picture(6, 4), picture(4, 6, 5)],
    maps: [grid(3, 2), grid(2, 3, 4)],
    zTitle: "share <%>",
  };
  const mask = { width: 3, height: 2, values: [1, 0, 0, 1, 1, 0] };
  for (const more of [
    { cell: 24 },
    { cell: 24, titles: ["a", "b & c"] },
    { cell: 24, masks: [mask, undefined], lines: false },
    { cell: 24, columns: 1, range: [0, 100], colormap: "magma", alpha: 0.25 },
    { maps: [grid(3, 2)] },
    { images: [], maps: [] },
    { titles: ["a"] },
    { masks: [mask] },
    { columns: 0 },
    { alpha: 2 },
    { cell: 0 },
  ])
    await calls.once(`overlays ${JSON.stringify(more)}`, () =>
      marked(overlays({ ...given, ...more } as Given)),
    );
  const columns = [
    { title: "image", images: given.images },
    { title: "norm", maps: given.maps, unit: "nats" },
    {
      title: "same",
      maps: [grid(1, 1, 5), grid(2, 1)],
      range: [0, 12_345] as [number, number],
      colormap: "magma" as const,
    },
  ];
  for (const more of [
    { cell: 12 },
    { cell: 12, rowLabels: ["r", "s"] },
    { columns: [] },
    { columns: columns.slice(0, 1), cell: 12 },
    { columns: [columns[0], { title: "x", maps: [] }] },
    { columns: 3 },
  ])
    await calls.once(`mapGrid ${Object.keys(more)}`, () => marked(mapGrid({ columns, ...more } as Given)));
  for (const range of [
    [0, 0.001],
    [0, 0.05],
    [1, 1],
    [-3, 12],
    [0, 100],
    [0, 99_999],
  ] as const)
    await calls.once(`mapGrid of ${range}`, async () =>
      (await marked(mapGrid({ columns: [{ title: "", maps: [grid(2, 1)], range }], cell: 8 }))).svg.filter(
        (part) => part.includes("–"),
      ),
    );
  const one = {
    original: picture(4, 4),
    masked: picture(4, 4, 1),
    predicted: picture(4, 4, 2),
    combined: picture(4, 4, 3),
  };
  for (const some of [[one], [one, { ...one, label: "b" }], [{ ...one, note: "fresh" }, one], [], [{}]])
    await calls.once(
      `reconstructions ${some.map((each) => Object.keys(each).slice(4))} of ${some.length}`,
      () => marked(reconstructionGrid(some as Given, { cell: 8 })),
    );
  const sample = {
    image: Float32Array.from({ length: 3 * 48 }, (_, i) => Math.sin(i)),
    width: 8,
    height: 6,
    path: "a.png",
    label: 1,
    index: 0,
  };
  const sites = ["embed", "blocks.0.out", "blocks.1.out"].map((site, s) => ({
    site,
    logits: Float32Array.from({ length: 7 * 3 }, (_, i) => Math.sin(i * (s + 1))),
    pooled: Float32Array.of(s, 1, 0.5),
  }));
  const maps = new LensMaps(sample, 3, { rows: 2, columns: 3 }, sites, 1);
  for (const options of [
    { cell: 16 },
    { cell: 16, columns: 2, classNames: ["ant", "bee <b>", "cat"] },
    { cell: 16, sites: ["blocks.1.out"] },
    { sites: ["x"] },
    { columns: 0 },
  ])
    await calls.once(`lensMaps ${JSON.stringify(options)}`, () => marked(lensMaps(maps, options)));
  await calls.once("lensMaps of nothing", () => lensMaps({} as Given));
  const features = {
    values: Float32Array.from({ length: 2 * 4 * 5 }, (_, i) => Math.sin(i * i)),
    dim: 5,
    grid: { rows: 2, columns: 2 },
    size: { rows: 8, columns: 8 },
    layer: "blocks.1.out",
    samples: [0, 1].map((index) => ({
      image: Float32Array.from({ length: 192 }, (_, i) => Math.sin(i + index)),
      path: `${index}.png`,
      label: 0,
      index,
    })),
  };
  await calls.once("featureColors", () => marked(featureColors(features as Given, { cell: 16 })));
  for (const options of [
    { image: 0, patch: 3, cell: 16 },
    { image: 1, patch: 0, cell: 16, columns: 1 },
    { image: 2, patch: 0 },
    { image: 0, patch: 4 },
    { image: -1, patch: 0 },
    { image: 0 },
  ])
    await calls.once(`patchSimilarity ${JSON.stringify(options)}`, () =>
      marked(patchSimilarity(features as Given, options as Given)),
    );
  await calls.once("features of nothing", () => featureColors({} as Given));
  calls.approve("figures/images");
});
