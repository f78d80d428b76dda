import { join } from "node:path";
import { classifier, data, mae, recipes, train } from "../src";
import type { Classifier } from "../src/models/classifier";
import type { MaskedAutoencoder } from "../src/models/mae";
import { type DrawnSizes, makeDrawings, openDrawings, type StudyDrawings } from "./ablations/drawings";
import { type LanguageName, languages, makeLanguage } from "./ablations/languages";
import { ENGINE, measured } from "./ablations/measures";
import { autoencoder, encoder, later, type Row, rows } from "./ablations/rows";
import type { Study, StudySize, Trial } from "./core/study";
import { trained } from "./core/trained";

/** What is drawn: 6,000 images to train with, seven of ten on the background of their class. */
const sizes: DrawnSizes = {
  size: encoder.imageSize,
  patch: encoder.patchSize,
  classes: 12,
  ownBackground: 0.7,
  train: 6000,
  val: 1200,
  swapped: 600,
  corrupted: 240,
};

/** Steps of 60 images, 100 an epoch. */
const steps = { batchSize: 60, lr: 3e-3, warmupEpochs: 0.5, weightDecay: 0.05 };

export const pretraining = { ...recipes.pretrainToy, ...steps, ...ENGINE };
export const finetuning = { ...recipes.finetuneToy, ...steps, ...ENGINE };

const slug = (name: string) =>
  name
    .toLowerCase()
    .match(/[a-z]+/g)!
    .join("-");
const languageTrial = (name: LanguageName) => `language-${slug(name)}`;
export const trialName = (row: string, seed: number) => `${slug(row)}-${seed}`;

/** Pretrained with what stands behind the ViT, or a pretrained ViT that what stands behind it comes to. */
async function pretrained(row: Row, seed: number, epochs: number, folder: string, images: StudyDrawings) {
  const beside = (name: string) => join(folder, "..", name);
  const plan = await row.path?.(seed, (language) => join(beside(languageTrial(language)), "model"));
  const model = autoencoder(plan, seed);
  if (row.joint) return pretrain(model, seed, epochs, join(folder, "pretrain"), images);
  const plain = await mae.open(join(beside(trialName("ViT", seed)), "pretrain"));
  model.loadStateDict(await plain.stateDict(), { allowMissing: ["llama"] });
  plain.dispose();
  return model;
}

function pretrain(
  model: MaskedAutoencoder,
  seed: number,
  epochs: number,
  out: string,
  images: StudyDrawings,
): Promise<MaskedAutoencoder> {
  const set = images.train.withTransform(data.transforms.mae(encoder.imageSize));
  return trained(train.pretrain(model, set, { ...pretraining, epochs, seed, out, resume: true }));
}

/** Keeps a checkpoint of every epoch, by which the sign of the effect can be followed. */
function finetune(start: Classifier, seed: number, epochs: number, out: string, images: StudyDrawings) {
  const transform = data.transforms.finetune(encoder.imageSize, { randAugment: null, erasing: 0 });
  const options = { ...finetuning, epochs, seed, out, resume: true, keepCheckpoints: epochs };
  return trained(train.finetune(start, images.train.withTransform(transform), options));
}

function rowTrial(variant: string, row: Row, seed: number, { epochs }: StudySize, drawn: DrawnSizes): Trial {
  const needs = ["drawings"];
  if (row.language) needs.push(languageTrial(row.language));
  if (!row.joint) needs.push(trialName("ViT", seed));
  return {
    name: trialName(variant, seed),
    seed,
    needs,
    run: async (folder) => {
      const images = await openDrawings(join(folder, "..", "drawings"), drawn);
      const start = await pretrained(row, seed, epochs, folder, images);
      const model = await classifier.fromPretrained(start, { classes: drawn.classes, seed });
      start.dispose();
      await finetune(model, seed, epochs, join(folder, "finetune"), images);
      const found = await measured(variant, model, images);
      model.dispose();
      return found;
    },
  };
}

/** Drawn once for all seeds and rows. */
const drawingsTrial = (drawn: DrawnSizes): Trial => ({
  name: "drawings",
  seed: 0,
  async run(folder) {
    await makeDrawings(folder, drawn);
    return [];
  },
});

const languageTrials = (Object.keys(languages) as LanguageName[]).map(
  (name): Trial => ({
    name: languageTrial(name),
    seed: 0,
    run: async (folder) => {
      const value = await makeLanguage(languages[name], join(folder, "model"));
      return [{ variant: name, metric: "held-out loss of the language model (nats/byte)", value }];
    },
  }),
);

/** A language model stands before the first row that needs it. */
function trialsOf(size: StudySize, drawn: DrawnSizes): Trial[] {
  const seeds = Array.from({ length: size.seeds }, (_, seed) => seed);
  const ofRows = (wanted: (name: string) => boolean) =>
    seeds.flatMap((seed) =>
      Object.entries(rows)
        .filter(([name]) => wanted(name))
        .map(([name, row]) => rowTrial(name, row, seed, size, drawn)),
    );
  const isLater = (name: string) => later.includes(name);
  const [shuffled, ...more] = languageTrials;
  return [drawingsTrial(drawn), shuffled, ...ofRows((name) => !isLater(name)), ...more, ...ofRows(isLater)];
}

/**
 * Does a language model's block help, and is it the language? Tables 3 to 5 and Figure 6 at the size of a laptop: every row from
 * every seed, on the same drawings, pretrained and finetuned for as many steps.
 */
export const ablations = (drawn: DrawnSizes): Study => ({
  name: "ablations",
  size: { seeds: 5, epochs: 4 },
  baseline: "ViT",
  trials: (size) => trialsOf(size, drawn),
});

export const ablationsStudy = ablations(sizes);
