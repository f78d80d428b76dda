import { join } from "node:path";
import { classifier, mae } from "../src";
import type { MaskedAutoencoder } from "../src/models/mae";
import { type DrawnSizes, makeDrawings, openDrawings } from "./ablations/drawings";
import { type LanguageName, languages, makeLanguage } from "./ablations/languages";
import { measured } from "./ablations/measures";
import { autoencoder, encoder, later, type Row, rows } from "./ablations/rows";
import { finetune, pretrain, type Training } from "./ablations/training";
import type { Study, StudySize, Trial } from "./core/study";

/** What is drawn: 6,000 images to train with, seven of ten on the background of their class. */
export const sizes: DrawnSizes = {
  size: encoder.imageSize,
  patch: encoder.patchSize,
  classes: 12,
  ownBackground: 0.7,
  train: 6000,
  val: 1200,
  swapped: 600,
  corrupted: 240,
};

const slug = (name: string) =>
  name
    .toLowerCase()
    .match(/[a-z0-9]+/g)!
    .join("-");
const languageTrial = (name: LanguageName) => `language-${slug(name)}`;
export const trialName = (row: string, seed: number) => `${slug(row)}-${seed}`;

/** Pretrained with what stands behind the ViT, or a pretrained ViT that what stands behind it comes to. */
async function pretrained(row: Row, training: Training): Promise<MaskedAutoencoder> {
  const { seed, out } = training;
  const beside = (name: string) => join(out, "..", "..", name);
  const plan = await row.path?.(seed, (language) => join(beside(languageTrial(language)), "model"));
  const model = autoencoder(plan, seed);
  if (row.joint) return pretrain(model, training);
  const plain = await mae.open(join(beside(trialName("ViT", seed)), "pretrain"));
  model.loadStateDict(await plain.stateDict(), { allowMissing: ["llama"] });
  plain.dispose();
  return model;
}

/** Pretrains and finetunes a row from a seed, and measures it. */
export function rowTrial(variant: string, seed: number, { epochs }: StudySize, drawn: DrawnSizes): Trial {
  const row = rows[variant];
  const needs = ["drawings"];
  if (row.language) needs.push(languageTrial(row.language));
  if (!row.joint) needs.push(trialName("ViT", seed));
  return {
    name: trialName(variant, seed),
    seed,
    needs,
    run: async (folder) => {
      const images = await openDrawings(join(folder, "..", "drawings"), drawn);
      const training = { seed, epochs, images };
      const start = await pretrained(row, { ...training, out: join(folder, "pretrain") });
      const model = await classifier.fromPretrained(start, { classes: drawn.classes, seed });
      start.dispose();
      await finetune(model, { ...training, out: join(folder, "finetune") });
      const found = await measured(variant, model, images);
      model.dispose();
      return found;
    },
  };
}

/** Drawn once for all seeds and rows. */
export const drawingsTrial = (drawn: DrawnSizes): Trial => ({
  name: "drawings",
  seed: 0,
  async run(folder) {
    await makeDrawings(folder, drawn);
    return [];
  },
});

/** The language models that rows ask for. */
export const languageTrials = (Object.keys(languages) as LanguageName[]).map(
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
      Object.keys(rows)
        .filter(wanted)
        .map((name) => rowTrial(name, seed, size, drawn)),
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
