import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";

/** Where the hub is, where its files are kept and who asks. */
export interface HubSettings {
  /** Without a slash at its end, e.g. `https://huggingface.co`. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** The folder with `models--org--name`. */
  readonly cache: string;
  /** Nothing is asked of the network. */
  readonly offline: boolean;
  /** Milliseconds without a byte after which a connection is given up. */
  readonly idleTimeout: number;
  /** Milliseconds before the first repetition; doubled for each further one. */
  readonly retryDelay: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The settings that huggingface_hub takes from the environment: HF_ENDPOINT, HF_TOKEN or HUGGING_FACE_HUB_TOKEN or the
 * file HF_TOKEN_PATH (HF_HOME/token; not with HF_HUB_DISABLE_IMPLICIT_TOKEN), HF_HUB_CACHE or HUGGINGFACE_HUB_CACHE or
 * HF_HOME/hub, HF_HOME or XDG_CACHE_HOME/huggingface, HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT
 * (seconds). Reference: huggingface_hub/constants.py and utils/_auth.py.
 * @throws LuvitError("bad-argument") when the endpoint is no http address.
 */
export async function hubSettings(
  env: Environment = process.env,
  given: Partial<HubSettings> = {},
): Promise<HubSettings> {
  const text = (...names: string[]) => names.map((name) => env[name]?.trim()).find(Boolean);
  const flag = (...names: string[]) => /^(1|on|yes|true)$/i.test(text(...names) ?? "");
  const folder = (path: string) => path.replace(/^~(?=[/\\]|$)/, homedir());
  const caches = text("XDG_CACHE_HOME") ?? join(homedir(), ".cache");
  const home = folder(text("HF_HOME") ?? join(caches, "huggingface"));
  const tokenFile = folder(text("HF_TOKEN_PATH") ?? join(home, "token"));
  const written = flag("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? undefined : await firstLine(tokenFile);
  const seconds = Number(text("HF_HUB_DOWNLOAD_TIMEOUT") ?? 10);
  return {
    endpoint: checkedEndpoint(given.endpoint ?? text("HF_ENDPOINT") ?? "https://huggingface.co"),
    token: given.token ?? text("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") ?? written,
    cache: given.cache ?? folder(text("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? join(home, "hub")),
    offline: given.offline ?? flag("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
    idleTimeout: given.idleTimeout ?? (seconds > 0 ? 1000 * seconds : 10_000),
    retryDelay: given.retryDelay ?? 500,
  };
}

async function firstLine(path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n")[0].trim() || undefined;
}

function checkedEndpoint(text: string): string {
  const address = text.replace(/\/+$/, "");
  if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)) return address;
  throw new LuvitError("bad-argument", `HF_ENDPOINT: expected an http(s) address, got "${text}"`);
}
