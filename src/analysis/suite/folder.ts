import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { isPlain, named, optionsOf, problemsOf, such, text, whole } from "../../core/options";
import { writeJsonAtomically } from "../../io/atomicFile";
import { readJsonObject } from "../../io/jsonFile";
import type { Provenance } from "../provenance";

/** What the answers in a folder are about. */
export interface SuiteFacts {
  /** Of the model's parameters. */
  readonly sha256: string;
  readonly classes: number;
  readonly provenance: Provenance;
  readonly commit: string;
  /** Pictures of each part. */
  readonly parts: Readonly<Record<string, number>>;
}

const FACTS = "suite.json";

const facts = optionsOf<SuiteFacts>(
  {
    sha256: text,
    classes: whole(1),
    provenance: such("an object", isPlain),
    commit: text,
    parts: named(whole(0)),
  },
  {},
);

/** Facts of a folder; undefined where no suite was begun. */
export async function readFacts(folder: string): Promise<SuiteFacts | undefined> {
  const path = join(folder, FACTS);
  if (!existsSync(path)) return undefined;
  const { value } = await readJsonObject(path);
  const problems = problemsOf(facts, value);
  if (problems.length === 0) return value as unknown as SuiteFacts;
  throw new LuvitError("bad-file", `${path}: not what a suite writes\n${listOffenders(problems)}`);
}

export function writeFacts(folder: string, facts: SuiteFacts): Promise<void> {
  return writeJsonAtomically(join(folder, FACTS), facts);
}

/**
 * Facts of two suites that belong together, with the parts of both.
 * @throws LuvitError("bad-argument") naming everything in which they differ.
 */
export function commonFacts(known: SuiteFacts, now: SuiteFacts, where: string): SuiteFacts {
  const problems: string[] = [];
  const compare = (name: string, was: unknown, is: unknown) => {
    if (was !== is) problems.push(`${name}: was ${was}, now ${is}`);
  };
  compare("the model's weights (sha256)", known.sha256, now.sha256);
  compare("classes", known.classes, now.classes);
  for (const key of ["model", "recipe", "seed"] as const) {
    compare(key, known.provenance[key], now.provenance[key]);
  }
  for (const [part, pictures] of Object.entries(now.parts)) {
    if (part in known.parts) compare(`${part}, pictures`, known.parts[part], pictures);
  }
  if (problems.length === 0) return { ...now, parts: { ...known.parts, ...now.parts } };
  throw new LuvitError(
    "bad-argument",
    `${where}: the answers there are about something else\n${listOffenders(problems)}\nGive another \`out\`.`,
  );
}
