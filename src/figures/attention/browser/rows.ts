import { type Layer, rowOf } from "./payload";

/** What the colors stand for: attention of one head, of all, rollout, or every patch's own entropy. */
export type AttentionView = "mean" | "max" | "head" | "rollout" | "entropy";

/** And what does not come from attention: evidence for a class, what the patches say, how long the tokens are. */
export type View = AttentionView | "relevance" | "lens" | "norms";

/** Attention of one head from one token to all, [T]. */
export function headRow(layer: Layer, head: number, query: number): Float32Array {
  const { levels, greatest, tokens, rows } = layer;
  const row = head * rows + rowOf(layer, query);
  const unit = greatest[row]! / 255;
  return Float32Array.from(levels.subarray(row * tokens, (row + 1) * tokens), (level) => level * unit);
}

/** Mean over heads, [T]. */
export function meanRow(layer: Layer, query: number): Float32Array {
  const mean = new Float32Array(layer.tokens);
  const { levels, greatest, tokens, rows, heads } = layer;
  for (let head = 0; head < heads; head++) {
    const row = head * rows + rowOf(layer, query);
    const unit = greatest[row]! / 255 / heads;
    for (let key = 0; key < tokens; key++) mean[key] += levels[row * tokens + key]! * unit;
  }
  return mean;
}

/** Greatest weight that any head gives each token, [T]. */
export function maxRow(layer: Layer, query: number): Float32Array {
  const most = new Float32Array(layer.tokens);
  for (let head = 0; head < layer.heads; head++) {
    const row = headRow(layer, head, query);
    for (let key = 0; key < most.length; key++) most[key] = Math.max(most[key]!, row[key]!);
  }
  return most;
}

/** What a token is made of after this layer, [T]. */
export function rolloutRow(layer: Layer, query: number): Float32Array {
  const { tokens, rolloutLevels, rolloutGreatest } = layer;
  const row = rowOf(layer, query);
  const unit = rolloutGreatest[row]! / 255;
  return Float32Array.from(rolloutLevels.subarray(row * tokens, (row + 1) * tokens), (level) => level * unit);
}

/** Entropy of every token's attention, nats, [T]: of one head, or the mean over heads. */
export function entropyRow({ entropy, heads, tokens }: Layer, head?: number): Float32Array {
  if (head !== undefined) return entropy.slice(head * tokens, (head + 1) * tokens);
  const mean = new Float32Array(tokens);
  for (let i = 0; i < entropy.length; i++) mean[i % tokens] += entropy[i]! / heads;
  return mean;
}

/** The numbers behind the colors, [T]. */
export function shownRow(layer: Layer, view: AttentionView, head: number, query: number): Float32Array {
  if (view === "head") return headRow(layer, head, query);
  if (view === "max") return maxRow(layer, query);
  if (view === "rollout") return rolloutRow(layer, query);
  return view === "entropy" ? entropyRow(layer) : meanRow(layer, query);
}

/** Least and greatest number over the patches, the class token left out. */
export function patchRange(row: Float32Array): [number, number] {
  const patches = row.subarray(1);
  return [patches.reduce((a, b) => Math.min(a, b)), patches.reduce((a, b) => Math.max(a, b))];
}

/** The patch with the greatest number, as a token. */
export function strongestPatch(row: Float32Array): number {
  let best = 1;
  for (let token = 2; token < row.length; token++) if (row[token]! > row[best]!) best = token;
  return best;
}

/** Share of the patches' weight that lies on the object, and the object's share of the patches; ignored ones left out. */
export function objectShare(
  row: Float32Array,
  regions: readonly number[],
): { weight: number; area: number } | undefined {
  let [onObject, total, cells, counted] = [0, 0, 0, 0];
  for (const [patch, region] of regions.entries()) {
    if (region < 0) continue;
    total += row[patch + 1]!;
    counted++;
    if (region === 1) [onObject, cells] = [onObject + row[patch + 1]!, cells + 1];
  }
  if (cells === 0 || cells === counted || total === 0) return undefined;
  return { weight: onObject / total, area: cells / counted };
}
