import {
  entry,
  list,
  number,
  object,
  oneOf,
  optionsOf,
  type Rule,
  seed,
  such,
  text,
  whole,
} from "../core/options";
import type { Preprocessing } from "../core/preprocessing";
import type { RopeScaling } from "../io/llama";
import { headCount, width } from "../nn/options";

/** Most patches of an image: attention over more takes 17 GB a head. */
export const MOST_PATCHES = 65_536;
/** Most numbers in a stack of blocks: 80 GB of float32. */
export const MOST_WEIGHTS = 2e10;

export const pixels = whole(1, 16_384);
export const depth = entry(whole(1, 10_000), "blocks", 12);
export const dim = entry(width, "width", 768);
export const heads = entry(headCount, "attention heads", 12);
export const mlpRatio = entry(number(0, 1024, true), "hidden width of the MLP / width", 4);

export const has = (value: unknown, ...names: string[]) =>
  typeof value === "object" && value !== null && names.every((name) => name in value);

/** A model, for what takes any. */
export const modelField = such<{ namedParameters(): unknown }>("a model", (value) =>
  has(value, "namedParameters", "namedModules"),
);

export const preprocessing = optionsOf<Preprocessing>(
  {
    size: whole(1, 16_384),
    resize: oneOf(["shorterSide", "none"]),
    cropRatio: number(0, 1, true),
    interpolation: oneOf(["bicubic"]),
    mean: list(number(), 3),
    std: list(number(0, undefined, true), 3),
  },
  {},
);

export const ropeScaling = such<RopeScaling>("how rotary positions are scaled: { type, … }", (value) =>
  has(value, "type"),
);

export const seedOption = object({ seed }, {});

export const randomBlockOptions = object({}, { depth: whole(1, 10_000), seed });

export const rank = entry(whole(1, 100_000), "rank r", 16);
export const alpha = entry(number(-1_000_000, 1_000_000), "scale numerator; default the rank", 16);
export const targets = entry(list(text, 1), "what it is attached to", ["q_proj", "v_proj"]);

/** Which of a file's weights. */
export const partOptions = object({}, { key: text });

/** Sizes of a stack of transformer blocks. */
interface Stack {
  dim: number;
  depth: number;
  heads: number;
  mlpRatio: number;
}

/** What is wrong with a stack of blocks as a whole. */
export const stackFits: Rule<Stack> = ({
  dim: wide = 0,
  depth: deep = 0,
  heads: many = 1,
  mlpRatio: ratio = 0,
}) => {
  const weights = deep * wide ** 2 * (4 + 2 * ratio);
  const wrong: [name: string, expected: string][] = [];
  if (wide % many !== 0) wrong.push(["dim", `a multiple of heads (${many})`]);
  if (weights > MOST_WEIGHTS) {
    const much = `${wide} wide and with mlpRatio ${ratio} it holds ${weights.toExponential(1)} weights`;
    wrong.push(["depth", `blocks of at most ${MOST_WEIGHTS.toExponential(0)} weights (${much})`]);
  }
  return wrong;
};

/** One block's part of it. */
export const blockSizes = object({ dim, heads, mlpRatio }, {}, stackFits);

export const attentionSizes = object({ dim, heads }, {}, stackFits);
