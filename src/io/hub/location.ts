import { stat } from "node:fs/promises";
import { LuvitError } from "../../core/errors";

/** A repository of the hub, or one of its files. */
export interface HubLocation {
  /** `org/name`. */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string | undefined;
  /** The weights to take; undefined: whichever the repository has. */
  readonly file: string | undefined;
  /** Whether it might have been meant as a path of this machine. */
  readonly isGuess: boolean;
}

const NAME = "[A-Za-z0-9][\\w.-]*";
const EXPLICIT = new RegExp(`^hf://(${NAME}/${NAME})(?:@([^/]+))?(?:/(.+))?$`);
const BARE = new RegExp(`^${NAME}/${NAME}$`);

/**
 * Reads `hf://org/name[@revision][/file]`, or `org/name` where there is no such folder here. Undefined for paths.
 * @throws LuvitError("bad-argument") for `hf://` and anything else behind it.
 */
export async function hubLocation(path: string): Promise<HubLocation | undefined> {
  if (path.startsWith("hf://")) {
    const [, repo, revision, file] = EXPLICIT.exec(path) ?? [];
    if (repo) return { repo, revision, file, isGuess: false };
    throw new LuvitError(
      "bad-argument",
      `${path}: expected hf://org/name, hf://org/name@revision or …/file behind it`,
    );
  }
  const isHere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isHere || !BARE.test(path) || /\.(safetensors|bin|pth|pt|gguf|json)$/.test(path)) return undefined;
  return { repo: path, revision: undefined, file: undefined, isGuess: true };
}
