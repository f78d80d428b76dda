import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { engineCache } from "../../core/engineCache";

/** Which TensorFlow: without CUDA, with it, or the one the package itself downloads. */
export type Variant = "cpu" | "cuda" | "stock";

/** What was installed, written beside it. */
export interface Manifest {
  readonly variant: Variant;
  /** Version of TensorFlow. */
  readonly tensorflow: string;
  /** Version of tfjs-node-gpu, whose addon it is. */
  readonly tfjs: string;
  readonly platform: string;
  readonly arch: string;
  /** Path of the addon inside the folder. */
  readonly addon: string;
  /** ISO 8601. */
  readonly installed: string;
  /** Of the whole folder. */
  readonly bytes: number;
}

/** An engine in the cache. */
export interface InstalledEngine extends Manifest {
  readonly name: string;
  readonly folder: string;
}

export const MANIFEST = "manifest.json";

/** Complete engines in the cache, newest first; `here` leaves out those of other machines that share the folder. */
export function installedEngines({ here = true } = {}): InstalledEngine[] {
  const cache = engineCache();
  if (!existsSync(cache)) return [];
  const engines = readdirSync(cache).flatMap((name) => {
    const folder = join(cache, name);
    const manifest = readManifest(join(folder, MANIFEST));
    return manifest && existsSync(join(folder, manifest.addon)) ? [{ ...manifest, name, folder }] : [];
  });
  return engines
    .filter(({ platform, arch }) => !here || (platform === process.platform && arch === process.arch))
    .sort((a, b) => b.installed.localeCompare(a.installed));
}

function readManifest(path: string): Manifest | undefined {
  try {
    const manifest = JSON.parse(readFileSync(path, "utf8")) as Partial<Manifest> | null;
    const texts = [manifest?.addon, manifest?.installed];
    return texts.every((text) => typeof text === "string") ? (manifest as Manifest) : undefined;
  } catch {
    return undefined;
  }
}

/** What names an engine's folder. The addon speaks Node-API, so one serves every version of Node. */
export function engineName({ variant, tensorflow, platform, arch }: Omit<Manifest, "addon">): string {
  return `tensorflow-${variant}-${tensorflow}-${platform}-${arch}`;
}
