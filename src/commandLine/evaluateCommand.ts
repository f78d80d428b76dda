import { appendFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import type { Table } from "apache-arrow";
import { rowsOf } from "../analysis/provenance";
import { mergeSuites, openSuiteSets, type SuiteProgress, type SuiteResult, suite } from "../analysis/suite";
import { imageFolder } from "../data";
import { ready } from "../engine";
import { trainedFrom } from "./models";
import { ProgressLine } from "./progressLine";
import { type RunRequest, wordsOf } from "./request";
import { loadConfig } from "./runConfig";
import { Stopping } from "./signals";

/** `luvit evaluate`: exit status. */
export async function evaluateCommand(request: RunRequest): Promise<number> {
  const { print, shard } = request;
  const { config, path } = loadConfig("evaluate", request.file);
  const out = request.out ?? path(config.out);
  print(String(await ready(config.engine)));
  const { model, run } = await trainedFrom(config.model, path);
  const { own = {}, ...published } = config.data;
  const size = model.encoder.config.imageSize;
  const folders = Object.fromEntries(Object.entries(published).map(([key, place]) => [key, path(place!)]));
  const sets = await openSuiteSets(folders, { size, partial: config.partial });
  for (const [name, place] of Object.entries(own)) {
    sets.own = { ...sets.own, [name]: await imageFolder(path(place), { size }) };
  }
  const line = new ProgressLine("evaluate");
  const stop = new AbortController();
  const { value: result, status } = await Stopping.around(
    () => stop.abort(),
    () =>
      suite(model, sets, {
        ...config.engine,
        out,
        shard,
        batchSize: config.batchSize,
        model: config.model.name,
        recipe: config.recipe ?? run?.recipe,
        seed: request.seed ?? config.seed ?? run?.seed,
        signal: stop.signal,
        onProgress: (progress) => line.update(progress.done, progress.total, describe(progress)),
      }).finally(() => line.finish()),
  );
  return report(result, { out, print, status, again: `luvit evaluate ${wordsOf(request)}` });
}

/** `luvit evaluate --merge`: exit status. */
export async function mergeCommand(
  folders: readonly string[],
  out: string | undefined,
  print: (line: string) => void,
): Promise<number> {
  const result = await mergeSuites(folders, out);
  if (out !== undefined) writeLines(join(out, "results.jsonl"), result.table);
  print(String(result));
  return result.complete ? 0 : 1;
}

function describe({ part, partsDone, parts, done, total, imagesPerSecond }: SuiteProgress): string {
  const rate = imagesPerSecond >= 10 ? imagesPerSecond.toFixed(0) : imagesPerSecond.toFixed(1);
  return `${part} (${partsDone + 1} of ${parts}) · ${done} of ${total} pictures · ${rate}/s`;
}

interface Ending {
  out: string;
  again: string;
  status: number | undefined;
  print(line: string): void;
}

function report(result: SuiteResult, { out, print, status, again }: Ending): number {
  print(String(result));
  if (result.complete) {
    writeLines(join(out, "results.jsonl"), result.table);
    print(`done · ${relative(process.cwd(), out) || "."}`);
    return 0;
  }
  print(`stopped; what was answered is kept. Go on with: ${again}`);
  return status ?? 130;
}

/** A table as JSON lines. */
export function writeLines(path: string, table: Table): void {
  rmSync(path, { force: true });
  for (const row of rowsOf(table)) appendFileSync(path, `${JSON.stringify(row)}\n`);
}
