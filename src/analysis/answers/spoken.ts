import { LuvitError } from "../../core/errors";
import type { Llavit } from "../../models/llavit/llavit";
import { type Prompt, promptOf } from "../../models/llavit/prompt";
import { type GivenImage, preparedValues } from "../../train/preparedImage";
import type { MapSize } from "../relevance/display";

/** An image as a model takes it, float32 [3, S, S], and the rows and columns of its patches. */
export interface SeenImage {
  readonly values: Float32Array;
  /** Pixels. */
  readonly side: number;
  readonly grid: MapSize;
}

/** @throws LuvitError as `ask`. */
export async function seenImage(where: string, model: Llavit, image: GivenImage): Promise<SeenImage> {
  const { imageSize: side, patchSize } = model.vision_tower.config;
  const values = await preparedValues(where, image, model.preprocessing, side);
  const rows = side / patchSize;
  return { values, side, grid: { rows, columns: rows } };
}

/** What a prompt is fed as, one sequence. */
export function feedsOf({ values, side }: SeenImage, ids: readonly number[]) {
  return {
    images: { data: values, shape: [1, 3, side, side] },
    ids: { data: Int32Array.from(ids), shape: [1, ids.length], dtype: "int32" },
  } as const;
}

/**
 * The tokens of a question and its answer.
 *
 * @throws LuvitError("bad-argument") where neither the answer nor its end has one.
 */
export function answeredPrompt(where: string, model: Llavit, question: string, answer: string): Prompt {
  const prompt = promptOf(model, question, answer);
  if (prompt.ids.length > prompt.answerFrom) return prompt;
  throw new LuvitError(
    "bad-argument",
    `${where}: the answer "${answer}" has no token, and neither has its end`,
  );
}

/** Each token as text of its own. */
export function wordsOf({ tokenizer }: Llavit, ids: readonly number[]): string[] {
  return ids.map((id) => tokenizer.decode([id]));
}
