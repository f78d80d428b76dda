import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { entropyShares } from "../analysis/entropyShares";
import { pseudoMaskIou } from "../analysis/pseudoMaskIou";
import type { ImageDataset } from "../data";
import { imageNetS } from "../data";
import { ready } from "../engine";
import { writeTable } from "../io/table";
import { writeLines } from "./evaluateCommand";
import { trainedFrom } from "./models";
import { ProgressLine } from "./progressLine";
import { type RunRequest, wordsOf } from "./request";
import { loadConfig } from "./runConfig";
import { Stopping } from "./signals";

/** Thrown out of an analysis that was asked to stop. */
class Stopped extends Error {}

/**
 * `luvit entropy`: exit status. One set after the other; each one's tables are written when it is finished, and
 * `--resume` leaves out the sets that are.
 */
export async function entropyCommand(request: RunRequest): Promise<number> {
  const { print, resume } = request;
  const { config, path } = loadConfig("entropy", request.file);
  const out = request.out ?? path(config.out);
  print(String(await ready(config.engine)));
  const { model, run } = await trainedFrom(config.model, path);
  const { imageSize: size, patchSize: patch } = model.encoder.config;
  const { layer, batchSize, pseudoMasks = true } = config;
  const about = {
    ...config.engine,
    layer,
    batchSize,
    model: config.model.name,
    recipe: config.recipe ?? run?.recipe,
    seed: request.seed ?? config.seed ?? run?.seed,
  };
  let stopping = false;
  const work = async () => {
    for (const [name, { images, masks }] of Object.entries(config.data)) {
      const done = join(out, name, "entropy.jsonl");
      if (resume && existsSync(done)) {
        print(`${name}: done before, in ${relative(process.cwd(), join(out, name)) || "."}`);
        continue;
      }
      const set = await imageNetS({ images: path(images), masks: path(masks), size, patch });
      const watched = (label: string) => watch(set, `${label}, ${name}`, () => stopping);
      const shares = await entropyShares(model, { [name]: watched("entropy") }, about);
      await writeTable(join(out, name, "entropy.arrow"), shares.table);
      print(String(shares));
      if (pseudoMasks) {
        const overlaps = await pseudoMaskIou(model, watched("pseudo-masks"), { ...about, data: name });
        await writeTable(join(out, name, "pseudo-masks.arrow"), overlaps.table);
        print(String(overlaps));
      }
      writeLines(done, shares.table);
    }
  };
  const { status } = await Stopping.around(
    () => {
      stopping = true;
    },
    () =>
      work().catch((error) => {
        if (!(error instanceof Stopped)) throw error;
      }),
  );
  if (!stopping) return 0;
  print(`stopped; finished sets are kept. Go on with: luvit entropy ${wordsOf(request)} --resume`);
  return status ?? 130;
}

/** The same set, whose reading is shown and ends when asked to. */
function watch(set: ImageDataset, label: string, isStopping: () => boolean): ImageDataset {
  const line = new ProgressLine(label);
  let read = 0;
  return Object.create(set, {
    load: {
      value: async (...args: Parameters<ImageDataset["load"]>) => {
        if (isStopping()) throw new Stopped();
        const sample = await set.load(...args);
        line.update(++read, set.length, `${read} of ${set.length} pictures`);
        if (read === set.length) line.finish();
        return sample;
      },
    },
  }) as ImageDataset;
}
