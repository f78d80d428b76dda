import { test } from "node:test";
import { fromAddress, toAddress } from "../../../../src/figures/attention/browser/address";
import type { ViewerHeader } from "../../../../src/figures/attention/browser/payload";
import { readModels } from "../../../../src/figures/attention/browser/payload";
import {
  layerNames,
  startState,
  type ViewState,
  viewsOf,
} from "../../../../src/figures/attention/browser/state";
import { headNumbers } from "../../../../src/figures/attention/gather";
import { expectComparable } from "../../../../src/figures/attention/page";
import { chooseLayers, packedSize, packModels } from "../../../../src/figures/attention/payload";
import { describeRow, imageOf } from "../../../../src/figures/attention/staticImage";
import { colormapTable } from "../../../../src/figures/colormap";
import { themes } from "../../../../src/figures/theme";
import { Calls } from "../../../support/calls";
import { syntheticMaps } from "../syntheticMaps";
import { syntheticNumbers } from "../syntheticNumbers";

const maps = syntheticMaps({
  grid: { rows: 2, columns: 3 },
  layers: { "blocks.0": 2, "blocks.1": 3, "llama.layers.0": 2 },
  side: 24,
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

test("states, addresses and bytes of pages are approved", async () => {
  const calls = new Calls();
  const one = header();
  const pair = header({
    models: [{ ...one.models[0], layers: one.models[0].layers.slice(0, 2), sections: [] }, one.models[0]],
    methods: [],
  });
  for (const [name, given] of Object.entries({
    one,
    pair,
    bare: header({
      models: [{ ...one.models[0], sections: [], layers: [{ name: "llama.layers.0", heads: 2, step: 1 }] }],
      methods: [],
    }),
  }))
    calls.note(name, [startState(given), viewsOf(given), layerNames(given.models)]);
  const state: ViewState = {
    ...startState(one),
    query: 5,
    pinned: true,
    view: "lens",
    heads: [1],
    strength: 0.456,
    lines: false,
    sameScale: true,
    choice: 2,
    method: "legrad",
    color: "distance",
    off: [
      [
        { layer: "blocks.0", head: 1 },
        { layer: "llama.layers.0", head: 0 },
      ],
    ],
  };
  calls.note("address", toAddress(state));
  calls.note("back", fromAddress(`#${toAddress(state)}`, one));
  calls.note(
    "of two",
    toAddress({ ...state, heads: [1, 0], off: [[], [{ layer: "blocks.0", head: 0 }]], method: "" }),
  );
  for (const address of [
    "",
    "#",
    "query=7",
    "query=6",
    "query=-1",
    "query=1.5",
    "pinned=2",
    "pinned=1",
    "pinned=0",
    "layer=x",
    "layer=blocks.1",
    "view=all",
    "view=norms",
    "method=gradcam",
    "method=legrad",
    "color=red",
    "color=effect",
    "class=3",
    "class=2",
    "strength=0",
    "strength=1",
    "strength=1.00",
    "strength=.5",
    "strength=1.5",
    "strength=a",
    "heads=1,2",
    "heads=1",
    "heads=x",
    "off=",
    "off=blocks.0:1,blocks.0:2,x:0,blocks.1:2",
    "off=;",
    "scale=1&outline=0&lines=1",
    "query=3&query=4",
    "%zz",
  ])
    await calls.does(`address ${address}`, () => fromAddress(address, one));
  await calls.does("address of two", () =>
    fromAddress("heads=1,2&off=blocks.0:1;llama.layers.0:0&layer=llama.layers.0", pair),
  );
  const steps = new Map([
    ["blocks.0", 1],
    ["llama.layers.0", 2],
  ]);
  const data = packModels(
    [
      { maps, numbers: numbers.values() },
      { maps, numbers: [] },
    ],
    steps,
  );
  const bytes = (await import("node:zlib")).gunzipSync(Buffer.from(data, "base64"));
  const models = [
    {
      ...one.models[0],
      layers: [
        { name: "blocks.0", heads: 2, step: 1 },
        { name: "llama.layers.0", heads: 2, step: 2 },
      ],
    },
  ];
  calls.note(
    "read",
    readModels(
      { models: [models[0], { ...models[0], sections: [] }] },
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer,
    ),
  );
  calls.note("sizes", [
    packedSize([]) < 60,
    packedSize([new Uint8Array(3000)]) < 200,
    packedSize(numbers.values()) > 100,
  ]);
  const choose = (budget: number, wanted?: string[]) => {
    const tried: string[] = [];
    const { steps: chosen } = chooseLayers([maps], wanted, {
      budget,
      beside: 10,
      packed: (given) => {
        tried.push([...given].map(([name, step]) => `${name} ${step}`).join());
        return "x".repeat(given.size * 100);
      },
    });
    return { chosen, tried };
  };
  for (const [budget, wanted] of [
    [1e6, undefined],
    [1e6, ["blocks.1"]],
    [1e6, ["blocks.1", "x", "y"]],
    [5, ["blocks.1"]],
    [5, undefined],
  ] as const)
    await calls.does(`layers in ${budget} of ${wanted}`, () => {
      try {
        return choose(budget, wanted && [...wanted]);
      } catch (error) {
        throw Object.assign(error as Error, {
          message: (error as Error).message.replace(/take [\d,]+/, "take some"),
        });
      }
    });
  for (const [count, labels] of [
    [1, ["a"]],
    [2, ["a", "b"]],
    [0, []],
    [3, ["a", "b", "c"]],
    [1, ["a", "b"]],
    [2, ["a"]],
  ] as const)
    await calls.does(`comparable ${count}`, () =>
      expectComparable(
        "here",
        Array.from({ length: count }, () => maps),
        labels,
      ),
    );
  await calls.does("comparable grids", () =>
    expectComparable("here", [maps, syntheticMaps({ grid: 2, layers: { "blocks.0": 1 } })], ["a", "b"]),
  );
  calls.note("heads", headNumbers(maps));
  for (const layer of maps.layers) calls.note("described", describeRow({ title: "ViT", maps, layer }));
  calls.note("image", imageOf(maps));
  calls.approve("figures/attention/pages");
});
