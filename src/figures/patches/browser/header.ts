import type { FigureTheme } from "../../theme";

/** What a page knows of an image and of numbers over its patches. */
export interface PatchHeader {
  title: string;
  /** In one sentence: what is shown, and what can be done. */
  hint: string;
  /** A data URL. */
  image: string;
  grid: { rows: number; columns: number };
  /** What can be chosen; the numbers lie in this order, the last axis fastest, then patch by patch. */
  axes: readonly PatchAxis[];
  /** What is chosen at first, a place on each axis. */
  start: readonly number[];
  /** What the numbers are: "of its attention". */
  unit: string;
  /** What the sum over all patches says: "looks at the image"; absent where sums say nothing. */
  sum?: string | undefined;
  font: string;
  /** 256 RGB triples, base64. */
  colors: string;
  themes: { light: FigureTheme; dark: FigureTheme };
}

export interface PatchAxis {
  /** "layer". */
  name: string;
  choices: readonly string[];
}

/** Numbers from 0 to 1 are kept in this many steps. */
export const steps = 65_535;

/** Where the numbers of a choice begin. */
export function mapStart(
  { axes, grid }: Pick<PatchHeader, "axes" | "grid">,
  chosen: readonly number[],
): number {
  const map = axes.reduce((at, { choices }, i) => at * choices.length + chosen[i]!, 0);
  return map * grid.rows * grid.columns;
}

/** The patch that a key leads to from another; undefined for keys that lead nowhere. */
export function movedPatch(
  patch: number,
  key: string,
  { rows, columns }: PatchHeader["grid"],
): number | undefined {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (!step) return undefined;
  const clamp = (value: number, most: number) => Math.min(most - 1, Math.max(0, value));
  const x = clamp((patch % columns) + step[0]!, columns);
  const y = clamp(Math.floor(patch / columns) + step[1]!, rows);
  return y * columns + x;
}

/** "12.3 %", "0.04 %". */
export function percent(share: number): string {
  const value = 100 * share;
  return `${value >= 9.95 ? value.toFixed(0) : value >= 0.1 || value === 0 ? value.toFixed(1) : value.toFixed(2)} %`;
}
