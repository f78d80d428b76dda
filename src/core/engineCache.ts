import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Where engines are kept, apart from `node_modules`, so that `npm ci` does not lose them: LUVIT_ENGINE_CACHE, else the
 * user's cache folder as the platform has it.
 */
export function engineCache(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: string = process.platform,
  home = homedir(),
): string {
  const { LUVIT_ENGINE_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  if (LUVIT_ENGINE_CACHE) return LUVIT_ENGINE_CACHE;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, "luvit", "engines");
  if (platform === "darwin") return join(home, "Library", "Caches", "luvit", "engines");
  if (platform === "win32")
    return join(LOCALAPPDATA || join(home, "AppData", "Local"), "luvit", "Cache", "engines");
  return join(home, ".cache", "luvit", "engines");
}
