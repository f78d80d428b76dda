import { test } from "node:test";
import type { AttentionMaps } from "../../../../src/analysis/attentionMaps";
import { Evidence, median } from "../../../../src/figures/attention/browser/evidence";
import { explanation, hint, hints } from "../../../../src/figures/attention/browser/guide";
import type { Layer, ViewerHeader } from "../../../../src/figures/attention/browser/payload";
import { rowCount, rowOf } from "../../../../src/figures/attention/browser/payload";
import {
  entropyRow,
  headRow,
  maxRow,
  meanRow,
  objectShare,
  patchRange,
  rolloutRow,
  shownRow,
  strongestPatch,
} from "../../../../src/figures/attention/browser/rows";
import {
  headName,
  layerLabel,
  middleToken,
  movedQuery,
  nats,
  percent,
  tokenName,
} from "../../../../src/figures/attention/browser/state";
import {
  methodName,
  scaleTitle,
  sentencesOf,
  subtitleOf,
  valueText,
} from "../../../../src/figures/attention/browser/words";
import { coarseRows } from "../../../../src/figures/attention/coarseRows";
import { colormapTable } from "../../../../src/figures/colormap";
import { themes } from "../../../../src/figures/theme";
import { Calls } from "../../../support/calls";
import { syntheticMaps } from "../syntheticMaps";
import { syntheticNumbers } from "../syntheticNumbers";

const views = ["mean", "max", "head", "rollout", "entropy", "relevance", "lens", "norms"] as const;
const maps = syntheticMaps({
  grid: { rows: 2, columns: 3 },
  layers: { "blocks.0": 2, "blocks.1": 3, "llama.layers.0": 2 },
  side: 24,
});
const layersOf = ({ layers, tokens, grid }: AttentionMaps, step = 1): Layer[] =>
  layers.map(({ layer, heads, pattern, rollout, entropy }) => {
    const [own, rolled] = [coarseRows(pattern, grid.columns, step), coarseRows(rollout, grid.columns, step)];
    return {
      ...{ name: layer, heads, tokens, columns: grid.columns, step, rows: rowCount(grid, step), entropy },
      levels: own.levels,
      greatest: own.greatest,
      rolloutLevels: rolled.levels,
      rolloutGreatest: rolled.greatest,
    };
  });
const numbers = syntheticNumbers(maps, { classes: 3, labels: 4 });
const sections = [...numbers].map(([name, values]) => ({
  name,
  type:
    values instanceof Uint8Array
      ? ("u8" as const)
      : values instanceof Uint16Array
        ? ("u16" as const)
        : ("f32" as const),
  length: values.length,
}));
const stages = maps.layers.map(({ layer, heads }) => ({ name: layer, heads }));
const base64 = (name: "magma" | "viridis" | "coolwarm") =>
  Buffer.from(colormapTable(name)).toString("base64");
const header = (more: Partial<ViewerHeader> = {}): ViewerHeader => ({
  title: "What & where",
  font: "sans",
  labels: ["ant", "bee", "cat", "dog"],
  choices: [2, 0, 3],
  methods: ["chefer", "legrad"],
  themes,
  colors: { attention: base64("magma"), entropy: base64("viridis"), effect: base64("coolwarm") },
  models: [
    {
      title: "ViT",
      image: "data:,",
      grid: maps.grid,
      regions: [1, 1, 0, 0, -1, 0],
      layers: stages.map((one) => ({ ...one, step: 1 })),
      stages,
      sections,
      leftOut: [],
    },
  ],
  ...more,
});
const evidence = new Evidence(header(), header().models[0], numbers);

test("what a page's script computes of its numbers is approved", async () => {
  const calls = new Calls();
  const [grid, layers] = [maps.grid, layersOf(maps)];
  for (const step of [1, 2, 3]) {
    await calls.of(rowCount, grid, step);
    for (const query of [0, 1, 3, 4, 6]) await calls.of(rowOf, { columns: 3, step }, query);
    calls.note(`coarse ${step}`, coarseRows(maps.layers[1].pattern, 3, step));
  }
  for (const layer of [layers[1], layersOf(maps, 2)[1]])
    for (const query of [0, 4]) {
      calls.note(`rows ${layer.step} ${query}`, [
        headRow(layer, 2, query),
        meanRow(layer, query),
        maxRow(layer, query),
        rolloutRow(layer, query),
      ]);
      for (const view of ["mean", "max", "head", "rollout", "entropy"] as const)
        calls.note(`shown ${view}`, shownRow(layer, view, 1, query));
    }
  calls.note("entropies", [entropyRow(layers[1]), entropyRow(layers[1], 0), entropyRow(layers[1], 2)]);
  await calls.of(patchRange, Float32Array.of(99, 3, 1, 2));
  await calls.of(strongestPatch, Float32Array.of(99, 3, 5, 5, 2));
  for (const regions of [
    [1, 0, -1],
    [1, 1, 1],
    [0, 0, 0],
    [-1, -1, 1],
  ])
    await calls.of(objectShare, Float32Array.of(9, 1, 3, 5), regions);
  await calls.of(objectShare, Float32Array.of(9, 0, 0, 0), [1, 0, 0]);
  for (const values of [[3, 1, 2], [4, 1, 3, 2], [5]]) await calls.of(median, values);
  calls.note("chances", [
    evidence.chances(),
    evidence.chances({ layer: "blocks.1", head: 2 }),
    evidence.chances({ layer: "llama.layers.0", head: 1 }),
  ]);
  calls.note("says", [
    evidence.top,
    evidence.topWithout({ layer: "blocks.0", head: 1 }),
    evidence.topWithout({ layer: "x", head: 0 }),
    evidence.says("blocks.1", 3),
    evidence.says("blocks.1", 6),
    evidence.says("x", 0),
    evidence.says("llama.layers.0", 7),
  ]);
  for (const choice of [0, 2])
    calls.note(`of class ${choice}`, [
      evidence.relevance("chefer", choice),
      evidence.relevance("gradcam", choice),
      evidence.lens("blocks.1", choice),
    ]);
  calls.note("norms", evidence.norms("llama.layers.0"));
  for (const color of ["entropy", "distance", "effect"] as const)
    calls.note(`heads by ${color}`, evidence.ofHeads(color, 1));
  const bare = new Evidence({ labels: [], choices: [] }, header().models[0], new Map());
  calls.note("nothing", [
    bare.top,
    bare.chances(),
    bare.relevance("chefer", 0),
    bare.lens("blocks.0", 0),
    bare.norms("blocks.0"),
    bare.ofHeads("effect", 0),
    bare.ofHeads("entropy", 0),
    bare.has("answer"),
    evidence.has("answer"),
  ]);
  const shown = (more: object) => ({
    layer: layers[1],
    wanted: "blocks.1",
    view: "mean" as const,
    head: 1,
    query: 4,
    grid,
    row: meanRow(layers[1], 4),
    evidence,
    className: "cat",
    method: "legrad",
    regions: [1, 1, 0, 0, -1, 0],
    ...more,
  });
  for (const view of views)
    for (const more of [
      {},
      { query: 0 },
      { hovered: 2 },
      { wanted: "blocks.9" },
      { layer: layersOf(maps, 2)[1] },
      { regions: undefined, evidence: bare },
    ]) {
      const given = shown({ view, ...more });
      calls.note(`${view} ${Object.keys(more)}`, [subtitleOf(given), ...sentencesOf(given)]);
    }
  calls.note(
    "no evidence",
    sentencesOf(shown({ view: "relevance", row: Float32Array.of(Number.NaN, 0, 0, 0, 0, 0, 0) })),
  );
  for (const row of [
    [0, 1, 1, 1, 10, 1, 1],
    [0, 1, 1, 9, 10, 1, 1],
  ])
    calls.note("norms in words", sentencesOf(shown({ view: "norms", row: Float32Array.from(row) })));
  for (const view of views) {
    await calls.of(scaleTitle, view);
    for (const value of [0, 0.12345, 1, Number.NaN, 12.3]) await calls.of(valueText, view, value);
    for (const query of [0, 3]) await calls.of(explanation, view, query);
  }
  for (const method of ["chefer", "legrad", "gradcam", "gradient-rollout", "own"])
    await calls.of(methodName, method);
  calls.note("hints", hints);
  for (const state of [
    { pinned: false, query: 0 },
    { pinned: true, query: 0 },
    { pinned: true, query: 4 },
  ])
    calls.note(`hint ${JSON.stringify(state)}`, hints.indexOf(hint(state)));
  for (const value of [0, 0.09994, 0.0999501, 0.99949, 0.9995, 1, 0.00001]) await calls.of(percent, value);
  for (const value of [0, 1.005, Number.NaN, Number.POSITIVE_INFINITY]) await calls.of(nats, value);
  for (const token of [0, 1, 3, 4, 6]) await calls.of(tokenName, token, grid);
  for (const size of [
    { rows: 2, columns: 3 },
    { rows: 14, columns: 14 },
    { rows: 1, columns: 1 },
  ])
    await calls.of(middleToken, size);
  for (const name of ["blocks.0", "blocks.11", "llama.layers.0", "llama.layers.2", "x", "blocks.a"]) {
    await calls.of(layerLabel, name);
    await calls.of(headName, { layer: name, head: 4 });
  }
  for (const key of [
    "c",
    "C",
    "ArrowLeft",
    "ArrowRight",
    "ArrowUp",
    "ArrowDown",
    "Home",
    "End",
    "x",
    "Enter",
  ])
    calls.note(
      `key ${key}`,
      [0, 1, 2, 5, 6].map((query) => movedQuery(query, key, grid)),
    );
  calls.approve("figures/attention/numbers");
});
