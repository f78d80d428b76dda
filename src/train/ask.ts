import { checkOptions, number, optionsOf, seed, such, whole } from "../core/options";
import { Rng } from "../core/rng";
import { ensureBackend } from "../core/tf";
import type { RgbImage } from "../data/pixels";
import type { EngineOptions } from "../engine";
import { InTurn } from "../engine/inTurn";
import { engineOptions } from "../engine/options";
import type { Llavit } from "../models/llavit/llavit";
import { type Prompt, promptOf } from "../models/llavit/prompt";
import { type Choosing, generate } from "./generate";
import { KeptSlot } from "./kept";
import { imageArgument, preparedValues } from "./preparedImage";
import { llavitField } from "./questions";
import { capacityFor, Reader } from "./reader";

/** How an answer is chosen, and on what it is computed. */
export interface AskOptions extends EngineOptions {
  /** 0 (default): always the likeliest token; above: drawn, the more freely the higher. */
  temperature?: number;
  /** Decides what is drawn; default 0. */
  seed?: number;
  /** Tokens after which an answer is cut off; default 64. */
  maxTokens?: number;
}

export const askOptions = optionsOf<AskOptions>(
  {},
  { ...engineOptions.optional, temperature: number(0, 1000), seed, maxTokens: whole(1, 100_000) },
);

const questionField = such<string>(
  "a question in words",
  (value) => typeof value === "string" && /\S/.test(value),
);

/** The model that was asked last stays open: its graphs and its weights on an engine. */
const asked = new KeptSlot<Reader>();
/** Who asks at the same time shares them. */
const turns = new InTurn("ask");

/**
 * Asks a model about an image: a file, encoded bytes, pixels, or what a data set gives ([3, S, S], already prepared). What
 * it has read is kept while it answers, so that each token is computed alone. The first question makes the graphs of three
 * passes (the image; 32 tokens of text; one token) and hands an engine the weights; whatever is asked next about any image
 * compiles nothing, until another model is asked, its weights change, or question and answer together need more than 256
 * tokens. Questions that are asked at the same time are answered one after another.
 *
 * @throws LuvitError("bad-argument") for options or values that cannot be, "bad-image" for what cannot be read, "non-finite"
 * for a model whose numbers are none, "engine" when the engine asked for cannot be had.
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
  checkOptions("ask", questionField, question);
  checkOptions("ask", askOptions, options);
  const { temperature = 0, seed: start = 0, maxTokens: most = 64, ...engine } = options;
  const values = await preparedValues("ask", image, model.preprocessing, model.vision_tower.config.imageSize);
  await ensureBackend();
  const choosing = { most, temperature, rng: new Rng(start).fork("answer") };
  const prompt = promptOf(model, question);
  // The last token that is said is not read any more.
  model.language.expectPositions("ask: image, question and maxTokens", prompt.ids.length + most - 1);
  const tokens = await turns.do(() => answered(model, values, prompt, choosing, engine));
  return model.tokenizer.decode(tokens);
}

async function answered(
  model: Llavit,
  image: Float32Array,
  prompt: Prompt,
  choosing: Choosing,
  engine: EngineOptions,
): Promise<number[]> {
  const { ids, start } = prompt;
  const { maxPositions = Number.POSITIVE_INFINITY } = model.language.config;
  const room = capacityFor(start + model.patches, ids.length + choosing.most);
  const sizes = { start, capacity: Math.min(room, maxPositions) };
  const key = JSON.stringify([model.describe(), sizes, engine]);
  const { value: reader, giveBack } = await asked.take(model, key, () => Reader.open(model, sizes, engine));
  try {
    const tokens = await generate(model, reader, image, prompt, choosing);
    await giveBack();
    return tokens;
  } catch (error) {
    await reader.dispose();
    throw error;
  }
}
