import { checkOptions, oneOf, optionsOf, type Rule } from "../core/options";
import type { Llavit } from "../models/llavit/llavit";
import { pretrainRules } from "../optim/groups";
import { startRun } from "./loop";
import { settlePlan, type TrainOptions, trainOptions } from "./plan";
import {
  type Asked,
  answerFeeds,
  llavitField,
  type QuestionDataset,
  questionsField,
  roomFor,
} from "./questions";
import type { Run } from "./run";

/** What training of answers adds to the common options. */
export interface AnswerOptions extends TrainOptions {
  /**
   * What is trained. "align" (default): the connector, and q, k and v of tokens of images where they have their own;
   * "instruct": everything but the tower.
   */
  stage?: "align" | "instruct";
}

export const answerOptions = optionsOf<AnswerOptions>(
  trainOptions.required,
  { ...trainOptions.optional, stage: oneOf(["align", "instruct"]) },
  ...(trainOptions.rules as Rule<AnswerOptions>[]),
);

/**
 * Trains answers to questions about images: cross entropy over the tokens of the answer and its end, nothing else counts.
 * Returns at once with a handle; the model is trained in place, and what is trained of it follows from the stage.
 * Reference: LLaVA train.py (two stages); LLaViT (its q, k and v are trained in the first stage already).
 *
 * @throws LuvitError("bad-argument") for options that cannot be, or images of another size than the model's.
 *
 * @example
 * const language = await luvit.llavit.languageModel("data/llama-toy");
 * const tower = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const model = await luvit.llavit.create({ tower, language });
 * const set = luvit.data.toy.questions(1, 32);
 * const { history } = await luvit.train.answer(model, set, { epochs: 1, batchSize: 16, lr: 1e-3, out: false }).done;
 */
export function answer(model: Llavit, questions: QuestionDataset, options: AnswerOptions): Run<Llavit> {
  checkOptions("answer", llavitField, model);
  checkOptions("answer", questionsField, questions);
  checkOptions("answer", answerOptions, options);
  const { stage = "align" } = options;
  const room = roomFor(model, questions, "answer");
  const plan = settlePlan(questions, { weightDecay: 0, ...options }, [0.9, 0.999]);
  chooseTrained(model, stage);
  const known = questions.preprocessing;
  if (known) model.preprocessing = known;
  return startRun(
    {
      name: "answer",
      model,
      dataset: questions,
      plan,
      settings: { stage, tokens: room.tokens },
      rules: pretrainRules(model, plan.weightDecay),
      feeds: ({ images, samples }) => answerFeeds(model, images, samples as readonly Asked[], room),
      loss: (inputs) => model.loss(inputs as never, room.start),
    },
    options,
  );
}

function chooseTrained(model: Llavit, stage: NonNullable<AnswerOptions["stage"]>): void {
  if (stage === "instruct") {
    model.unfreeze();
    model.freeze("vision_tower");
    return;
  }
  model.freeze();
  model.unfreeze("mm_projector");
  for (const [path] of model.namedParameters()) if (/\.vision_w[qkv]\./.test(path)) model.unfreeze(path);
}
