import { checkOptions, number, optionsOf, seed, text, whole } from "../core/options";
import { Rng } from "../core/rng";
import { ensureBackend } from "../core/tf";
import type { RgbImage } from "../data/pixels";
import { generate } from "../models/llavit/generate";
import type { Llavit } from "../models/llavit/llavit";
import { promptOf } from "../models/llavit/prompt";
import { imageArgument, preparedValues } from "./preparedImage";
import { llavitField } from "./questions";

/** How an answer is chosen. */
export interface AskOptions {
  /** 0 (default): always the likeliest token; above: drawn, the more freely the higher. */
  temperature?: number;
  /** Decides what is drawn; default 0. */
  seed?: number;
  /** Tokens after which an answer is cut off; default 64. */
  maxTokens?: number;
}

export const askOptions = optionsOf<AskOptions>(
  {},
  { temperature: number(0, 1000), seed, maxTokens: whole(1, 100_000) },
);

/**
 * Asks a model about an image: a file, encoded bytes, pixels, or what a data set gives ([3, S, S], already prepared). What
 * it has read is kept while it answers, so that each token is computed alone. Runs op by op in this process.
 *
 * @throws LuvitError("bad-argument") for options or values that cannot be, "bad-image" for what cannot be read, "non-finite"
 * for a model whose numbers are none.
 *
 * @example
 * const language = await luvit.llavit.languageModel("data/llama-toy");
 * const tower = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const model = await luvit.llavit.create({ tower, language });
 * console.log(await luvit.ask(model, luvit.data.toy.questions(1, 1).pixels(0), "what is it?", { maxTokens: 8 }));
 */
export async function ask(
  model: Llavit,
  image: string | Uint8Array | RgbImage | Float32Array,
  question: string,
  options: AskOptions = {},
): Promise<string> {
  checkOptions("ask", llavitField, model);
  checkOptions("ask", imageArgument, image);
  checkOptions("ask", text, question);
  checkOptions("ask", askOptions, options);
  const { temperature = 0, seed: start = 0, maxTokens: most = 64 } = options;
  const values = await preparedValues("ask", image, model.preprocessing, model.vision_tower.config.imageSize);
  await ensureBackend();
  const rng = new Rng(start).fork("answer");
  const tokens = await generate(model, values, promptOf(model, question), { most, temperature, rng });
  return model.tokenizer.decode(tokens);
}
