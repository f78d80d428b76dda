import { inspect } from "node:util";
import { LuvitError, listOffenders } from "../../core/errors";
import { checkOptions, list, optionsOf, text } from "../../core/options";
import { type Tensor, tf } from "../../core/tf";
import type { EngineOptions } from "../../engine";
import { engineOptions } from "../../engine/options";
import type { Llavit } from "../../models/llavit/llavit";
import { promptOf } from "../../models/llavit/prompt";
import { openForward } from "../../train/forward";
import { type GivenImage, imageArgument } from "../../train/preparedImage";
import { llavitField } from "../../train/questions";
import { expectLayers } from "../patterns";
import type { MapSize } from "../relevance/display";
import { feedsOf, type SeenImage, seenImage } from "./spoken";

const answersField = list(text, 1);

/** What the tokens of an image say at one place of the language model. */
export interface VisualSite {
  /** "embed" (what the connector gives), "layers.2.out". */
  readonly site: string;
  /** Probability of each answer's first token among all tokens, [P × A]. */
  readonly likelihood: Float32Array;
}

/** What the patches of an image say, layer by layer. Prints as one line. */
export class VisualTokens {
  constructor(
    readonly answers: readonly string[],
    readonly image: SeenImage,
    /** In the order of the forward pass. */
    readonly sites: readonly VisualSite[],
  ) {}

  get grid(): MapSize {
    return this.image.grid;
  }

  /**
   * The likeliest answer of a patch at a place.
   *
   * @throws LuvitError("bad-argument") for a place that was not looked at.
   */
  at(site: string, patch: number): { answer: string; likelihood: number } {
    const count = this.answers.length;
    const row = this.likelihoods(site).subarray(patch * count, (patch + 1) * count);
    const best = row.indexOf(Math.max(...row));
    return { answer: this.answers[best], likelihood: row[best] };
  }

  /**
   * Likelihood of one answer at every patch, [P].
   *
   * @throws LuvitError("bad-argument") for a place or an answer that was not looked at.
   */
  of(site: string, answer: string): Float32Array {
    const which = this.answers.indexOf(answer);
    if (which < 0) {
      const known = this.answers.join(", ");
      throw new LuvitError("bad-argument", `visualTokens: "${answer}" is none of the answers ${known}`);
    }
    const all = this.likelihoods(site);
    return all.filter((_, i) => i % this.answers.length === which);
  }

  private likelihoods(site: string): Float32Array {
    expectLayers("visualTokens", [site], this.names);
    return this.sites.find((one) => one.site === site)!.likelihood;
  }

  private get names(): string[] {
    return this.sites.map(({ site }) => site);
  }

  toString(): string {
    const { rows, columns } = this.grid;
    return `VisualTokens(${this.answers.length} answers, ${rows} × ${columns} patches at ${this.names.join(", ")})`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * What each patch says in the language model, layer by layer: the model's own norm and output layer on the tokens of the
 * image, read as the probability of each answer. Of an answer of several tokens its first one counts, so that answers have
 * to begin differently. An untrained likelihood is no answer: nobody asks these tokens anything.
 * Reference: nostalgebraist 2020, "interpreting GPT: the logit lens"; LLaViT (arXiv 2511.10301) reads visual tokens so.
 *
 * @throws LuvitError("bad-argument") for answers that begin with the same token, or options that cannot be, "bad-image" for
 * what cannot be read.
 *
 * @example
 * const language = await luvit.llavit.languageModel("data/llama-toy");
 * const tower = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const model = await luvit.llavit.create({ tower, language });
 * const image = luvit.data.toy.questions(1, 1).pixels(0);
 * console.log((await luvit.analysis.visualTokens(model, image, ["red", "blue"])).at("layers.3.out", 27));
 */
export async function visualTokens(
  model: Llavit,
  image: GivenImage,
  answers: readonly string[],
  options: EngineOptions = {},
): Promise<VisualTokens> {
  checkOptions("visualTokens", llavitField, model);
  checkOptions("visualTokens", imageArgument, image);
  checkOptions("visualTokens", answersField, answers);
  checkOptions("visualTokens", visualTokensOptions, options);
  const firsts = firstTokens(model, answers);
  const seen = await seenImage("visualTokens", model, image);
  const { ids, start } = promptOf(model, "");
  // What stands behind an image is not seen by it.
  const feeds = feedsOf(seen, ids.slice(0, start + model.patches));
  const { vocabulary } = model.language.config;
  const chosen = new Float32Array(vocabulary * firsts.length);
  for (const [answer, token] of firsts.entries()) chosen[token * firsts.length + answer] = 1;
  const body = ({ images, ids }: Readonly<Record<string, Tensor>>) => {
    const said = (tokens: Tensor) => likelihoodOf(model, tokens, chosen);
    const visual = model.see(images);
    const found: Record<string, Tensor> = { embed: said(visual) };
    const tap = (name: string, value: Tensor) => {
      if (!/^layers\.\d+\.out$/.test(name)) return;
      const [, , dim] = value.shape as [number, number, number];
      found[name] = said(tf.slice(value, [0, start, 0], [1, model.patches, dim]));
    };
    const context = model.contextAt(start, ids.shape[1]!, { tap });
    model.language.hidden(model.splice(visual, ids, start), context);
    return found;
  };
  const forward = await openForward("visual tokens", model, { inputs: feeds, body }, options);
  try {
    const results = await forward.run(feeds);
    const names = ["embed", ...model.language.layers.map((_, i) => `layers.${i}.out`)];
    const sites = names.map((site) => ({ site, likelihood: results[site] }));
    return new VisualTokens([...answers], seen, sites);
  } finally {
    await forward.dispose();
  }
}

const visualTokensOptions = optionsOf<EngineOptions>({}, engineOptions.optional);

/** tokens [1, P, D] -> [P, A]: the probabilities of the tokens that `chosen` [V × A] marks. */
function likelihoodOf({ language }: Llavit, tokens: Tensor, chosen: Float32Array): Tensor {
  const [, patches, dim] = tokens.shape as [number, number, number];
  const flat = tf.reshape(tokens, [patches, dim]);
  const logits = language.logits(language.norm.forward(flat));
  const vocabulary = logits.shape[1]!;
  return tf.matMul(tf.softmax(logits), tf.tensor(chosen, [vocabulary, chosen.length / vocabulary]));
}

/** @throws LuvitError("bad-argument") naming answers that begin with the same token, and those of none. */
function firstTokens({ tokenizer }: Llavit, answers: readonly string[]): number[] {
  const byToken = new Map<number | undefined, string[]>();
  for (const answer of answers) {
    const [first] = tokenizer.encode(answer);
    byToken.set(first, [...(byToken.get(first) ?? []), `"${answer}"`]);
  }
  const wrong = [...byToken].flatMap(([token, same]) => {
    if (token === undefined) return [`${same.join(", ")}: no token`];
    return same.length > 1 ? [`${same.join(", ")}: the same first token`] : [];
  });
  if (wrong.length === 0) return [...byToken.keys()] as number[];
  const advice = "only first tokens are compared, so that answers have to begin differently";
  throw new LuvitError("bad-argument", `visualTokens: ${advice}\n${listOffenders(wrong)}`);
}
