import type { Head, HeadColor } from "./evidence";
import type { Grid, ModelHeader, ViewerHeader } from "./payload";
import type { View } from "./rows";

/** What is being looked at; plain JSON, written into exported pages. */
export interface ViewState {
  /** Token whose attention is shown: 0 the class token, 1 + p patch p. */
  query: number;
  /** Whether the query stays when the pointer moves on. */
  pinned: boolean;
  layer: string;
  view: View;
  /** Chosen head of every model, counted from 0. */
  heads: number[];
  /** Weight of the colors over the image, 0 to 1. */
  strength: number;
  lines: boolean;
  outline: boolean;
  sameScale: boolean;
  /** Chosen class, a place in the page's choices. */
  choice: number;
  /** How the evidence for it was found. */
  method: string;
  /** What the squares of the heads are colored by. */
  color: HeadColor;
  /** Heads of every model that are switched off. */
  off: (readonly Head[])[];
}

export function startState({ models, methods }: Pick<ViewerHeader, "models" | "methods">): ViewState {
  const { grid } = models[0]!;
  const names = layerNames(models);
  const lastBlock = names.filter((name) => name.startsWith("blocks.")).at(-1);
  return {
    query: middleToken(grid),
    pinned: false,
    layer: lastBlock ?? names.at(-1)!,
    view: "mean",
    heads: models.map(() => 0),
    strength: 0.72,
    lines: true,
    outline: true,
    sameScale: false,
    choice: 0,
    method: methods[0] ?? "",
    color: models.every(({ sections }) => sections.some(({ name }) => name === "heads.answer"))
      ? "effect"
      : "entropy",
    off: models.map(() => []),
  };
}

const attentionViews: readonly View[] = ["mean", "max", "head", "rollout", "entropy"];

/** What a page can show. */
export function viewsOf({ models, methods }: Pick<ViewerHeader, "models" | "methods">): View[] {
  const has = (name: string) => models.every(({ sections }) => sections.some((one) => one.name === name));
  return [
    ...attentionViews,
    ...(methods.length > 0 ? (["relevance"] as const) : []),
    ...(has("lens.choices") ? (["lens"] as const) : []),
    ...(has("norms") ? (["norms"] as const) : []),
  ];
}

/** "head 3 of ViT block 5". */
export function headName({ layer, head }: Head): string {
  return `head ${head + 1} of ${layerLabel(layer).long.replace(/ \(.*/, "")}`;
}

/** The patch in the middle, as a token. */
export function middleToken({ rows, columns }: Grid): number {
  return 1 + Math.floor(rows / 2) * columns + Math.floor(columns / 2);
}

/** Every layer that any model has, in the order of the model with the most. */
export function layerNames(models: readonly ModelHeader[]): string[] {
  const longestFirst = [...models].sort((a, b) => b.layers.length - a.layers.length);
  return [...new Set(longestFirst.flatMap(({ layers }) => layers.map(({ name }) => name)))];
}

/** A layer's name for people, short for a button and in full. */
export function layerLabel(name: string): { short: string; long: string } {
  const [, kind, number] = /^(blocks|llama\.layers)\.(\d+)$/.exec(name) ?? [];
  if (kind === undefined) return { short: name, long: name };
  const count = Number(number) + 1;
  if (kind === "blocks") return { short: String(count), long: `ViT block ${count} (${name})` };
  return { short: count === 1 ? "LLaMA" : `LLaMA ${count}`, long: `LLaMA block (${name})` };
}

/** Where a key takes the query on the patch grid; undefined for keys that are no movement. */
export function movedQuery(query: number, key: string, { rows, columns }: Grid): number | undefined {
  if (key === "c" || key === "C") return 0;
  const moves: Record<string, [number, number]> = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
    Home: [-columns, 0],
    End: [columns, 0],
  };
  const move = moves[key];
  if (!move) return undefined;
  if (query === 0) return 1;
  const within = (at: number, count: number) => Math.min(count - 1, Math.max(0, at));
  const [x, y] = [(query - 1) % columns, Math.floor((query - 1) / columns)];
  return 1 + within(y + move[1], rows) * columns + within(x + move[0], columns);
}

/** "row 3, column 5" or "the class token". */
export function tokenName(token: number, { columns }: Grid): string {
  if (token === 0) return "the class token";
  return `row ${Math.floor((token - 1) / columns) + 1}, column ${((token - 1) % columns) + 1}`;
}

/** A share of 1 as percent, three digits at most; number and sign stay on one line. */
export function percent(share: number): string {
  const value = 100 * share;
  return `${value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2)}\u00a0%`;
}

/** Nats, two decimals. */
export function nats(entropy: number): string {
  return Number.isFinite(entropy) ? `${entropy.toFixed(2)}\u00a0nats` : "–\u00a0nats";
}
