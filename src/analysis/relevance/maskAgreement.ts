import type { RelevanceMap } from "./relevance";

/**
 * How the patches above a map's mean agree with the object's: share of the patches that count which are on the right side,
 * and intersection over union. null without a mask, or where no patch counts. Threshold as in Chefer et al. 2021, section 4;
 * a patch belongs to the object where any of its pixels does.
 */
export function maskAgreement({ sample, patches }: Pick<RelevanceMap, "sample" | "patches">): {
  accuracy: number | null;
  iou: number | null;
} {
  const { foreground, valid } = sample;
  if (!foreground) return { accuracy: null, iou: null };
  const mean = patches.reduce((sum, x) => sum + x / patches.length, 0);
  const counts = { right: 0, counted: 0, both: 0, either: 0 };
  for (const [patch, value] of patches.entries()) {
    if (valid && !valid[patch]) continue;
    const [found, given] = [value > mean, foreground[patch] === 1];
    counts.counted++;
    if (found === given) counts.right++;
    if (found && given) counts.both++;
    if (found || given) counts.either++;
  }
  const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);
  return { accuracy: share(counts.right, counts.counted), iou: share(counts.both, counts.either) };
}
