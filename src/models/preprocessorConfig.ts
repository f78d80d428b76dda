import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../core/errors";
import { type JsonObject, readJsonObject } from "../io/bytes";

/** Mean and standard deviation per channel, of values in 0 … 1. */
export interface Channels {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * What a folder's preprocessor_config.json says of the channels, `usual` where it says nothing or is not there.
 * @throws LuvitError("bad-file") for anything but three numbers.
 */
export async function channelsBeside(folder: string, usual: Channels): Promise<Channels> {
  const path = join(folder, "preprocessor_config.json");
  const value: JsonObject = existsSync(path) ? (await readJsonObject(path)).value : {};
  const channels = (name: string, otherwise: readonly number[]) => {
    const given = value[name];
    const fits = Array.isArray(given) && given.length === 3 && given.every((x) => typeof x === "number");
    if (given !== undefined && !fits)
      throw new LuvitError("bad-file", `${path}: ${name}: expected three numbers`);
    return (given as number[] | undefined) ?? otherwise;
  };
  return { mean: channels("image_mean", usual.mean), std: channels("image_std", usual.std) };
}
