import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import { checkOptions, list, path } from "../../core/options";
import { writeTable } from "../../io/tables";
import { gapsIn, keptRanges } from "../keptRanges";
import { answersFolder, type PartAnswers, readAnswers } from "./answers";
import { commonFacts, readFacts, type SuiteFacts } from "./folder";
import { SuiteResult } from "./result";

/**
 * Puts together what shards have written to their folders (or to one), and writes the numbers to `out` if given.
 *
 * @throws LuvitError("bad-argument") for folders about different models; "bad-file" where two shards disagree.
 */
export async function mergeSuites(folders: readonly string[], out?: string): Promise<SuiteResult> {
  checkOptions("mergeSuites", list(path, 1), folders);
  const facts = await factsOfAll(folders);
  const answers = new Map<string, PartAnswers>();
  const missing: string[] = [];
  const unreadable: Record<string, number> = {};
  for (const [part, end] of Object.entries(facts.parts)) {
    const ranges = folders.flatMap((folder) => keptRanges(answersFolder(folder, part)));
    const known: PartAnswers = new Map();
    for (const range of ranges) await readAnswers(range, known);
    if (known.size > 0) answers.set(part, known);
    const gaps = gapsIn({ start: 0, end }, ranges);
    for (const gap of gaps) missing.push(`${part}: images ${gap.start} to ${gap.end - 1}`);
    if (gaps.length === 0 && known.size < end) unreadable[part] = end - known.size;
  }
  const result = new SuiteResult({
    byPart: answers,
    provenance: facts.provenance,
    classes: facts.classes,
    missing,
    unreadable,
  });
  if (out !== undefined) await writeTable(join(out, "results.arrow"), result.table);
  return result;
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
