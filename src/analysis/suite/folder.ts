import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { differences } from "../../core/differences";
import { LuvitError, listOffenders } from "../../core/errors";
import { isFolderName } from "../../core/folderNames";
import { isPlain, optionsOf, problemsOf, such, text, whole } from "../../core/options";
import { writeJsonAtomically } from "../../core/writeAtomically";
import type { Shard } from "../../data/options";
import { readJsonObject } from "../../io/bytes";
import type { Provenance } from "../provenance";

/** What the answers in a folder are about. */
export interface SuiteFacts {
  /** Of the model's parameters. */
  readonly sha256: string;
  readonly classes: number;
  readonly provenance: Provenance;
  readonly commit: string;
  /** Images of each part. */
  readonly parts: Readonly<Record<string, number>>;
}

const FACTS = "suite.json";

const facts = optionsOf<SuiteFacts>(
  {
    sha256: text,
    classes: whole(1),
    provenance: such("an object", isPlain),
    commit: text,
    parts: such("numbers of images by part", isCounted),
  },
  {},
);

/** Parts lie in folders of their own: none of those may be elsewhere. */
function isCounted(parts: unknown): boolean {
  if (!isPlain(parts)) return false;
  const isCount = (images: unknown) => Number.isInteger(images) && (images as number) >= 0;
  return Object.entries(parts).every(
    ([part, images]) => part.split("/").every(isFolderName) && isCount(images),
  );
}

/** Facts of a folder; undefined where no suite was begun. */
export async function readFacts(folder: string): Promise<SuiteFacts | undefined> {
  const path = join(folder, FACTS);
  if (!existsSync(path)) return undefined;
  const { value } = await readJsonObject(path);
  const problems = problemsOf(facts, value);
  if (problems.length === 0) return value as unknown as SuiteFacts;
  throw new LuvitError("bad-file", `${path}: not what a suite writes\n${listOffenders(problems)}`);
}

/** A shard that has begun, and the parts that it knows of. */
export interface CameShard extends Shard {
  /** Images of each part. */
  readonly parts: SuiteFacts["parts"];
}

/** Notes that a shard works in a folder, which it may share with others. */
export function noteShard(
  folder: string,
  { index, count }: Shard,
  parts: SuiteFacts["parts"],
): Promise<void> {
  return writeJsonAtomically(join(folder, `shard-${index}-of-${count}.json`), { parts });
}

/** Shards that have begun in a folder. */
export async function shardsIn(folder: string): Promise<CameShard[]> {
  const found: CameShard[] = [];
  for (const name of readdirSync(folder)) {
    const [, index, count] = (/^shard-(\d{1,7})-of-(\d{1,7})\.json$/.exec(name) ?? []).map(Number);
    if (!(index >= 1 && index <= count)) continue;
    const { value } = await readJsonObject(join(folder, name));
    const { parts } = value as { parts?: unknown };
    if (!isCounted(parts))
      throw new LuvitError("bad-file", `${join(folder, name)}: not what a shard of a suite writes`);
    found.push({ index, count, parts: parts as SuiteFacts["parts"] });
  }
  return found;
}

export function writeFacts(folder: string, facts: SuiteFacts): Promise<void> {
  return writeJsonAtomically(join(folder, FACTS), facts);
}

/**
 * Facts of two suites that belong together, with the parts of both.
 * @throws LuvitError("bad-argument") naming everything in which they differ.
 */
export function commonFacts(known: SuiteFacts, now: SuiteFacts, where: string): SuiteFacts {
  const about = ({ sha256, classes, provenance: { model, recipe, seed } }: SuiteFacts) => ({
    "the model's weights (sha256)": sha256,
    classes,
    model,
    recipe,
    seed,
  });
  const images = (parts: SuiteFacts["parts"]) =>
    Object.fromEntries(
      Object.keys(now.parts)
        .filter((part) => part in known.parts)
        .map((part) => [`${part}, images`, parts[part]]),
    );
  const problems = differences(
    { ...about(known), ...images(known.parts) },
    { ...about(now), ...images(now.parts) },
  );
  if (problems.length === 0) return { ...now, parts: { ...known.parts, ...now.parts } };
  throw new LuvitError(
    "bad-argument",
    `${where}: the answers there are about something else\n${listOffenders(problems)}\nGive another \`out\`.`,
  );
}
