import { tableFromArrays } from "apache-arrow";
import { type EngineDescription, EngineStatus } from "../../../src/engine";
import {
  AttentionViewer,
  attentionViewer,
  barComparison,
  entropyScatter,
  entropyStrip,
  heatmapGrid,
  imageGrid,
  lossCurves,
  overlays,
} from "../../../src/figures";
import { viewerPage } from "../../../src/figures/attention/page";
import { Module, Parameter } from "../../../src/nn";
import { table } from "../../../src/notebook";
import { syntheticMaps } from "../../unit/figures/syntheticMaps";
import { syntheticNumbers } from "../../unit/figures/syntheticNumbers";

/** Where text of strangers stands in a value that a cell may have, and the value with the text there. */
export type Attempts = Readonly<Record<string, (text: string) => unknown>>;

const image = { width: 8, height: 8, data: new Uint8Array(3 * 64).fill(90) };
const map = { width: 2, height: 2, values: [0, 1, 2, 3] };
const copied = (value: object): object => JSON.parse(JSON.stringify(value));

/** Data: texts and what JSON files, tables and configurations give. None of it is ever markup. */
export const data: Attempts = {
  "a label": (text) => text,
  "a boxed text": (text) => Object(text),
  "an error's message": (text) => new Error(text),
  "a field of a configuration": (text) => copied({ _name_or_path: text }),
  "a key of a configuration": (text) => copied({ [text]: 1 }),
  "outerHTML of a parsed object": (text) => copied({ outerHTML: text, innerHTML: text }),
  "outerHTML below a parsed prototype": (text) =>
    JSON.parse(`{"__proto__":{"outerHTML":${JSON.stringify(text)}}}`),
  "a prototype with outerHTML": (text) => Object.create({ outerHTML: text }),
  "methods of display as texts": (text) =>
    copied({
      ...{ "Jupyter.display": text, "Symbol(Jupyter.display)": text, _repr_html_: text, toDataURL: text },
      ...{ toHtml: text, html: text, svg: text, toSpec: text, toString: text, "text/html": text },
    }),
  "a chart of another library": (text) => copied({ $schema: `https://x/schema/vega/v5${text}`, text }),
  "a canvas that says it is something else": (text) => ({ toDataURL: () => `data:text/html,${text}` }),
  "a canvas whose image is markup": (text) => ({ toDataURL: () => `data:image/png;base64,${text}` }),
  "bytes that are no image": (text) => Buffer.from(`<svg>${text}</svg>`),
  "an image's bytes as a text": (text) => copied({ png: text, alt: text }),
  "a set and a map": (text) => new Map([[text, new Set([text])]]),
  "a list of texts": (text) => [text, text],
};

/** Values that have markup of this library's making around the text. */
export const values: Attempts = {
  "cells of a table": (text) => table([{ name: text, more: { text }, list: [text] }]),
  "columns of a table": (text) => table([{ [text]: 1, b: text }]),
  "a list of records": (text) => [{ [text]: text }, copied({ a: { outerHTML: text } })],
  "an Arrow table": (text) => tableFromArrays({ [`column ${text}`]: [text], b: [1] }),
  "words of an image grid": (text) =>
    imageGrid([[image, image]], {
      ...{ columnTitles: [text, text], rowLabels: [text], captions: [[text, text]], alt: text },
    }),
  "words of overlays": (text) => overlays({ images: [image], maps: [map], titles: [text], zTitle: text }),
  "an image with a name": (text) => [
    { png: pngOf(image.data), alt: text },
    { png: pngOf(image.data), alt: text },
  ],
  bars: (text) =>
    barComparison({
      categories: [text, "b"],
      series: [text, "b"].map((name) => ({ name, values: [1, 2] })),
      yTitle: text,
      title: text,
    }),
  curves: (text) =>
    lossCurves({
      series: [text, "b"].map((name) => ({ name, steps: [1, 2, 3], values: [3, 1, 2] })),
      title: text,
      yTitle: text,
      xTitle: text,
    }),
  points: (text) => {
    const points = [
      { background: 1, foreground: 2, label: text },
      { background: 2, foreground: 1, label: text },
    ];
    return entropyScatter({
      series: [
        { name: text, points },
        { name: `${text}2`, points },
      ],
      title: text,
    });
  },
  strips: (text) =>
    entropyStrip({
      series: [text, "b"].map((name) => ({ name, blocks: [{ block: text, heads: [1, 2] }] })),
      title: text,
      yTitle: text,
    }),
  "heat maps": (text) =>
    heatmapGrid({
      maps: [text, text].map((title) => ({
        title,
        values: [
          [1, 2],
          [3, 4],
        ],
      })),
      zTitle: text,
      title: text,
      xTitle: text,
      yTitle: text,
    }),
  "the attention viewer": (text) => {
    const maps = syntheticMaps({ grid: 2, layers: { "blocks.0": 2, [text]: 1 }, side: 8 });
    return attentionViewer([maps, maps], { title: text, labels: [text, `${text} 2`] });
  },
  "an attention viewer that leaves layers out": (text) => {
    const maps = syntheticMaps({ grid: 2, layers: { "blocks.0": 1, [text]: 1 }, side: 8 });
    return attentionViewer(maps, { title: text, labels: [text], layers: ["blocks.0"] });
  },
  "a page with classes, heads and sayings": async (text) => {
    const maps = syntheticMaps({ grid: 2, layers: { "blocks.0": 2, [text]: 1 }, side: 8 });
    const shown = { title: text, maps, numbers: syntheticNumbers(maps, { classes: 2 }) };
    const about = { labels: [text, `${text} 2`], choices: [0, 1], methods: ["chefer", text] };
    return new AttentionViewer(await viewerPage([shown, shown], about, { title: text, maxBytes: 1e6 }));
  },
  "names in a model": (text) => {
    const part = new (class extends Module {})();
    const whole = new (class extends Module {})();
    for (const model of [part, whole]) Object.defineProperty(model.constructor, "name", { value: text });
    Object.assign(part, { [`part ${text}`]: parameter(text) });
    Object.assign(whole, {
      [`part ${text}`]: part,
      inner: part,
      toString: () => `Model(1 M parameters, 0 trainable, ${text})`,
    });
    return whole;
  },
  "a parameter": (text) => parameter(text),
  "a tensor from a file": (text) => ({ shape: [2], data: new Float32Array([1, 2]), dtype: text }),
  "what the library runs on": (text) => {
    const engine = {
      engine: text,
      device: text,
      precision: text,
      reason: text,
    } as unknown as EngineDescription;
    const cells = { backend: text, device: text, passedOver: [text], toString: () => text };
    return new EngineStatus(engine, cells as never, [text], text);
  },
};

function parameter(text: string): Parameter {
  const made = new Parameter([2], (values) => values.fill(1), 0);
  return Object.assign(made, { name: text, source: text });
}

function pngOf(_: Uint8Array): Buffer {
  return Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
}
