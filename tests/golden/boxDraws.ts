import type { ErasingDraws } from "../../src/data/pixels/augment/erasing";
import type { CropDraws } from "../../src/data/pixels/geometry";

/** Hands out a row's stored draws; a limit that differs from the stored one spoils the result and so shows. */
// biome-ignore lint/suspicious/noExplicitAny: a row of a JSON file
export function boxDraws(row: any): CropDraws & ErasingDraws {
  const attempts = row.attempts.values();
  const offsets = row.top_left_draws.values();
  let attempt: { area_fraction: number; log_aspect: number };
  return {
    areaFraction() {
      attempt = attempts.next().value;
      return attempt.area_fraction;
    },
    logAspect: () => attempt.log_aspect,
    offset(limit) {
      const [, high, value] = offsets.next().value;
      return high === limit ? value : Number.NaN;
    },
  };
}
