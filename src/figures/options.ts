import { type Field, flag, list, number, object, oneOf, optionsOf, pair, such, whole } from "../core/options";
import type { AttentionViewerOptions } from "./attention/viewer";
import type { BarComparisonOptions } from "./barComparison";
import type { ColormapName } from "./colormap";
import type { EntropyScatterOptions } from "./entropyScatter";
import type { EntropyStripOptions } from "./entropyStrip";
import type { HeatmapGridOptions } from "./heatmapGrid";
import type { ImageGridOptions } from "./imageGrid";
import type { LossCurvesOptions } from "./lossCurves";
import type { MapGridOptions, OverlayOptions } from "./maps";
import type { OverlaysOptions } from "./overlays";
import type { PngOptions } from "./saveFigure";
import type { RenderOptions } from "./svg/render";

/** Longest side of a figure in pixels. */
const MOST_PIXELS = 20_000;

const side = number(16, MOST_PIXELS);
const cell = number(1, 8192);
const share = number(0, 1);

/** A text, the empty one too. */
const label = such<string>("a text", (value) => typeof value === "string");
const labels = list(label);

const finite = such<number>("a finite number", (value) => Number.isFinite(value));
const ends = pair(finite);
const colormap = oneOf(["viridis", "magma"]) as Field<ColormapName>;

const isArrayLike = (value: unknown) =>
  typeof value === "object" && value !== null && typeof (value as ArrayLike<unknown>).length === "number";

/** Numbers, in an array of any kind; what is not finite is a gap. */
const numbers = such<readonly number[]>("a list of numbers", isArrayLike);
const objects = <T>(expected: string) => such<T>(expected, isArrayLike);

export const pngOptions = optionsOf<PngOptions>(
  {},
  { theme: oneOf(["light", "dark"]), scale: number(0, 20, true) },
);

export const renderOptions = optionsOf<RenderOptions>(
  {},
  { theme: oneOf(["auto", "light", "dark"]), width: side, inline: flag },
);

export const overlayOptions = optionsOf<OverlayOptions>(
  {},
  { colormap, alpha: share, range: ends, smooth: flag },
);

export const mapGridOptions = optionsOf<MapGridOptions>(
  { columns: objects("a list of columns { title, images } or { title, maps }") },
  { rowLabels: labels, cell },
);

export const cellOptions = object({}, { cell });

export const lossCurvesOptions = optionsOf<LossCurvesOptions>(
  { series: list(object({ name: label, steps: numbers, values: numbers }, {}, sameLength)) },
  {
    title: label,
    yTitle: label,
    xTitle: label,
    yScale: oneOf(["linear", "log"]),
    smoothing: whole(1, 1_000_000),
    maxPoints: whole(2, 100_000),
    width: side,
    height: side,
  },
);

function sameLength({ steps, values }: { steps?: unknown; values?: unknown }) {
  const [many, few] = [steps, values].map((one) => (one as ArrayLike<unknown> | undefined)?.length);
  return many === few ? [] : [["values", `as many as steps (${many})`] as const];
}

export const historyCurvesOptions = object({}, { metric: label, title: label, yTitle: label });

export const barComparisonOptions = optionsOf<BarComparisonOptions>(
  {
    categories: labels,
    series: list(object({ name: label, values: numbers }, { errors: numbers })),
    yTitle: label,
  },
  { title: label, width: side, height: side },
);

export const imageGridOptions = optionsOf<ImageGridOptions>(
  {},
  {
    columnTitles: labels,
    rowLabels: labels,
    captions: objects("a list of rows of texts"),
    scale: number(0, 1000, true),
    cell,
    alt: label,
  },
);

export const overlaysOptions = optionsOf<OverlaysOptions>(
  {
    images: objects("a list of images { data, width, height }"),
    maps: objects("a list of maps { values, width, height }"),
    zTitle: label,
  },
  {
    masks: objects("a list of maps, or undefined, one per image"),
    titles: labels,
    range: ends,
    colormap,
    alpha: share,
    lines: flag,
    columns: whole(1, 1000),
    cell,
  },
);

const points = objects<NonNullable<EntropyScatterOptions["points"]>>(
  "a list of points { background, foreground }",
);

export const entropyScatterOptions = optionsOf<EntropyScatterOptions>(
  {},
  {
    points,
    series: list(object({ name: label, points }, {})),
    title: label,
    layout: oneOf(["side by side", "together"]),
    height: side,
  },
);

export const entropyStripOptions = optionsOf<EntropyStripOptions>(
  { series: list(object({ name: label, blocks: list(object({ block: label, heads: numbers }, {})) }, {})) },
  { title: label, yTitle: label, width: side, height: side },
);

export const heatmapGridOptions = optionsOf<HeatmapGridOptions>(
  { maps: list(object({ title: label, values: list(numbers, 1) }, {}), 1), zTitle: label },
  {
    title: label,
    xTitle: label,
    yTitle: label,
    columns: whole(1, 1000),
    colormap,
    range: ends as unknown as Field<[number, number]>,
  },
);

export const attentionViewerOptions = optionsOf<AttentionViewerOptions>(
  {},
  { title: label, labels, layers: list(label, 1), maxBytes: whole(10_000, 1_000_000_000) },
);
