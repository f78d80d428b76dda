import { homedir } from "node:os";
import { resolve } from "node:path";
import { LuvitError } from "../../core/errors";

/**
 * Makes the folder current that stands behind `%cd`; `before` is the one that `-` means.
 * @throws LuvitError("bad-file") where there is no such folder.
 */
export function change(text: string, before: string): void {
  const path = text === "-" ? before : named(text);
  try {
    process.chdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "no such folder" : code === "ENOTDIR" ? "no folder" : code;
    throw new LuvitError("bad-file", `%cd ${text}: ${resolve(path)}: ${why}`, { cause: error });
  }
}

/** A folder as shells let one write it: in quotes, with `\\ ` for a space, with `~` for the home folder. */
function named(text: string): string {
  const [, , quoted] = /^(["'])(.*)\1$/.exec(text) ?? [];
  const path = quoted ?? text.replaceAll("\\ ", " ");
  return path === "" ? homedir() : path.replace(/^~(?=\/|$)/, () => homedir());
}
