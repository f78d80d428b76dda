import { type Evidence, median } from "./evidence";
import type { Grid, Layer } from "./payload";
import { entropyRow, objectShare, strongestPatch, type View } from "./rows";
import { layerLabel, nats, percent, tokenName } from "./state";

/** What is shown of one model. */
export interface Shown {
  readonly layer: Layer;
  /** The layer asked for, which the model may lack. */
  readonly wanted: string;
  readonly view: View;
  readonly head: number;
  readonly query: number;
  readonly grid: Grid;
  /** Values over the tokens. */
  readonly row: Float32Array;
  readonly evidence: Evidence;
  /** Name of the chosen class; empty where none can be chosen. */
  readonly className: string;
  readonly method: string;
  readonly regions?: readonly number[] | undefined;
  readonly hovered?: number | undefined;
}

/** Layer and heads, beside a model's name. */
export function subtitleOf({ layer, wanted, view, head, className, method }: Shown): string {
  const how = {
    mean: `mean of ${layer.heads} heads`,
    max: `maximum of ${layer.heads} heads`,
    head: `head ${head + 1} of ${layer.heads}`,
    rollout: "rollout",
    entropy: `entropy, mean of ${layer.heads} heads`,
    relevance: "",
    lens: `what patches say of ${className}`,
    norms: "norms of the tokens it is given",
  }[view];
  if (view === "relevance") return `Evidence for ${className} (${methodName(method)})`;
  const lacking = layer.name === wanted ? "" : `no ${layerLabel(wanted).long.replace(/ \(.*/, "")} here; `;
  const blocks =
    isCoarseView(view) && layer.step > 1 ? `, queries in blocks of ${layer.step} × ${layer.step}` : "";
  return `${lacking}${layerLabel(layer.name).long}, ${how}${blocks}`;
}

/** The numbers in words: where most of the attention goes, its entropy, its share on the object. */
export function sentencesOf(shown: Shown): string[] {
  const { layer, view, head, query, row, regions } = shown;
  const sentences = [hoveredSentence(shown) ?? strongestSentence(shown), ...sayingSentence(shown)];
  if (view === "mean" || view === "head" || view === "entropy") {
    const entropy = entropyRow(layer, view === "head" ? head : undefined)[query]!;
    const whose =
      view === "entropy"
        ? `Entropy of ${query === 0 ? "the class token" : "the framed patch"}`
        : view === "head"
          ? "Entropy"
          : "Mean entropy of the heads";
    const bound = Math.log(layer.tokens).toFixed(2);
    sentences.push(`${whose}: ${nats(entropy)} of at most ln ${layer.tokens} = ${bound}.`);
  }
  if (view === "norms") sentences.push(normSentence(row));
  const hasShare = view !== "entropy" && view !== "max" && view !== "norms" && view !== "lens";
  const share = hasShare && regions ? objectShare(row, regions) : undefined;
  if (share) {
    sentences.push(
      `On the object: ${percent(share.weight)}; the object covers ${percent(share.area)} of the patches.`,
    );
  }
  return sentences;
}

/** What the numbers at the ends of the colors are. */
export function scaleTitle(view: View): string {
  return {
    entropy: "entropy of each patch's own attention",
    rollout: "share of each input patch in the query",
    max: "largest share any head gives",
    head: "share of the query's attention",
    mean: "share of the query's attention",
    relevance: "evidence, from the weakest patch to the strongest",
    lens: "probability of the chosen class",
    norms: "length of the token",
  }[view];
}

/** A value as it is read off the colors. */
export function valueText(view: View, value: number): string {
  if (Number.isNaN(value)) return "–";
  if (view === "entropy") return nats(value);
  return view === "norms" ? value.toFixed(1) : percent(value);
}

/** A method's name for people. */
export function methodName(method: string): string {
  return { chefer: "Chefer", legrad: "LeGrad", gradcam: "Grad-CAM", "gradient-rollout": "gradient rollout" }[method] ?? method; // biome-ignore format: one line
}

/** Whether a view's rows belong to queries, which may stand in the page in blocks. */
function isCoarseView(view: View): boolean {
  return view === "mean" || view === "max" || view === "head" || view === "rollout";
}

function strongestSentence({ query, view, row, grid }: Shown): string {
  const most = strongestPatch(row);
  if (view === "entropy") return `Most spread: ${tokenName(most, grid)} with ${nats(row[most]!)}.`;
  if (view === "norms") return `Longest: ${tokenName(most, grid)} with ${row[most]!.toFixed(1)}.`;
  if (view === "relevance" && !(row[most]! > 0)) return "No patch speaks for it.";
  if (view === "relevance") return `The strongest evidence is in ${tokenName(most, grid)}.`;
  if (view === "lens") return `Surest of it: ${tokenName(most, grid)} (${percent(row[most]!)}).`;
  const name = query === 0 ? "The class token" : `The patch in ${tokenName(query, grid)}`;
  const verb = view === "rollout" ? "holds most of" : "looks most at";
  const target = most === query ? "itself" : tokenName(most, grid);
  return `${name} ${verb} ${target} (${percent(row[most]!)}).`;
}

function hoveredSentence({ hovered, view, row, grid }: Shown): string | undefined {
  if (hovered === undefined) return undefined;
  return `Under the pointer, ${tokenName(hovered, grid)}: ${valueText(view, row[hovered]!)}.`;
}

/** What the patch under the pointer, else the query, says at this layer: "It says: star (61 %)." */
function sayingSentence({ evidence, layer, query, hovered }: Shown): string[] {
  const said = evidence.says(layer.name, hovered ?? query);
  if (!said) return [];
  const who = hovered !== undefined ? "This patch" : query === 0 ? "The class token" : "The framed patch";
  return [`${who} says: ${said.label} (${percent(said.chance)}).`];
}

function normSentence(row: Float32Array): string {
  const middle = median(row.subarray(1));
  const above = row.subarray(1).filter((norm) => norm > 3 * middle).length;
  const some = above === 1 ? "1 patch is" : `${above || "no"} patches are`;
  return `Median: ${middle.toFixed(1)}; ${some} above three times that.`;
}
