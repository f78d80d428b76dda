import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";

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

/** Where a corruption lies: `<root>/<type>`, or `<root>/<group>/<type>`. Throws "missing-file". */
export async function corruptionFolder(root: string, type: CorruptionType): Promise<string> {
  const group = Object.entries(corruptionGroups).find(([, types]) =>
    types.some((name) => name === type),
  )?.[0];
  if (!group) {
    throw new LuvitError(
      "bad-argument",
      `ImageNet-C has no corruption ${type}; it has ${corruptionTypes.join(", ")}`,
    );
  }
  const places = [join(root, type), join(root, group, type)];
  const folder = places.find((place) => existsSync(place));
  if (folder) return folder;
  const there = corruptionTypes.filter((name) => existsSync(join(root, name)));
  const found = there.length > 0 ? `${root} holds ${there.join(", ")}` : `${root} holds no corruption at all`;
  throw new LuvitError("missing-file", `ImageNet-C: looked for ${places.join(" and ")}; ${found}`);
}
