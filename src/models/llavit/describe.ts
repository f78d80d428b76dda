import type { LlavitConfig } from "../config";
import type { LlamaLanguageModel } from "../languageModel";
import { VisionUpdate } from "../visionQkv";

/** In which blocks tokens of images have projections of their own, and of what kind; null where in none. */
export function describeVision({ layers }: LlamaLanguageModel): LlavitConfig["visionQkv"] {
  const own = layers.flatMap(({ attention: { vision } }, i) => (vision ? [{ vision, block: i + 1 }] : []));
  if (own.length === 0) return null;
  const blocks = own.map(({ block }) => block);
  const { vision_wq: first } = own[0].vision;
  if (!(first instanceof VisionUpdate)) return { kind: "full", blocks, rank: null, alpha: null };
  return { kind: "lora", blocks, rank: first.rank, alpha: first.alpha };
}
