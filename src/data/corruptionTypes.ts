import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../core/errors";

/** The corruptions of ImageNet-C by the archives that they are published in; `extra` is not part of the benchmark. */
export const corruptionGroups = {
  noise: ["gaussian_noise", "shot_noise", "impulse_noise"],
  blur: ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur"],
  weather: ["snow", "frost", "fog", "brightness"],
  digital: ["contrast", "elastic_transform", "pixelate", "jpeg_compression"],
  extra: ["speckle_noise", "gaussian_blur", "spatter", "saturate"],
} as const;

/** One of the 19 corruptions of ImageNet-C. */
export type CorruptionType = (typeof corruptionGroups)[keyof typeof corruptionGroups][number];

/** All 19 corruptions: the 15 of the benchmark, then the four extra ones. */
export const corruptionTypes: readonly CorruptionType[] = Object.values(corruptionGroups).flat();

/** The 15 corruptions that the published error rates are about. */
export const benchmarkCorruptions: readonly CorruptionType[] = corruptionTypes.slice(0, 15);

/** Severities of ImageNet-C. */
export const severities: readonly number[] = [1, 2, 3, 4, 5];

/** Archive that a corruption is published in. */
function groupOf(type: CorruptionType): string {
  const found = Object.entries(corruptionGroups).find(([, types]) => types.some((name) => name === type));
  if (found) return found[0];
  const known = corruptionTypes.join(", ");
  throw new LuvitError("bad-argument", `ImageNet-C has no corruption ${type}; it has ${known}`);
}

const placesOf = (root: string, type: CorruptionType) => [join(root, type), join(root, groupOf(type), type)];

/**
 * Where a corruption lies: `<root>/<type>`, or `<root>/<group>/<type>`.
 *
 * @throws LuvitError("missing-file")
 */
export async function corruptionFolder(root: string, type: CorruptionType): Promise<string> {
  const places = placesOf(root, type);
  const folder = places.find((place) => existsSync(place));
  if (folder) return folder;
  const types = corruptionTypes.filter((name) => placesOf(root, name).some((place) => existsSync(place)));
  const found = types.length > 0 ? `${root} holds ${types.join(", ")}` : `${root} holds no corruption at all`;
  throw new LuvitError("missing-file", `ImageNet-C: looked for ${places.join(" and ")}; ${found}`);
}

/** The corruptions that a folder has at all severities, and what it lacks: "frost (weather.tar)", "fog: severity 4". */
export function corruptionsIn(root: string): { types: CorruptionType[]; missing: string[] } {
  const types: CorruptionType[] = [];
  const missing: string[] = [];
  for (const type of corruptionTypes) {
    const folder = placesOf(root, type).find((place) => existsSync(place));
    const without = folder && severities.filter((severity) => !existsSync(join(folder, String(severity))));
    if (without?.length === 0) types.push(type);
    else if (without) missing.push(`${type}: severity ${without.join(", ")}`);
    else missing.push(`${type} (${groupOf(type)}.tar)`);
  }
  return { types, missing };
}
