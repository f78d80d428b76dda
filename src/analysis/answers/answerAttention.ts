import { inspect } from "node:util";
import { checkOptions, optionsOf, such, text, whole } from "../../core/options";
import { printable } from "../../core/printable";
import { type Tensor, tf } from "../../core/tf";
import type { EngineOptions } from "../../engine";
import { engineOptions } from "../../engine/options";
import type { Llavit } from "../../models/llavit/llavit";
import { ask } from "../../train/ask";
import { openForward } from "../../train/forward";
import { type GivenImage, imageArgument } from "../../train/preparedImage";
import { llavitField } from "../../train/questions";
import { expectLayers, tapPatterns } from "../patterns";
import type { MapSize } from "../relevance/display";
import { answeredPrompt, feedsOf, type SeenImage, seenImage, wordsOf } from "./spoken";

export interface AnswerAttentionOptions extends EngineOptions {
  /** Default what the model says. */
  answer?: string;
}

export const answerAttentionOptions = optionsOf<AnswerAttentionOptions>(
  {},
  { ...engineOptions.optional, answer: such<string>("a text", (value) => typeof value === "string") },
);

/** Where one block of the language model looks while it answers. */
export interface AnswerLayer {
  /** "layers.2". */
  readonly layer: string;
  /** H. */
  readonly heads: number;
  /** Attention to every patch, [N × H × P]: of each token of the answer the row of the token before, which chooses it. */
  readonly weights: Float32Array;
}

/** Where a model looks in an image while it gives each token of an answer. Prints as one line. */
export class AnswerAttention {
  constructor(
    readonly question: string,
    readonly answer: string,
    /** N: those of the answer and its end, as text. */
    readonly tokens: readonly string[],
    readonly image: SeenImage,
    /** In the order of the forward pass. */
    readonly layers: readonly AnswerLayer[],
  ) {}

  get grid(): MapSize {
    return this.image.grid;
  }

  /**
   * Attention to every patch, [P], when a token of the answer is chosen; of all heads the mean. The rest to 1 goes to text.
   *
   * @throws LuvitError("bad-argument") for a token, a layer or a head that is not there.
   */
  at(token: number, layer: string, head?: number): Float32Array {
    const names = this.layers.map((one) => one.layer);
    expectLayers("answerAttention", [layer], names);
    const { heads, weights } = this.layers.find((one) => one.layer === layer)!;
    checkOptions("AnswerAttention.at", whole(0, this.tokens.length - 1), token);
    if (head !== undefined) checkOptions("AnswerAttention.at", whole(0, heads - 1), head);
    const patches = this.grid.rows * this.grid.columns;
    const chosen = head === undefined ? Array.from({ length: heads }, (_, h) => h) : [head];
    return Float32Array.from({ length: patches }, (_, patch) => {
      const of = (h: number) => weights[(token * heads + h) * patches + patch];
      return chosen.reduce((sum, h) => sum + of(h), 0) / chosen.length;
    });
  }

  toString(): string {
    const { question, answer, layers } = this;
    const names = layers.map(({ layer, heads }) => `${layer} (${heads} heads)`).join(", ");
    return `AnswerAttention("${printable(question)}" "${printable(answer)}", ${this.tokens.length} tokens: ${names})`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Where a model looks in an image while it gives each token of an answer, per block and head of its language model. The
 * answer is what the model says, or the one that is given.
 *
 * @throws LuvitError("bad-argument") for options or values that cannot be, "bad-image" for what cannot be read, "non-finite"
 * for a model whose numbers are none.
 *
 * @example
 * const language = await luvit.llavit.languageModel("data/llama-toy");
 * const tower = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const model = await luvit.llavit.create({ tower, language });
 * const image = luvit.data.toy.questions(1, 1).pixels(0);
 * const looked = await luvit.analysis.answerAttention(model, image, "what is it?", { answer: "star" });
 * console.log(looked.at(0, "layers.3"));
 */
export async function answerAttention(
  model: Llavit,
  image: GivenImage,
  question: string,
  options: AnswerAttentionOptions = {},
): Promise<AnswerAttention> {
  checkOptions("answerAttention", llavitField, model);
  checkOptions("answerAttention", imageArgument, image);
  checkOptions("answerAttention", text, question);
  checkOptions("answerAttention", answerAttentionOptions, options);
  const { answer: given, ...engine } = options;
  const answer = given ?? (await ask(model, image, question, engine));
  const seen = await seenImage("answerAttention", model, image);
  const prompt = answeredPrompt("answerAttention", model, question, answer);
  const feeds = feedsOf(seen, prompt.ids);
  const count = prompt.ids.length - prompt.answerFrom;
  const heads = new Map<string, number>();
  const body = ({ images, ids }: Readonly<Record<string, Tensor>>) => {
    const found: Record<string, Tensor> = {};
    const tap = tapPatterns((layer, pattern) => {
      if (!layer.startsWith("layers.")) return; // a layer of the tower
      heads.set(layer, pattern.shape[1]!);
      const size = [1, pattern.shape[1]!, count, model.patches];
      const rows = tf.slice(pattern, [0, 0, prompt.answerFrom - 1, prompt.start], size);
      found[layer] = tf.transpose(rows, [0, 2, 1, 3]);
    });
    model.hidden({ images, ids }, prompt.start, { tap });
    return found;
  };
  const forward = await openForward("answer attention", model, { inputs: feeds, body }, engine);
  try {
    const results = await forward.run(feeds);
    const layers = [...heads].map(([layer, heads]) => ({ layer, heads, weights: results[layer] }));
    const tokens = wordsOf(model, prompt.ids.slice(prompt.answerFrom));
    return new AnswerAttention(question, answer, tokens, seen, layers);
  } finally {
    await forward.dispose();
  }
}
