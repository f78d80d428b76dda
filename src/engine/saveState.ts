import { type Places, writeNumbers } from "../core/writeNumbers";
import type { Engine } from "./executor";

/**
 * Writes state entries, float32, at their places in a file that is there, without bringing them into this process where
 * the engine has one of its own. Gives back the names of entries whose numbers are not all finite.
 *
 * @throws LuvitError("bad-file") when the disk refuses, LuvitError("bad-argument") naming entries that are none.
 */
export function saveState(engine: Engine, path: string, places: Places): Promise<readonly string[]> {
  if (engine.saveState) return engine.saveState(path, places);
  return writeNumbers(path, places, (names) => (engine.viewState ?? engine.readState).call(engine, names));
}
