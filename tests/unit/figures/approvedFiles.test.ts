import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { browserScript } from "../../../src/figures/browserScript";
import { plotlyColorscale } from "../../../src/figures/colormap";
import { expectDrawable, isDrawable, isPlotlyDrawable } from "../../../src/figures/drawable";
import { figure } from "../../../src/figures/figure";
import { figureBundle } from "../../../src/figures/figureBundle";
import { expectImage, ImageFigure, mapImage, resizeImage, valueRange } from "../../../src/figures/image";
import { renderSvg } from "../../../src/figures/renderSvg";
import { figurePng, saveFigure } from "../../../src/figures/saveFigure";
import { isFigure, plotlyMime } from "../../../src/figures/spec";
import { figureSummary } from "../../../src/figures/summary";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";

const scatter = (more: object = {}) =>
  ({ type: "scatter", mode: "lines", x: [1, 2], y: [3, 4], ...more }) as never;

test("what figures are, and whether they can be drawn, is approved", async () => {
  const calls = new Calls();
  const of = (...types: string[]) => ({ data: types.map((type) => ({ type })), layout: {} }) as never;
  for (const types of [
    [],
    ["scatter"],
    ["bar", "heatmap"],
    ["pie"],
    ["scatter", "violin"],
    ["surface"],
    ["box", "scatter3d"],
    ["contour", "histogram", "histogram2d", "histogram2dcontour", "image", "scatterternary"],
  ]) {
    await calls.of(isDrawable, of(...types));
    await calls.of(isPlotlyDrawable, of(...types));
    await calls.of(expectDrawable, of(...types), "a.png");
  }
  for (const value of [
    null,
    undefined,
    1,
    {},
    { data: [], layout: {} },
    { data: [{}], layout: {} },
    { data: [{ type: "bar" }], layout: {} },
    { data: [{ type: "bar" }, null], layout: {} },
    { data: {}, layout: {} },
    { data: [], layout: null },
    [1],
  ])
    await calls.of(isFigure, value);
  calls.note("mime", plotlyMime);
  for (const layout of [
    {},
    { title: "Bare<br>more" },
    { title: { text: "<b>T</b><br>below" } },
    { title: { text: "T" }, meta: { summary: "numbers" } },
    { meta: {} },
  ])
    await calls.of(figureSummary, { data: [{ type: "bar" }, { type: "scatter" }, { type: "bar" }], layout });
  const made = figure([scatter()], { width: 300, height: 200 }, "two points");
  calls.note("made", made);
  calls.note("keys", [Object.keys(made), JSON.stringify(made), inspect(made)]);
  calls.note("with panels", figure([], {}, "s", { titles: ["a"] } as never).layout);
  for (const [low, values] of Object.entries({
    some: [3, 1, Number.NaN, 2],
    none: [],
    nan: [Number.NaN],
    one: [5],
    infinite: [1, Number.POSITIVE_INFINITY],
  }))
    calls.note(`range ${low}`, valueRange(values));
  for (const [name, range] of [
    [undefined, undefined],
    ["magma", undefined],
    ["coolwarm", [-1, 1]],
    ["viridis", [2, 2]],
  ] as const)
    await calls.of(mapImage, { width: 3, height: 2, values: [0, 1, 2, 3, Number.NaN, 5] }, name, range);
  await calls.of(mapImage, { width: 2, height: 1, values: [4, 4] });
  await calls.of(mapImage, { width: 2, height: 2, values: [4, 4] });
  await calls.of(expectImage, { width: 1, height: 2, data: new Uint8Array(6) }, "here");
  await calls.of(expectImage, { width: 1, height: 2, data: new Uint8Array(5) }, "here");
  const small = { width: 2, height: 1, data: Uint8Array.of(10, 20, 30, 40, 50, 60) };
  calls.note("the same size stays", (await resizeImage(small, 2, 1, "lanczos3")) === small);
  await calls.of(resizeImage, small, 4, 3, "nearest");
  await calls.of(resizeImage, { ...small, width: 3 }, 4, 3, "nearest");
  calls.approve("figures/kinds");
});

test("files that figures are written to, and their forms in notebooks, are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const made = figure(
    [scatter({ name: "a" })],
    { width: 300, height: 200, title: { text: "T" } },
    "two & points",
  );
  const starts = (path: string) => {
    const bytes = readFileSync(path);
    return bytes[0] === 0x89
      ? `PNG ${bytes.readUInt32BE(16)} x ${bytes.readUInt32BE(20)}`
      : bytes.toString("latin1").slice(0, 60).replace(/\s+/g, " ");
  };
  const saved = async (name: string, save: (path: string) => Promise<string>) =>
    calls.once(`save ${name}`, async () => {
      const path = join(folder, name);
      return [await save(path), starts(path)];
    });
  for (const name of ["a.svg", "b.PNG", "c.pdf", "d.html", "e.json", "f.x.svg"])
    await saved(name, (path) => saveFigure(made, path));
  await saved("own.svg", (path) => made.save(path));
  const pie = { data: [{ type: "pie", values: [1] }], layout: { title: "Pie" } } as never;
  for (const name of ["pie.svg", "pie.png", "pie.pdf", "pie.html", "pie.json"])
    await saved(name, (path) => saveFigure(pie, path));
  for (const name of ["a.gif", "a", "a.svgz", ".svg2"])
    await calls.once(`save ${name}`, () => saveFigure(made, join(folder, name)));
  await calls.once("save to no path", () => saveFigure(made, 3 as never));
  await calls.once("save nothing", () => saveFigure({} as never, join(folder, "x.svg")));
  mkdirSync(join(folder, "taken.svg"));
  calls.note("JSON", readFileSync(join(folder, "e.json"), "utf8"));
  calls.note(
    "title of the page",
    /<title>.*?<\/title>/.exec(readFileSync(join(folder, "d.html"), "utf8"))?.[0],
  );
  for (const options of [
    undefined,
    { theme: "dark" },
    { scale: 1 },
    { scale: 0.5, theme: "light" },
    { scale: 0 },
    { scale: 21 },
    { theme: "auto" },
  ])
    await calls.once(`png ${JSON.stringify(options)}`, async () => {
      const bytes = Buffer.from(await figurePng(made, options as never));
      return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
    });
  for (const options of [
    undefined,
    { theme: "dark" },
    { theme: "light" },
    { width: 250 },
    { inline: true },
    { inline: false },
    { width: 3 },
    { theme: "blue" },
    { other: 1 },
  ])
    await calls.does(`svg ${JSON.stringify(options)}`, () =>
      renderSvg(made, options as never).replace(
        /<style>.*?<\/style>/s,
        (style) => `<style>${style.length > 300 ? "both" : style}</style>`,
      ),
    );
  await calls.does("svg of nothing", () => renderSvg({ data: 1 } as never));
  const image = new ImageFigure({ png: Uint8Array.of(1, 2, 3), width: 4, height: 5, alt: 'a <b> & "c"' });
  const formed = new ImageFigure({
    png: Uint8Array.of(1),
    width: 4,
    height: 5,
    alt: "x",
    forms: { svg: async () => "<svg/>", html: "<p>x</p>" },
  });
  for (const one of [image, formed]) {
    await calls.does("toSvg", () => one.toSvg());
    calls.note("shown", (one as unknown as Record<symbol, () => object>)[Symbol.for("Jupyter.display")]());
    calls.note("printed", inspect(one));
    for (const name of ["i.png", "i.SVG", "i.jpg", "i"])
      await calls.once(`image ${name}`, async () => {
        const path = join(folder, name);
        await one.save(path);
        return [path, readFileSync(path, "latin1").slice(0, 40)];
      });
  }
  await calls.does("no image", () => new ImageFigure({ png: 1 } as never));
  calls.note("files", readdirSync(folder).sort());
  const bundle = async (given: object) => {
    const {
      "image/png": png,
      "text/html": html,
      ...rest
    } = (await figureBundle(given as never)) as Record<string, string>;
    const bytes = png ? Buffer.from(png, "base64") : undefined;
    return {
      ...rest,
      png: bytes && [bytes.readUInt32BE(16), bytes.readUInt32BE(20)],
      html: html?.slice(0, 60),
    };
  };
  await calls.does("bundle", () => bundle(made));
  await calls.does("bundle of a pie", () => bundle(pie));
  await calls.does("bundle of a surface", () => bundle({ data: [{ type: "surface" }], layout: {} }));
  for (const count of [200_000, 200_001])
    await calls.once(`bundle of ${count}`, async () => {
      const { "text/plain": text, ...rest } = await figureBundle(
        figure(
          [scatter({ x: new Array(count).fill(1), y: new Array(count).fill(2), mode: "lines" })],
          { width: 100, height: 100 },
          "many",
        ),
      );
      return [text, Object.keys(rest)];
    });
  // What only Plotly draws, here or elsewhere, has no still image, of however many points.
  for (const type of ["box", "surface"])
    await calls.once(`bundle of a ${type} of 200001`, async () => {
      const y = new Array(200_001).fill(1);
      return Object.keys(await figureBundle({ data: [{ type, y }], layout: {} } as never));
    });
  await calls.once("bundle of many cells", async () => {
    const { "text/plain": text } = await figureBundle({
      data: [
        {
          type: "heatmap",
          z: Array.from({ length: 450 }, () => new Array(450).fill(1)),
          colorscale: plotlyColorscale("magma"),
        },
      ],
      layout: { width: 100, height: 100 },
    } as never);
    return text;
  });
  writeFileSync(join(folder, "script.js"), "let a = 1;\n\n");
  await calls.once("script", () => browserScript(join(folder, "script")));
  writeFileSync(join(folder, "script.js"), "changed");
  await calls.once("script again", () => browserScript(join(folder, "script")));
  await calls.once("script that is not there", () => browserScript(join(folder, "none")));
  calls.approve("figures/files");
});
