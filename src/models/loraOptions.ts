import { entry, flag, optionsOf, type Rule, seed, such } from "../core/options";
import { alpha, rank, targets } from "./options";

/** Rank, scale, targets and dropout of low-rank adapters. */
export interface LoraOptions {
  /** Rank r. LUViT: 16. */
  rank?: number;
  /** Scale numerator; the update is alpha/rank * B A. The paper's equation has no scale, hence alpha = rank. */
  alpha?: number;
  /** Last path segments, Hugging Face ("q_proj") or original ("wq") names. LUViT: q and v. */
  targets?: readonly string[];
  /** rsLoRA: scale by alpha / sqrt(rank). */
  rankStabilized?: boolean;
  /** PEFT's name of `rank`. */
  r?: number;
  /** PEFT's name of `alpha`. Left out it is the rank here; PEFT's default is 8. */
  loraAlpha?: number;
  /** PEFT's name of `targets`. */
  targetModules?: readonly string[];
  /** PEFT's name of `rankStabilized`. */
  useRslora?: boolean;
  /** PEFT's; LUViT trains without, and only 0 can be had here. */
  loraDropout?: 0;
  /** Freeze everything else in `model` (default); false leaves other parameters as they are. */
  freeze?: boolean;
  seed?: number;
}

/** One thing has two names, of which only one may be given. */
const oneName: Rule<LoraOptions> = (options) =>
  (
    [
      ["rank", "r"],
      ["alpha", "loraAlpha"],
      ["targets", "targetModules"],
      ["rankStabilized", "useRslora"],
    ] as const
  ).flatMap(([own, peft]) =>
    options[own] !== undefined && options[peft] !== undefined
      ? [[peft, `to be left out, because ${own} is given`] as const]
      : [],
  );

export const loraOptions = optionsOf<LoraOptions>(
  {},
  {
    rank,
    alpha,
    targets,
    rankStabilized: entry(flag, "rsLoRA: scale by alpha / sqrt(rank)", false),
    freeze: flag,
    seed,
    r: rank,
    loraAlpha: alpha,
    targetModules: targets,
    useRslora: flag,
    loraDropout: such<0>("0 (LoRA trains without dropout here)", (value) => value === 0),
  },
  oneName,
);
