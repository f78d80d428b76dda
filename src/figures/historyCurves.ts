import { checkOptions, list, named, shaped } from "../core/options";
import type { Figure } from "./figure";
import { lossCurves } from "./lossCurves";
import { historyCurvesOptions } from "./options";

/** A step of a run, as `train` records it. */
export interface HistoryStep {
  readonly step: number;
  readonly [metric: string]: number;
}

/**
 * One curve per run of a metric it recorded, e.g. "loss" of every step or "top1" of every epoch.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/train", { transform: luvit.data.transforms.mae(64) });
 * const model = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const { history } = await luvit.train.pretrain(model, images.take(64), { ...luvit.recipes.pretrainToy, epochs: 1, out: false }).done;
 * luvit.show(luvit.figures.historyCurves({ ViT: history }, { title: "Masked pretraining" }));
 */
export function historyCurves(
  runs: Readonly<Record<string, readonly HistoryStep[]>>,
  options: { metric?: string; title?: string; yTitle?: string } = {},
): Figure {
  checkOptions("historyCurves", named(list(shaped<HistoryStep>("a step", "step"))), runs);
  checkOptions("historyCurves", historyCurvesOptions, options);
  const { metric = "loss", yTitle = metric, title } = options;
  const series = Object.entries(runs).map(([name, history]) => {
    const measured = history.filter((step) => step[metric] !== undefined);
    return { name, steps: measured.map(({ step }) => step), values: measured.map((step) => step[metric]) };
  });
  return lossCurves({ series, title, yTitle, smoothing: metric === "loss" ? undefined : 1 });
}
