import { join, relative } from "node:path";
import { mergeSuites, openSuiteSets, type SuiteResult, suite } from "../analysis/suite";
import type { SuiteSets } from "../analysis/suite/sets";
import { imageFolder, transforms } from "../data";
import type { ViTConfig } from "../models/vit";
import { live } from "../notebook";
import { expectFolderOrNothing } from "./folders";
import { type RunRequest, wordsOf } from "./request";
import type { LoadedConfig } from "./runConfig";
import { Stopping } from "./signals";
import { openTrained } from "./trained";
import { writeLines } from "./writeLines";

/** `luvit evaluate`: exit status. */
export async function evaluateCommand(request: RunRequest): Promise<number> {
  const { shard } = request;
  const {
    images: sets,
    model,
    out,
    about,
  } = await openTrained("evaluate", request, (loaded, encoder) => {
    expectFolderOrNothing(request.out ?? loaded.path(loaded.config.out));
    return openSets(loaded, encoder);
  });
  const stop = new AbortController();
  const { value: result, status } = await Stopping.around(
    "batch",
    () => stop.abort(),
    async () => {
      const run = suite(model, sets, { ...about, out, shard, signal: stop.signal });
      live(run);
      return run.done;
    },
  );
  return report(result, request, out, status);
}

async function openSets(
  { config, path }: LoadedConfig<"evaluate">,
  { imageSize: size }: Pick<ViTConfig, "imageSize" | "patchSize">,
): Promise<SuiteSets> {
  const { own = {}, ...published } = config.data;
  const folders = Object.fromEntries(Object.entries(published).map(([key, place]) => [key, path(place!)]));
  const sets = await openSuiteSets(folders, { size, partial: config.partial });
  const transform = transforms.evaluation(size);
  for (const [name, place] of Object.entries(own)) {
    sets.own = { ...sets.own, [name]: await imageFolder(path(place), { transform }) };
  }
  return sets;
}

/** `luvit evaluate --merge`: exit status. */
export async function mergeCommand(
  folders: readonly string[],
  out: string | undefined,
  print: (line: string) => void,
): Promise<number> {
  const result = await mergeSuites(folders, out);
  if (out !== undefined) await writeLines(join(out, "results.jsonl"), result.table);
  print(String(result));
  return result.complete ? 0 : 1;
}

async function report(
  result: SuiteResult,
  request: RunRequest,
  out: string,
  status: number | undefined,
): Promise<number> {
  const { print, shard } = request;
  print(String(result));
  if (result.complete) {
    if (shard && shard.count > 1) {
      print(`these are the numbers of shard ${shard.index}/${shard.count} alone`);
      print(`for those of all, when all are there: luvit evaluate --merge ${out} --out <folder>`);
    } else await writeLines(join(out, "results.jsonl"), result.table);
    print(`done · ${relative(process.cwd(), out) || "."}`);
    return 0;
  }
  print(`stopped; what was answered is kept. Go on with: luvit evaluate ${wordsOf(request)}`);
  return status ?? 130;
}
