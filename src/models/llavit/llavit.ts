import { checkOptions, partsWith } from "../../core/options";
import { type Preprocessing, usualPreprocessing } from "../../core/preprocessing";
import { Rng } from "../../core/rng";
import { type Tensor, tf } from "../../core/tf";
import { bytes, type Tokenizer } from "../../io/tokenizer";
import { prefixMask, type WithinImage } from "../../nn/attentionMask";
import { type Context, inference, type TokenRange } from "../../nn/context";
import { softTargetCrossEntropy } from "../../nn/losses";
import type { LlavitConfig, PromptTemplate } from "../config";
import { Encoder } from "../encoder";
import type { LlamaLanguageModel } from "../languageModel";
import { PreparedModel } from "../prepared";
import { Connector } from "./connector";
import { describeVision } from "./describe";
import { expectImages, type ImageStart, rowOf, spliced } from "./imagePlaces";
import { plainTemplate } from "./prompt";
import { type Tower, towerFeatures } from "./tower";

/** What a model of images and text is made of. */
export interface LlavitParts {
  tower: Tower;
  language: LlamaLanguageModel;
  layers: readonly number[];
  visionMask: WithinImage;
  tokenizer?: Tokenizer;
  template?: PromptTemplate;
  preprocessing?: Preprocessing;
  seed?: number;
}

/** Sequences with an image in each, or in some. */
export interface AnswerInputs {
  /** [N, 3, S, S], those of the sequences that have one, in their order. */
  images: Tensor;
  /** int32 [B, T], any token where the image stands. */
  ids: Tensor;
}

/**
 * A language model that reads the patches of an image: tower (frozen), connector, language model. Keys `vision_tower.*`,
 * `mm_projector.0.*`, `mm_projector.2.*`, and those of `LlamaLanguageModel`, with `vision_wq`, `vision_wk`, `vision_wv`
 * beside the text's where tokens of images have projections of their own.
 * Reference: LLaVA llava_arch.py; transformers models/llava/modeling_llava.py; LLaViT (arXiv 2511.10301) as far as reviews
 * and summaries tell: its text was not at hand, and there is no code of it.
 */
export class Llavit extends PreparedModel {
  readonly vision_tower: Tower;
  readonly mm_projector: Connector;
  readonly language: LlamaLanguageModel;
  /** Blocks of the tower whose features are read, from 1; 0 is what enters the first. */
  readonly layers: readonly number[];
  /** How tokens of an image see each other. */
  readonly visionMask: WithinImage;
  readonly tokenizer: Tokenizer;
  /** What stands around image, question and answer. */
  template: PromptTemplate;

  constructor(parts: LlavitParts) {
    checkOptions("Llavit", partsWith("tower", "language", "layers", "visionMask"), parts);
    super(parts.preprocessing ?? usualPreprocessing(parts.tower.config.imageSize));
    const {
      tower,
      language,
      layers,
      visionMask,
      tokenizer = bytes,
      template = plainTemplate,
      seed = 0,
    } = parts;
    this.vision_tower = tower;
    tower.freeze();
    const features = layers.length * tower.config.dim;
    this.mm_projector = new Connector(features, language.config.dim, new Rng(seed).fork("connector"));
    this.language = language;
    this.layers = [...layers];
    this.visionMask = visionMask;
    this.tokenizer = tokenizer;
    this.template = { ...template };
  }

  override describe(): LlavitConfig {
    const { vision_tower: tower, language, layers, visionMask, template, tokenizer } = this;
    return {
      modelType: "luvit-llavit",
      tower:
        tower instanceof Encoder
          ? { kind: "vit", vit: tower.describe() }
          : { kind: "clip", clip: tower.describe() },
      language: language.sizes(),
      layers: [...layers],
      visionQkv: describeVision(language),
      visionMask,
      template: { ...template },
      tokenizer: tokenizer.source,
      preprocessing: this.describePreprocessing(),
      ...this.describeCommon(),
    };
  }

  protected override transparentFields(): readonly string[] {
    return ["language"];
  }

  /** Tokens that an image takes. */
  get patches(): number {
    const { imageSize, patchSize } = this.vision_tower.config;
    return (imageSize / patchSize) ** 2;
  }

  /** images [B, 3, S, S] -> tokens of the language model [B, L, H]. */
  see(images: Tensor, { tap, edit }: Context = inference): Tensor {
    return this.mm_projector.forward(towerFeatures(this.vision_tower, images, this.layers, { tap, edit }));
  }

  /** Tokens of images [N, L, H] put among those of text, where they begin: [B, T, H]. */
  splice(visual: Tensor, ids: Tensor, start: ImageStart): Tensor {
    const [batch, tokens] = ids.shape as [number, number];
    expectImages(start, { images: visual.shape[0], patches: visual.shape[1]!, batch, tokens });
    // All are looked up and then cut: WebGPU cannot cut integers.
    const embedded = this.language.tok_embeddings.forward(ids);
    if (typeof start === "number") return spliced(visual, embedded, start);
    let image = 0;
    const rows = start.map((at, row) => {
      const text = rowOf(embedded, row);
      return at === undefined ? text : spliced(rowOf(visual, image++), text, at);
    });
    return rows.length === 1 ? rows[0] : tf.concat(rows, 0);
  }

  /** Which tokens see which when images begin at `start` in sequences of `tokens`. */
  contextAt(start: ImageStart, tokens: number, context: Context = inference): Context {
    const rangesAt = (at: number | undefined): TokenRange[] =>
      at === undefined ? [] : [{ start: at, end: at + this.patches }];
    const visual = typeof start === "number" ? rangesAt(start) : start.map(rangesAt);
    if (this.visionMask === "causal") return { ...context, visual };
    const starts = typeof start === "number" ? [start] : start;
    const flagsOf = (at: number | undefined) =>
      Array.from({ length: tokens }, (_, i) => Number(at !== undefined && i >= at && i < at + this.patches));
    const window = this.language.config.slidingWindow;
    const mask = prefixMask({
      image: starts.map(flagsOf),
      within: this.visionMask,
      ...(window && { window }),
    });
    return { ...context, visual, mask: mask.tensor() };
  }

  /** -> [B, T, H] after all blocks and the norm. */
  hidden({ images, ids }: AnswerInputs, start: ImageStart, context: Context = inference): Tensor {
    const embeddings = this.splice(this.see(images, context), ids, start);
    return this.language.hidden(embeddings, this.contextAt(start, ids.shape[1]!, context));
  }

  /** -> logits [B, T, V]. Sites of the tower, and `layers.k.*` of the language model. */
  forward(inputs: AnswerInputs, start: ImageStart, context: Context = inference): Tensor {
    return this.language.logits(this.hidden(inputs, start, context));
  }

  /** -> logits [N, V] of some tokens: `rows` int32 [N] are b T + t. */
  logitsAt(inputs: AnswerInputs & { rows: Tensor }, start: ImageStart, context: Context = inference): Tensor {
    const hidden = this.hidden(inputs, start, context);
    const flat = tf.reshape(hidden, [-1, hidden.shape[2]!]);
    return this.language.logits(tf.gather(flat, inputs.rows as tf.Tensor1D));
  }

  /**
   * Mean cross entropy of what is to be answered. `rows` int32 [N] are the tokens (b T + t) whose next one counts, `targets`
   * [N, V] what it is, see `answerTargets`.
   */
  loss(inputs: AnswerInputs & { rows: Tensor; targets: Tensor }, start: ImageStart): Tensor {
    return softTargetCrossEntropy(this.logitsAt(inputs, start), inputs.targets);
  }
}
