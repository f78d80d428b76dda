import { join, relative } from "node:path";
import { entropyShares } from "../analysis/entropyShares";
import { pseudoMaskIou } from "../analysis/pseudoMaskIou";
import { imageNetS, type MaskedDataset, transforms } from "../data";
import type { ViTConfig } from "../models/vit";
import { expectFolderOrNothing } from "./folders";
import { afterShard, type RunRequest, wordsOf } from "./request";
import type { LoadedConfig } from "./runConfig";
import { Stopping } from "./signals";
import { openTrained } from "./trained";
import { writeLines } from "./writeLines";

/**
 * `luvit entropy`: exit status. One set after the other; numbers are kept as they come, and the same command goes on with
 * what is there.
 */
export async function entropyCommand(request: RunRequest): Promise<number> {
  const { print, shard } = request;
  const { config, images, model, out, about } = await openTrained("entropy", request, (loaded, encoder) => {
    expectFolderOrNothing(request.out ?? loaded.path(loaded.config.out));
    return openMasked(loaded, encoder);
  });
  const stop = new AbortController();
  const options = { ...about, layer: config.layer, shard, signal: stop.signal };
  /** Whether the set was looked at to its end. */
  const lookAt = async (name: string, set: MaskedDataset) => {
    const shares = await entropyShares(model, { [name]: set }, { ...options, out });
    print(String(shares));
    if (!shares.complete) return false;
    if (config.pseudoMasks ?? true) {
      const overlaps = await pseudoMaskIou(model, set, { ...options, data: name, out: join(out, name) });
      print(String(overlaps));
      if (!overlaps.complete) return false;
    }
    if (set.report.count > 0) print(String(set.report));
    if (!shard) await writeLines(join(out, name, "entropy.jsonl"), shares.table);
    return true;
  };
  const { value: complete, status } = await Stopping.around(
    "batch",
    () => stop.abort(),
    async () => {
      for (const [name, set] of images) {
        if (stop.signal.aborted || !(await lookAt(name, set))) return false;
      }
      return true;
    },
  );
  if (complete) {
    if (shard) for (const line of afterShard("entropy", request, shard)) print(line);
    print(`done · ${relative(process.cwd(), out) || "."}`);
    return 0;
  }
  print(`stopped; what was computed is kept. Go on with: luvit entropy ${wordsOf(request)}`);
  return status ?? 130;
}

async function openMasked(
  { config, path }: LoadedConfig<"entropy">,
  { imageSize: size, patchSize: patch }: Pick<ViTConfig, "imageSize" | "patchSize">,
): Promise<[name: string, set: MaskedDataset][]> {
  const transform = transforms.evaluation(size);
  const sets: [string, MaskedDataset][] = [];
  for (const [name, { images, masks }] of Object.entries(config.data)) {
    sets.push([name, await imageNetS({ images: path(images), masks: path(masks), transform, patch })]);
  }
  return sets;
}
