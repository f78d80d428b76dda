import { LuvitError, listOffenders } from "../core/errors";
import { checkOptions, list, object, optionsOf, such, text, whole } from "../core/options";
import { printable } from "../core/printable";
import type { AttentionMask } from "../nn/attentionMask";
import { type Figure, figure } from "./figure";
import { escapeHtml } from "./html";
import { label, labels } from "./options";
import type { PlotlyLayout, PlotlyTrace } from "./spec";
import { textWidth } from "./svg/text";
import { baseLayout, neutralColor } from "./theme";

/** Tokens that belong together: those of an image, of a question. */
export interface MaskPart {
  name: string;
  /** From this token on, up to the one before `end`. */
  start: number;
  end: number;
}

/** What `attentionMask` writes beside a mask. */
export interface AttentionMaskOptions {
  /** Which sequence of the mask; default the first. */
  sequence?: number;
  /** Names along both axes, with lines between them; what lies in none has its numbers alone. */
  parts?: readonly MaskPart[];
  /** A word for each token. */
  tokens?: readonly string[];
  title?: string;
}

const part = object({ name: text, start: whole(0), end: whole(1) }, {});

export const attentionMaskOptions = optionsOf<AttentionMaskOptions>(
  {},
  { sequence: whole(0), parts: list(part), tokens: labels, title: label },
  ({ parts }) =>
    (parts ?? []).flatMap(({ name, start, end }) =>
      start < end ? [] : [["parts", `"${name}": a start below its end, got ${start} to ${end}`] as const],
    ),
);

const maskField = such<AttentionMask>(
  "an attention mask, e.g. of nn.prefixMask",
  (value) => typeof value === "object" && value !== null && "visible" in value && "sequences" in value,
);

/** Most cells along an axis; of longer sequences several tokens share one. */
const MOST_CELLS = 96;
const width = 560;
/** How a token may stand to another. */
const earlier = { value: 0, color: "#2b7bba", name: "row sees itself or earlier" };
const later = { value: 1, color: "#e07b00", name: "row sees later" };
const colorscale = [earlier, later].map(({ value, color }): [number, string] => [value, color]);

/**
 * Which token (row) sees which (column): in one color what stands before it, in another what comes later, as in both ways
 * among the tokens of an image; what is not seen stays blank. Pointing at a cell names both tokens. Of more than 96 tokens
 * several share a cell, which has the color of most of its pairs, and says of how many it holds.
 *
 * @throws LuvitError("bad-argument") for a sequence, parts or words that do not fit the mask.
 *
 * @example
 * const mask = luvit.nn.prefixMask({ image: [[0, 1, 1, 1, 1, 0, 0]] });
 * luvit.show(luvit.figures.attentionMask(mask, { parts: [{ name: "image", start: 1, end: 5 }] }));
 */
export function attentionMask(mask: AttentionMask, options: AttentionMaskOptions = {}): Figure {
  checkOptions("attentionMask", maskField, mask);
  checkOptions("attentionMask", attentionMaskOptions, options);
  expectFit(mask, options);
  const { sequence = 0, parts = [], title = "" } = options;
  const each = Math.ceil(mask.tokens / MOST_CELLS);
  const count = Math.ceil(mask.tokens / each);
  const cells = Array.from({ length: count }, (_, row) =>
    Array.from({ length: count }, (_, column) => cellOf(mask, sequence, row * each, column * each, each)),
  );
  const names = cells.map((_, i) => nameOf(options, i * each, Math.min(mask.tokens, (i + 1) * each)));
  const words = cells.map((row, i) => row.map((cell, j) => `${names[i]}<br>${saidOf(cell)}<br>${names[j]}`));
  const z = cells.map((row) => row.map(({ state }) => state?.value ?? null));
  const shape = { showscale: false, hovertemplate: "%{hovertext}" } as const;
  const data: PlotlyTrace[] = [
    { type: "heatmap", z, hovertext: words, colorscale, zmin: earlier.value, zmax: later.value, ...shape },
    borders([0, ...parts.flatMap(({ start, end }) => [start, end]), mask.tokens], mask.tokens, each),
    ...[earlier, later].map(({ name, color }) => legendEntry(name, color)),
  ];
  const summary = summaryOf(mask, sequence, each);
  return figure(data, layoutOf(parts, count, each, title), summary);
}

interface Cell {
  state?: typeof earlier;
  /** Pairs of tokens, and how many of them see. */
  pairs: number;
  seen: number;
}

function cellOf(mask: AttentionMask, sequence: number, top: number, left: number, each: number): Cell {
  const [bottom, right] = [top, left].map((start) => Math.min(mask.tokens, start + each));
  const found = { pairs: (bottom - top) * (right - left), seen: 0 };
  let ahead = 0;
  for (let query = top; query < bottom; query++)
    for (let key = left; key < right; key++) {
      if (!mask.sees(sequence, query, key)) continue;
      found.seen++;
      if (key > query) ahead++;
    }
  if (2 * found.seen < found.pairs) return found;
  return { ...found, state: 2 * ahead > found.seen ? later : earlier };
}

function saidOf({ state, pairs, seen }: Cell): string {
  if (pairs > 1) return `${seen} of ${pairs} pairs see`;
  return state === undefined ? "does not see" : state === later ? "sees, though it comes later," : "sees";
}

/** "image 3", "question 2 “is”", "17", or several of them. */
function nameOf({ parts = [], tokens }: AttentionMaskOptions, start: number, end: number): string {
  const one = (token: number) => {
    const within = parts.find((part) => token >= part.start && token < part.end);
    const name = within ? `${within.name} ${token - within.start + 1}` : `token ${token}`;
    return tokens ? `${name} “${printable(tokens[token])}”` : name;
  };
  return escapeHtml(end - start === 1 ? one(start) : `${one(start)} to ${one(end - 1)}`);
}

/** Lines at the borders of parts, around and across. */
function borders(tokens: readonly number[], last: number, each: number): PlotlyTrace {
  const most = Math.ceil(last / each) - 0.5;
  const at = [...new Set(tokens)].map((token) => (token === last ? most : token / each - 0.5));
  const x = at.flatMap((place) => [place, place, null, -0.5, most, null]);
  const y = at.flatMap((place) => [-0.5, most, null, place, place, null]);
  const line = { color: neutralColor, width: 1 };
  return { type: "scatter", mode: "lines", x, y, line, hoverinfo: "skip", showlegend: false };
}

function legendEntry(name: string, color: string): PlotlyTrace {
  const marker = { color, symbol: "square" as const, size: 12 };
  return { type: "scatter", mode: "markers", name, x: [null], y: [null], marker, hoverinfo: "skip" };
}

function layoutOf(parts: readonly MaskPart[], count: number, each: number, title: string): PlotlyLayout {
  const base = baseLayout(title, { width, legend: true });
  const common = { showgrid: false, constrain: "domain" as const };
  const middles = parts.map(({ start, end }) => (start + end) / 2 / each - 0.5);
  const names = parts.map(({ name }) => escapeHtml(name));
  const axis =
    parts.length > 0
      ? { ...common, tickvals: middles, ticktext: names }
      : { ...common, showticklabels: each === 1 };
  const longest = Math.max(0, ...names.map((name) => textWidth(name, 11.5)));
  const slanted = isCrowded(middles, longest, count) ? { tickangle: -32 } : {};
  const below = 36 + ("tickangle" in slanted ? longest / 2 : 0);
  const margin = { ...base.margin!, l: Math.round(20 + longest), b: Math.round(below) };
  const [low, high] = [-0.5, count - 0.5];
  return {
    ...base,
    height: width - margin.l - margin.r + margin.t + margin.b,
    margin,
    xaxis: { ...axis, ...slanted, range: [low, high] },
    yaxis: { ...axis, range: [high, low], scaleanchor: "x" },
  };
}

/** Whether names below would touch where the page is narrow, the cells together some 250 pixels wide. */
function isCrowded(middles: readonly number[], longest: number, count: number): boolean {
  const sorted = [...middles].sort((a, b) => a - b);
  return sorted.some((at, i) => i > 0 && ((at - sorted[i - 1]) * 250) / count < longest + 4);
}

function summaryOf(mask: AttentionMask, sequence: number, each: number): string {
  let [seen, ahead] = [0, 0];
  for (let query = 0; query < mask.tokens; query++)
    for (let key = 0; key < mask.tokens; key++) {
      if (!mask.sees(sequence, query, key)) continue;
      seen++;
      if (key > query) ahead++;
    }
  const shared = each > 1 ? `, ${each} tokens a cell` : "";
  const pairs = `${seen} of ${mask.tokens ** 2} pairs see, ${ahead} of them a later token`;
  return `attention mask of ${mask.tokens} tokens: ${pairs}${shared}`;
}

/** @throws LuvitError("bad-argument") naming what lies outside the mask. */
function expectFit(mask: AttentionMask, { sequence = 0, parts = [], tokens }: AttentionMaskOptions): void {
  const wrong = [
    ...(sequence < mask.sequences ? [] : [`sequence ${sequence}: the mask has ${mask.sequences}`]),
    ...parts.filter(({ end }) => end > mask.tokens).map(({ name, end }) => `part "${name}" ends at ${end}`),
    ...(!tokens || tokens.length === mask.tokens ? [] : [`tokens: ${tokens.length} words`]),
  ];
  if (wrong.length === 0) return;
  const size = `the mask has ${mask.tokens} tokens`;
  throw new LuvitError("bad-argument", `attentionMask: ${size}\n${listOffenders(wrong)}`);
}
