import { readFileSync } from "node:fs";
import { LuvitError } from "../core/errors";

const scripts = new Map<string, string>();

/**
 * The script that a page runs, in one piece that needs nothing else; `npm run build` makes it.
 *
 * @param entry path of the compiled entry, without `.js`.
 * @throws LuvitError("missing-file") when it is not there.
 */
export function browserScript(entry: string): string {
  let script = scripts.get(entry);
  if (script === undefined) {
    script = readScript(`${entry}.js`);
    scripts.set(entry, script);
  }
  return script;
}

function readScript(path: string): string {
  try {
    return readFileSync(path, "utf8").trimEnd();
  } catch (cause) {
    throw new LuvitError(
      "missing-file",
      `${path}: the script of interactive displays is not there; run "npm run build", which makes it`,
      { cause },
    );
  }
}
