import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made: string[] = [];

/** A folder among the machine's temporary ones, that is removed when this process ends. */
export function temporaryFolder(name = "test"): string {
  if (made.length === 0)
    process.once("exit", () => {
      // A process that is just being killed may write into it to its last moment.
      for (const folder of made) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    });
  made.push(mkdtempSync(join(tmpdir(), `luvit-${name}-`)));
  return made.at(-1)!;
}
