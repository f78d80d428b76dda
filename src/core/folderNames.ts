import { LuvitError, listOffenders } from "./errors";
import { printable } from "./printable";

/** Bytes of a name that file systems take. */
const MOST_BYTES = 255;

/**
 * Refuses names that become folders where one of them would be another folder than one of that name: `../x`, `a/b`, an
 * empty one, one with control characters, or the same as another but for upper and lower case.
 *
 * @throws LuvitError("bad-argument") naming all of them.
 */
export function expectFolderNames(where: string, names: readonly string[]): void {
  const wrong = notFolderNames(names).map((name) => `"${printable(name)}"`);
  if (wrong.length === 0) return;
  throw new LuvitError(
    "bad-argument",
    `${where}: names of sets become folders, expected ${FOLDER_NAMES}, got\n${listOffenders(wrong)}`,
  );
}

/** What is expected of such names. */
export const FOLDER_NAMES =
  "names of letters, digits, spaces, -, _ and the like, without / and \\, each once";

/** Those of the names that cannot each be a folder of its own. */
export function notFolderNames(names: readonly string[]): string[] {
  const lower = names.map((name) => name.toLowerCase());
  return names.filter((name, i) => !isFolderName(name) || lower.indexOf(lower[i]) !== i);
}

/** Whether a folder of that name lies in the folder where it is made, on every system. */
export function isFolderName(name: string): boolean {
  if (name.trim() !== name || name === "" || name.startsWith(".") || name.endsWith(".")) return false;
  return printable(name) === name && !/[/\\:*?"<>|]/.test(name) && Buffer.byteLength(name) <= MOST_BYTES;
}
