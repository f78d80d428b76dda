import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import { checkOptions, list, path } from "../../core/options";
import { shardRange } from "../../data/dataset";
import { writeTable } from "../../io/tables";
import { describeMissing } from "../gatherRows";
import { gapsIn, type ImageRange, keptRanges } from "../keptRanges";
import { answersFolder, type PartAnswers, readAnswers } from "./answers";
import { type CameShard, commonFacts, readFacts, type SuiteFacts, shardsIn } from "./folder";
import { SuiteResult } from "./result";

/** Images of a part that no shard has answered. */
interface Gap extends ImageRange {
  readonly part: string;
  /** Of the part. */
  readonly images: number;
}

/**
 * Puts together what shards have written to their folders (or to one), and writes the numbers to `out` if given. A shard that
 * never came, or has not ended, is named.
 *
 * @throws LuvitError("bad-argument") for folders about different models; "bad-file" where two shards disagree.
 */
export async function mergeSuites(folders: readonly string[], out?: string): Promise<SuiteResult> {
  checkOptions("mergeSuites", list(path, 1), folders);
  const facts = await factsOfAll(folders);
  const came = await shardsOfAll(folders);
  const parts = Object.assign({}, ...came.map((shard) => shard.parts), facts.parts) as SuiteFacts["parts"];
  const answers = new Map<string, PartAnswers>();
  const missing: Gap[] = [];
  const unreadable: Record<string, number> = {};
  for (const [part, end] of Object.entries(parts)) {
    const ranges = folders.flatMap((folder) => keptRanges(answersFolder(folder, part)));
    const known: PartAnswers = new Map();
    for (const range of ranges) await readAnswers(range, known);
    if (known.size > 0) answers.set(part, known);
    const gaps = gapsIn({ start: 0, end }, ranges);
    for (const gap of gaps) missing.push({ ...gap, part, images: end });
    if (gaps.length === 0 && known.size < end) unreadable[part] = end - known.size;
  }
  const result = new SuiteResult({
    byPart: answers,
    provenance: facts.provenance,
    classes: facts.classes,
    missing: missing.map((gap) => `${gap.part}: ${describeMissing(gap)}`),
    absent: absentShards(missing, came),
    unreadable,
  });
  if (out !== undefined) await writeTable(join(out, "results.arrow"), result.table);
  return result;
}

async function shardsOfAll(folders: readonly string[]): Promise<CameShard[]> {
  const all = await Promise.all(folders.map(shardsIn));
  return all.flat();
}

/** Which shards are to blame for what is missing. */
function absentShards(gaps: readonly Gap[], came: readonly CameShard[]): string[] {
  const [count, ...others] = new Set(came.map((shard) => shard.count));
  if (count === undefined || others.length > 0) return [];
  return Array.from({ length: count }, (_, i) => ({ index: i + 1, count })).flatMap((shard) => {
    const isMissed = gaps.some(({ start, end, images }) => {
      const share = shardRange(images, shard);
      return start < share.end && share.start < end;
    });
    if (!isMissed) return [];
    const hasCome = came.some(({ index }) => index === shard.index);
    return [`shard ${shard.index}/${count} ${hasCome ? "has not ended" : "never came"}`];
  });
}

async function factsOfAll(folders: readonly string[]): Promise<SuiteFacts> {
  let facts: SuiteFacts | undefined;
  for (const folder of folders) {
    const here = await readFacts(folder);
    if (!here)
      throw new LuvitError("missing-file", `${folder}: no suite was evaluated there (no suite.json)`);
    facts = facts ? commonFacts(facts, here, folder) : here;
  }
  if (facts) return facts;
  throw new LuvitError("bad-argument", "mergeSuites: name at least one folder");
}
