import { type Tensor, tf } from "../../core/tf";
import type { Classifier } from "../../models/classifier";
import { type Context, inference } from "../../nn/context";
import { expectLayers, tapPatterns } from "../patterns";
import { forAnswer, patchesAmong, stagesOf } from "../stages";
import { accumulateRelevance, layerRelevance, relevanceOfPatches } from "./attentionGradient";
import { camPixels, enlarge, type MapSize, minMax, scaleCam } from "./display";
import { gradCam } from "./gradCam";
import { siteGradients } from "./gradients";
import { type LeGradScore, leGrad } from "./legrad";
import {
  fuseHeads,
  fuseWithGradient,
  type HeadFusion,
  type RolloutOptions,
  rollout,
  rolloutOfPatches,
} from "./rollout";

/** Ways to tell which patches speak for a class. */
export type RelevanceMethod = "chefer" | "legrad" | "gradcam" | "rollout" | "gradient-rollout";

/** Choices that some methods have. */
export interface MethodOptions extends Omit<RolloutOptions, "spareClass"> {
  /**
   * Layers whose attention takes part, e.g. ["blocks.11"]; of "gradcam" those whose normed input is weighted. Default all
   * layers with attention, of "gradcam" the last ViT block.
   */
  readonly layers?: readonly string[];
  /** Of "legrad": what is differentiated; default "model". */
  readonly score?: LeGradScore;
  /** Of "rollout": how heads become one; default "mean". */
  readonly heads?: HeadFusion;
  /**
   * Of "gradient-rollout": "aligned" pairs every pattern with its own gradient; "official" does as jacobgil/vit-explain
   * runs, gradients of the scores before softmax, paired last layer first. Default "aligned".
   */
  readonly gradient?: "aligned" | "official";
}

/** One image's numbers from the graph, by name. */
export type ImageResults = Readonly<Record<string, Float32Array>>;

/** A way to make class-specific maps: a part that is traced, and what is left to do with its numbers. */
export interface Explainer {
  /** images [B, 3, H, W] -> results by name, first axis the image; `logits` [B, K] among them. */
  traced(images: Tensor, target: (logits: Tensor) => Tensor, context?: Context): Record<string, Tensor>;
  /** The map [P], as the method defines it. */
  patches(results: ImageResults): Float32Array;
  /** The map as the method shows it, 0…1. */
  pixels(results: ImageResults, from: MapSize, to: MapSize): Float32Array;
}

/** @throws LuvitError("bad-argument") for layers that the model does not have. */
export function explainerOf(
  model: Classifier,
  method: RelevanceMethod,
  options: MethodOptions = {},
): Explainer {
  const all = stagesOf(model).map(({ layer }) => layer);
  expectLayers("relevance", options.layers, all);
  const chosen = all.filter((layer) => options.layers?.includes(layer) ?? true);
  if (method === "chefer") return chefer(model, chosen);
  if (method === "legrad") return legrad(model, chosen, options.score);
  if (method === "gradcam") return cam(model, options.layers ? chosen : [lastViTBlock(model)]);
  return rolledOut(model, method, chosen, options);
}

/** The attention of a model that pools by it: one more layer, of one query. */
const POOL = "attn_pool.pattern";

function lastViTBlock({ encoder }: Classifier): string {
  return `blocks.${encoder.blocks.length - 1}`;
}

const inside = (name: string, layers: readonly string[], parts: RegExp) => {
  const split = /^(.*\.\d+)\.(.*)$/.exec(name);
  return split !== null && layers.includes(split[1]) && parts.test(split[2]);
};

/** The class's logit, to be differentiated, and the logits of the first of the two passes. */
function classScore(
  model: Classifier,
  images: Tensor,
  target: (logits: Tensor) => Tensor,
  given: Context = inference,
) {
  let first: Tensor | undefined;
  const score = (context: Context) => {
    const logits = model.forward(images, { ...given, ...context });
    first ??= logits;
    return tf.mul(logits, target(first));
  };
  return { score, logits: () => first! };
}

/** A map shown by its bilinear enlargement between its smallest and its largest pixel. */
function enlarged(traced: Explainer["traced"], patches: Explainer["patches"]): Explainer {
  return {
    traced,
    patches,
    pixels: (results, from, to) => minMax(enlarge(patches(results), from, to)),
  };
}

function chefer(model: Classifier, layers: readonly string[]): Explainer {
  return enlarged(
    (images, target, context) => {
      const { score, logits } = classScore(model, images, target, { ...context, ...forAnswer(model) });
      const isPattern = (name: string) => inside(name, layers, /^(attn|attention)\.pattern$/);
      const { values, gradients } = siteGradients(score, (name) => isPattern(name) || name === POOL);
      const relevanceOf = (name: string) => layerRelevance(values.get(name)!, gradients.get(name)!);
      const accumulated = accumulateRelevance([...values.keys()].filter(isPattern).map(relevanceOf));
      const pool = values.has(POOL) ? relevanceOf(POOL) : undefined;
      const { firstPatch } = model.encoder;
      const patches = patchesAmong(model, accumulated.shape[2]!);
      return {
        logits: logits(),
        map: relevanceOfPatches(accumulated, model.pooling, patches, firstPatch, pool),
      };
    },
    ({ map }) => map,
  );
}

function legrad(model: Classifier, layers: readonly string[], score?: LeGradScore): Explainer {
  return enlarged(
    (images, target, context) => {
      const found = leGrad(model, images, target, score, context);
      return { logits: found.logits, map: tf.addN(layers.map((layer) => found.layers.get(layer)!)) };
    },
    ({ map }) => map,
  );
}

function cam(model: Classifier, layers: readonly string[]): Explainer {
  const isInput = (name: string) => inside(name, layers, /^(norm1|attention_norm)$/);
  const maps = (results: ImageResults) => layers.map((layer) => results[layer]);
  return {
    traced: (images, target, context) => {
      const { score, logits } = classScore(model, images, target, { ...context, ...forAnswer(model) });
      const { values, gradients } = siteGradients(score, isInput);
      const found = [...values].map(([name, value]) => [
        name.slice(0, name.lastIndexOf(".")),
        gradCam(value, gradients.get(name)!, patchesAmong(model, value.shape[1]!), model.encoder.firstPatch),
      ]);
      return { logits: logits(), ...Object.fromEntries(found) };
    },
    patches: (results) => {
      const scaled = maps(results).map((map) => scaleCam(map.map((x) => Math.max(0, x))));
      return scaled[0].map((_, i) => scaled.reduce((sum, map) => sum + map[i] / scaled.length, 0));
    },
    pixels: (results, from, to) => camPixels(maps(results), from, to),
  };
}

function rolledOut(
  model: Classifier,
  method: "rollout" | "gradient-rollout",
  layers: readonly string[],
  { heads = "mean", gradient = "aligned", discard, normalize }: MethodOptions,
): Explainer {
  const { firstPatch } = model.encoder;
  const plain: Explainer["traced"] = (images, _, context) => {
    const fused: [string, Tensor][] = [];
    const seen = tapPatterns((layer, pattern) => {
      if (layers.includes(layer)) fused.push([layer, fuseHeads(pattern, heads)]);
    });
    const tap = (name: string, value: Tensor) => {
      if (name === POOL) fused.push([POOL, fuseHeads(value, heads)]);
      seen(name, value);
    };
    const logits = model.forward(images, { ...context, tap });
    return { logits, ...Object.fromEntries(fused) };
  };
  const weighted: Explainer["traced"] = (images, target, context) => {
    const { score, logits } = classScore(model, images, target, context);
    const part = gradient === "aligned" ? /\.pattern$/ : /\.(pattern|scores)$/;
    const { values, gradients } = siteGradients(score, (name) => inside(name, layers, part) || name === POOL);
    const of = (from: ReadonlyMap<string, Tensor>, end: string) =>
      [...from].filter(([name]) => name.endsWith(end) && name !== POOL).map(([, value]) => value);
    const paired = gradient === "aligned" ? of(gradients, ".pattern") : of(gradients, ".scores").reverse();
    const fused = of(values, ".pattern").map((pattern, l): [string, Tensor] => [
      layers[l],
      fuseWithGradient(pattern, paired[l]),
    ]);
    if (values.has(POOL)) fused.push([POOL, fuseWithGradient(values.get(POOL)!, gradients.get(POOL)!)]);
    return { logits: logits(), ...Object.fromEntries(fused) };
  };
  const tokens = (results: ImageResults) => Math.sqrt(results[layers[0]].length);
  const options = { discard, normalize, spareClass: method === "rollout" && firstPatch > 0 };
  return enlarged(method === "rollout" ? plain : weighted, (results) => {
    const rolled = rollout(
      layers.map((layer) => results[layer]),
      tokens(results),
      options,
    );
    const patches = patchesAmong(model, tokens(results));
    const map = rolloutOfPatches(rolled, tokens(results), model.pooling, patches, firstPatch, results[POOL]);
    const most = map.reduce((a, b) => Math.max(a, b), 0);
    return Float32Array.from(map, (x) => (most === 0 ? 0 : x / most));
  });
}
