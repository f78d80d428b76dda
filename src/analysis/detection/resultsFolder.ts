import { existsSync } from "node:fs";
import { join } from "node:path";
import { differences } from "../../core/differences";
import { LuvitError, listOffenders } from "../../core/errors";
import { makeFolder } from "../../core/makeFolder";
import { writeJsonAtomically } from "../../core/writeAtomically";
import { type CocoKind, type CocoResult, writeResults } from "../../data/coco";
import { readJsonObject } from "../../io/bytes";
import { modelDigest } from "../../nn/digest";
import type { Module } from "../../nn/module";
import { type ImageRange, keepRange, keptRanges } from "../keptRanges";
import { readResultsTable, resultsTable } from "./resultsTable";

/** What was found in a range of images. */
export interface FoundRange extends ImageRange {
  readonly results: readonly CocoResult[];
}

const FACTS = "detection.json";

/** Where a detector's findings are kept, range by range, so that work that was stopped or shared goes on. */
export class ResultsFolder {
  private constructor(readonly path: string) {}

  /** @throws LuvitError("bad-argument") for a folder that is about another model or another set. */
  static async open(path: string, model: Module, images: number): Promise<ResultsFolder> {
    const now = { "the model's weights (sha256)": await modelDigest(model), images };
    const facts = join(path, FACTS);
    if (existsSync(facts)) {
      const { value } = await readJsonObject(facts);
      const problems = differences(value, now);
      if (problems.length > 0) {
        const summary = `${path}: what was found there is about something else\n${listOffenders(problems)}`;
        throw new LuvitError("bad-argument", `${summary}\nGive another \`out\`.`);
      }
    } else {
      makeFolder(path);
      await writeJsonAtomically(facts, now);
    }
    return new ResultsFolder(path);
  }

  /** Everything that was kept, in the order of the images. */
  read(): Promise<FoundRange[]> {
    return Promise.all(
      keptRanges(this.found).map(async ({ start, end, file }) => ({
        start,
        end,
        results: await readResultsTable(file),
      })),
    );
  }

  keep({ start, end, results }: FoundRange): Promise<void> {
    return keepRange(this.found, { start, end }, resultsTable(results));
  }

  /** COCO's own files, boxes and masks apart: results.bbox.json, results.segm.json. */
  async writeResults(results: readonly CocoResult[], kinds: readonly CocoKind[]): Promise<void> {
    for (const kind of kinds) await writeResults(join(this.path, `results.${kind}.json`), results, kind);
  }

  private get found(): string {
    return join(this.path, "found");
  }
}
