import { type Field, isPlain, list, number, object, oneOf, pair, such } from "../core/options";
import type { ColormapName } from "./colormap";
import type { PlotlyFigure } from "./spec";

/** Longest side of a figure in pixels. */
const MOST_PIXELS = 20_000;

export const side = number(16, MOST_PIXELS);
export const cell = number(1, 8192);
export const share = number(0, 1);

/** A text, the empty one too. */
export const label = such<string>("a text", (value) => typeof value === "string");
export const labels = list(label);

const finite = such<number>("a finite number", (value) => Number.isFinite(value));
export const ends = pair(finite);

const isArrayLike = (value: unknown) =>
  typeof value === "object" && value !== null && typeof (value as ArrayLike<unknown>).length === "number";

/** Numbers, in an array of any kind; what is not finite is a gap. */
export const numbers = such<readonly number[]>("a list of numbers", isArrayLike);
export const objects = <T>(expected: string) => such<T>(expected, isArrayLike);

export const cellOptions = object({}, { cell });

export function sameLength({ steps, values }: { steps?: unknown; values?: unknown }) {
  const [many, few] = [steps, values].map((one) => (one as ArrayLike<unknown> | undefined)?.length);
  return many === few ? [] : [["values", `as many as steps (${many})`] as const];
}

export const historyCurvesOptions = object({}, { metric: label, title: label, yTitle: label });

/** Name of a color map. */
export const colormapField: Field<ColormapName> = oneOf(["viridis", "magma", "coolwarm"]);

/** What Plotly takes: traces and a layout. */
export const figureField = such<PlotlyFigure>(
  "a figure { data: a list of traces, layout: an object }",
  (value) => {
    const { data, layout } = (value ?? {}) as Partial<PlotlyFigure>;
    return Array.isArray(data) && data.every(isPlain) && isPlain(layout);
  },
);
