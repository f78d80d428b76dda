import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { LuvitError } from "../../core/errors";
import { type Finished, lastLines, runCommand } from "./command";

/**
 * npm's own script, run with this Node.
 *
 * @throws LuvitError("engine") when there is no npm.
 */
export function findNpm(): string {
  const beside = dirname(realpathSync(process.execPath));
  const onPath = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "npm"));
  const candidates = [
    process.env.npm_execpath ?? "",
    join(beside, "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
    join(beside, "node_modules", "npm", "bin", "npm-cli.js"),
    ...onPath.filter((path) => existsSync(path)).map((path) => realpathSync(path)),
  ];
  const found = candidates.find((path) => path.endsWith("npm-cli.js") && existsSync(path));
  if (found) return found;
  throw new LuvitError("engine", "npm was not found, neither beside Node nor in PATH: install Node with npm");
}

/** Runs npm without audits and notices. */
export function npm(args: readonly string[], cwd: string): Promise<Finished> {
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  return runCommand(process.execPath, [findNpm(), ...args, ...quiet], { cwd });
}

/** What npm's output means. */
export function explainNpm(what: string, { output }: Finished): LuvitError {
  const reasons: [RegExp, string][] = [
    [/ENOSPC|No space left/i, "the disk is full"],
    [
      /E40[134]|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|network/i,
      "the npm registry did not give it out: check the network and npm's registry",
    ],
  ];
  const reason = reasons.find(([pattern]) => pattern.test(output))?.[1] ?? "npm failed";
  return new LuvitError("engine", `${what}: ${reason}\n${lastLines(output)}`);
}

/**
 * node-gyp: npm's own, else fetched into `folder`.
 *
 * @throws LuvitError("engine") when neither is there.
 */
export async function findNodeGyp(folder: string): Promise<string> {
  const script = join("node_modules", "node-gyp", "bin", "node-gyp.js");
  const bundled = join(dirname(findNpm()), "..", script);
  if (existsSync(bundled)) return bundled;
  const fetched = await npm(
    ["install", "--prefix", folder, "--no-save", "--ignore-scripts", "node-gyp"],
    folder,
  );
  if (fetched.status === 0) return join(folder, script);
  throw explainNpm("node-gyp, which npm should bring along, is missing and could not be fetched", fetched);
}
