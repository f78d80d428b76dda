import { join } from "node:path";
import * as luvit from "../src";
import { packageRoot } from "../src/core/packageRoot";
import type { QuestionSet } from "../src/data/toy/questionSet";
import type { LlavitOptions } from "../src/models/llavit/create";
import type { Llavit } from "../src/models/llavit/llavit";
import type { AnswerOptions } from "../src/train/answer";
import type { AnswerEvaluation } from "../src/train/evaluateAnswers";
import type { Measure, Study, StudySize, Trial } from "./core/study";
import { trained } from "./core/trained";
import { blindfolded, captioned, ofOneObject } from "./llavit/drawings";

const { classifier, data, llama, llavit, recipes, train, vit } = luvit;
const size = 48;
const tower = { ...vit.toy, imageSize: size, patchSize: 12 };
/** Its last block but one, as LLaVA's: what leaves the last one is made for the class alone. */
const lastButOne = tower.depth - 1;
const language = { dim: 64, heads: 4, depth: 3, hiddenDim: 176 };
/** q, k and v of their own are 3 D² parameters a block; a feed-forward part has 3 D per hidden unit. */
const asMuchElsewhere = { ...language, hiddenDim: language.hiddenDim + language.dim };

/** A row of the table. */
interface Row extends Pick<LlavitOptions, "visionQkv" | "visionMask" | "layers" | "rank"> {
  language?: typeof language;
  blind?: boolean;
}

const severalDepths = { layers: [1, 2, lastButOne] };
const bidirectional = { visionMask: "bidirectional" } as const;
const ownQkv = { visionQkv: "full" } as const;

/** LLaVA, LLaViT's parts each alone and together, and what the paper's table lacks. */
export const rows: Readonly<Record<string, Row>> = {
  LLaVA: {},
  "+ bidirectional mask": bidirectional,
  "+ visual q, k, v": ownQkv,
  "+ several depths": severalDepths,
  LLaViT: { ...bidirectional, ...ownQkv, ...severalDepths },
  blind: { blind: true },
  "+ as many parameters elsewhere": { language: asMuchElsewhere },
  "+ visual q, k, v as LoRA": { visionQkv: "lora", rank: 4 },
  "vision to vision cut": { visionMask: "none" },
};

/** Drawn once for all seeds and rows. */
const drawings = {
  trained: data.toy.questions(1, 3600, { size }),
  scenes: data.toy.questions(2, 360, { size }),
  combinations: data.toy.questions(3, 360, { size, combinations: "held out" }),
};

const recipe: AnswerOptions = {
  stage: "instruct",
  epochs: 1,
  batchSize: 32,
  lr: 2e-3,
  minLr: 0,
  warmupEpochs: 0.5,
  weightDecay: 0.01,
};

/** A language model that has read nothing yet, with a token per word. */
async function modelOf(row: Row, seed: number, towers: string): Promise<Llavit> {
  const tokenizer = await llavit.tokenizer(join(packageRoot(), "data", "question-words"));
  const { blind: _, language: sizes = language, layers = [lastButOne], ...parts } = row;
  const config = { ...sizes, normEps: 1e-6, ropeTheta: 10000, vocabulary: tokenizer.size };
  return llavit.create({
    tower: await classifier.open(towers),
    language: new llama.LlamaLanguageModel({ ...config, causal: true, rope: true, rowOrder: "hf" }, seed),
    layers,
    tokenizer,
    template: { before: "", between: "", after: "", end: "." },
    ...parts,
    seed,
  });
}

function measuresOf(variant: string, split: string, found: AnswerEvaluation): Measure[] {
  const rights = found.table.toArray().filter(({ choice, answer }) => choice === answer);
  const likelihood = rights.reduce((sum, { logLikelihood }) => sum + logLikelihood, 0) / rights.length;
  return [
    { variant, metric: `right, ${split} (%)`, value: found.right },
    { variant, metric: `log-likelihood of the right answer, ${split} (nats)`, value: likelihood },
    ...[...found.byKind].map(([layer, { right }]) => ({
      variant,
      metric: `right, ${split} (%)`,
      layer,
      value: right,
    })),
  ];
}

async function answered(variant: string, row: Row, seed: number, out: string, epochs: number) {
  const shown = (set: QuestionSet) => (row.blind ? blindfolded(set, seed) : set);
  const model = await modelOf(row, seed, join(out, "..", "tower"));
  try {
    const options = { ...recipe, epochs, seed, out, resume: true, threads: 1 };
    await trained(train.answer(model, shown(drawings.trained), options));
    const { trainable } = model.counts();
    const measures: Measure[] = [{ variant, metric: "parameters trained (k)", value: trainable / 1e3 }];
    for (const split of ["scenes", "combinations"] as const) {
      const found = await train.evaluateAnswers(model, shown(drawings[split]), { threads: 1 });
      measures.push(...measuresOf(variant, `new ${split}`, found));
    }
    return measures;
  } finally {
    model.dispose();
  }
}

/** A ViT that learned to tell color and shape of one object: one for all, as LLaVA's CLIP is one. */
const towerTrial: Trial = {
  name: "tower",
  seed: 0,
  async run(out) {
    const images = captioned(ofOneObject(drawings.trained));
    const model = classifier.create({ encoder: tower, classes: images.classes.length });
    const options = { ...recipes.finetuneToy, epochs: 24, layerDecay: 1, out, resume: true, threads: 1 };
    await trained(train.finetune(model, images, options));
    const { top1 } = await train.evaluate(model, captioned(ofOneObject(drawings.scenes)), { threads: 1 });
    model.dispose();
    return [{ variant: "tower", metric: "color and shape, new scenes (%)", value: top1 }];
  },
};

const slug = (variant: string) =>
  variant
    .toLowerCase()
    .match(/[a-z]+/g)!
    .join("-");

function trialsOf(seed: number, { epochs }: StudySize): Trial[] {
  return Object.entries(rows).map(([variant, row]) => ({
    name: `${slug(variant)}-${seed}`,
    seed,
    run: (out: string) => answered(variant, row, seed, out, epochs),
  }));
}

/**
 * What do the parts of LLaViT bring? Language models from every seed that see through one tower, each with another part,
 * asked about scenes that are new and about combinations of shape and color that nobody was trained with.
 */
export const llavitStudy: Study = {
  name: "llavit",
  size: { seeds: 5, epochs: 4 },
  baseline: "LLaVA",
  trials: (size) => [
    towerTrial,
    ...Array.from({ length: size.seeds }, (_, seed) => trialsOf(seed, size)).flat(),
  ],
};
