import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import { makeFolder } from "../../core/makeFolder";
import { TFJS_PACKAGE, TFJS_VERSION, takeInstalledAddon } from "./addon";
import { lastLines } from "./command";
import { npm } from "./npm";

/**
 * Installs the package as it comes, whose own script downloads TensorFlow 2.9 (GPU: CUDA 11.2) and the addon, and takes
 * both over into `folder`. Gives back the addon's path in it.
 *
 * @throws LuvitError("engine") when the script's downloads fail.
 */
export async function installStock(workFolder: string, folder: string): Promise<string> {
  const project = join(workFolder, "stock");
  makeFolder(project);
  const spec = `${TFJS_PACKAGE}@${TFJS_VERSION}`;
  // npm from version 11 on runs the install scripts that package.json names.
  const manifest = { private: true, allowScripts: { [TFJS_PACKAGE]: true } };
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  const options = ["--prefix", project, "--no-save", "--foreground-scripts", "--ignore-scripts=false"];
  const finished = await npm(["install", ...options, spec], project);
  if (finished.status !== 0) {
    const refused = /storage\.googleapis|getaddrinfo|ECONN|ENOTFOUND|EAI_AGAIN|40[134]|ETIMEDOUT/i.test(
      finished.output,
    );
    const reason = refused
      ? "its download from storage.googleapis.com was refused: check the network, or build against pip's TensorFlow (without --stock)"
      : "its install script failed; build against pip's TensorFlow instead (without --stock)";
    throw new LuvitError("engine", `${spec}: ${reason}\n${lastLines(finished.output)}`);
  }
  return takeInstalledAddon(join(project, "node_modules", ...TFJS_PACKAGE.split("/")), folder);
}
