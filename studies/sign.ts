import { existsSync } from "node:fs";
import { join } from "node:path";
import { classifier, data, mae } from "../src";
import { LuvitError } from "../src/core/errors";
import { makeFolder } from "../src/core/makeFolder";
import { listTrainingCheckpoints } from "../src/io/runs";
import { readTable, writeTable } from "../src/io/tables";
import type { ViTConfig } from "../src/models/vit";
import { evaluate } from "../src/train/evaluate";
import { sizes, trialName } from "./ablations";
import { keptDrawings } from "./ablations/drawings";
import { ENGINE } from "./ablations/measures";
import { autoencoder, encoder, rows } from "./ablations/rows";
import { finetune, pretrain } from "./ablations/training";
import { regionEntropies } from "./core/regions";
import type { Study, StudySize, Trial } from "./core/study";
import { joined, pointsTable, sharesByKind, sharesByLayer } from "./sign/measures";

/** Rows of the ablations whose models are looked at again, epoch by epoch. */
const followed = ["ViT", "LUViT", "random block", "shuffled text"] as const;
const LOOKED_AT = 600;
const POINTS = "points.arrow";

/** What is trained otherwise than in the ablations, one thing at a time. */
interface Setting {
  encoder: ViTConfig;
  /** Images to train with; as many steps whatever their number. */
  train: number;
  /** Times the steps of the ablations. */
  longer: number;
  /** Whether the model is pretrained by masks. */
  pretrained: boolean;
}

const usual: Setting = { encoder, train: sizes.train, longer: 1, pretrained: true };

/**
 * Steps are those of four epochs of 6,000 images: 24,000 are seen once each, 600 forty times; 60,000 take longer to be seen
 * once.
 */
export const settings: Readonly<Record<string, Setting>> = {
  "not pretrained": { ...usual, pretrained: false },
  "600 images": { ...usual, train: 600 },
  "24,000 images": { ...usual, train: 24_000 },
  "60,000 images, two and a half times as long": { ...usual, train: 60_000, longer: 2.5 },
  "grid of 12 x 12": { ...usual, encoder: { ...encoder, patchSize: 4 } },
  "four times as long": { ...usual, longer: 4 },
  "twice as wide, half as deep again": { ...usual, encoder: { ...encoder, dim: 128, depth: 6 } },
};

const kindOf = ({ encoder: { patchSize: patch } }: Setting) => ({
  ...{ size: sizes.size, classes: sizes.classes, ownBackground: sizes.ownBackground },
  patch,
});

/** Images that nobody was trained with. */
const looked = (setting: Setting) => data.toy.drawings(2, LOOKED_AT, kindOf(setting));

/** Looks at what the study of ablations has left beside this one, and trains nothing. */
function followTrial(variant: (typeof followed)[number], seed: number): Trial {
  const name = trialName(variant, seed);
  return {
    name,
    seed,
    async run(folder) {
      const left = expectTrained(join(folder, "..", "..", "ablations", name));
      const images = looked(usual);
      const pretrained = await mae.open(join(left, "pretrain"));
      const start = await classifier.fromPretrained(pretrained, { classes: sizes.classes, seed });
      pretrained.dispose();
      const found = await sharesByLayer(`${variant}, epoch 0`, start, images);
      start.dispose();
      const checkpoints = await listTrainingCheckpoints(join(left, "finetune"));
      for (const [i, { folder: checkpoint }] of checkpoints.entries()) {
        const model = await classifier.open(checkpoint);
        found.push(...(await sharesByLayer(`${variant}, epoch ${i + 1}`, model, images)));
        if (i === checkpoints.length - 1) {
          const rows = await regionEntropies(model, images, ENGINE);
          found.push(...sharesByKind(variant, rows, images));
          makeFolder(folder);
          await writeTable(join(folder, POINTS), pointsTable(variant, rows));
        }
        model.dispose();
      }
      return found;
    },
  };
}

function expectTrained(folder: string): string {
  if (existsSync(`${folder}.json`)) return folder;
  const message = `${folder}: is not trained yet; \`npm run study -- ablations\` has to be done before, and --out beside its`;
  throw new LuvitError("missing-file", message);
}

function settingTrial(setting: string, variant: "ViT" | "LUViT", seed: number, { epochs }: StudySize): Trial {
  const what = settings[setting];
  const passes = (epochs * what.longer * sizes.train) / what.train;
  return {
    name: `${trialName(`${setting}-${variant}`, seed)}`,
    seed,
    async run(folder) {
      const drawings = data.toy.drawings(1, what.train, kindOf(what));
      const train = await keptDrawings(join(folder, "..", "drawings"), drawings);
      const training = { seed, epochs: passes, images: { train } };
      const plan = await rows[variant].path?.(seed, () => "");
      const model = autoencoder(plan, seed, what.encoder);
      if (what.pretrained) await pretrain(model, { ...training, out: join(folder, "pretrain") });
      const tuned = await classifier.fromPretrained(model, { classes: sizes.classes, seed });
      model.dispose();
      await finetune(tuned, { ...training, out: join(folder, "finetune") });
      const images = looked(what);
      const name = `${variant}, ${setting}`;
      const { top1 } = await evaluate(tuned, images, ENGINE);
      const found = sharesByKind(name, await regionEntropies(tuned, images, ENGINE), images);
      tuned.dispose();
      return [{ variant: name, metric: "top-1 (%)", value: top1 }, ...found];
    },
  };
}

/** Models that were trained already first; then, setting by setting, both models from every seed. */
function trialsOf(size: StudySize): Trial[] {
  const seeds = Array.from({ length: size.seeds }, (_, seed) => seed);
  return [
    ...seeds.flatMap((seed) => followed.map((variant) => followTrial(variant, seed))),
    ...Object.keys(settings).flatMap((setting) =>
      seeds.flatMap((seed) =>
        (["ViT", "LUViT"] as const).map((variant) => settingTrial(setting, variant, seed, size)),
      ),
    ),
  ];
}

/**
 * Where is the background's attention entropy above the foreground's, as in 84 % of the paper's images? The models of the
 * ablations looked at epoch by epoch, at every layer, by both ways of taking an entropy of several heads, apart by size of
 * object and by background; and models that were trained otherwise, one thing at a time.
 */
export const signStudy: Study = {
  name: "sign",
  size: { seeds: 5, epochs: 4 },
  baseline: "ViT",
  trials: trialsOf,
  /** Of the first seed. */
  async tables(out) {
    const found = (["ViT", "LUViT"] as const).map((variant) =>
      readTable(join(out, trialName(variant, 0), POINTS)),
    );
    return { points: joined(await Promise.all(found)) };
  },
};
