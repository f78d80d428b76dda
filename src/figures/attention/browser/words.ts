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
  readonly regions?: readonly number[] | undefined;
  readonly hovered?: number | undefined;
}

/** Layer and heads, beside a model's name. */
export function subtitleOf({ layer, wanted, view, head }: Shown): string {
  const how = {
    mean: `mean of ${layer.heads} heads`,
    max: `maximum of ${layer.heads} heads`,
    head: `head ${head + 1} of ${layer.heads}`,
    rollout: "rollout",
    entropy: `entropy, mean of ${layer.heads} heads`,
  }[view];
  const lacking = layer.name === wanted ? "" : `no ${layerLabel(wanted).long.replace(/ \(.*/, "")} here; `;
  return `${lacking}${layerLabel(layer.name).long}, ${how}`;
}

/** The numbers in words: where most of the attention goes, its entropy, its share on the object. */
export function sentencesOf(shown: Shown): string[] {
  const { layer, view, head, query, row, regions } = shown;
  const sentences = [hoveredSentence(shown) ?? strongestSentence(shown)];
  if (view !== "rollout" && view !== "max") {
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
  const share = view === "entropy" || view === "max" || !regions ? undefined : objectShare(row, regions);
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
  }[view];
}

function strongestSentence({ query, view, row, grid }: Shown): string {
  const most = strongestPatch(row);
  if (view === "entropy") return `Most spread: ${tokenName(most, grid)} with ${nats(row[most]!)}.`;
  const name = query === 0 ? "The class token" : `The patch in ${tokenName(query, grid)}`;
  const verb = view === "rollout" ? "holds most of" : "looks most at";
  const target = most === query ? "itself" : tokenName(most, grid);
  return `${name} ${verb} ${target} (${percent(row[most]!)}).`;
}

function hoveredSentence({ hovered, view, row, grid }: Shown): string | undefined {
  if (hovered === undefined) return undefined;
  const words = view === "entropy" ? nats(row[hovered]!) : percent(row[hovered]!);
  return `Under the pointer, ${tokenName(hovered, grid)}: ${words}.`;
}
