/** What a named value of a forward pass is: what its axes count, and in what its numbers are. */
export interface PlaceKind {
  readonly axes: readonly string[];
  readonly unit: string;
}

const tokens = ["images", "tokens", "channels"];
const pairs = ["images", "heads", "queries", "keys"];
const activation = "activation";

/** By the end of the name, most special first. */
const kinds: readonly [name: RegExp, axes: readonly string[], unit: string][] = [
  [/\.pattern$/, pairs, "share of attention; a row sums to 1"],
  [/\.scores$/, pairs, "logit of attention, before softmax and masks"],
  [/\.heads$/, ["images", "heads", "tokens", "channels"], activation],
  [/^logits$/, ["images", "classes"], "logit"],
  [/^(pooled|features)$/, ["images", "channels"], activation],
  [/^(embed|tokens|fusion\.(in|mapper1|block|mapper2|out))$/, tokens, activation],
  [/\.(norm1|norm2|attention_norm|ffn_norm|middle|out|lora)$/, tokens, activation],
];

/** The kind of a value by its name; undefined for a name that no model here gives. */
export function placeKind(name: string): PlaceKind | undefined {
  const found = kinds.find(([pattern]) => pattern.test(name));
  return found && { axes: found[1], unit: found[2] };
}
