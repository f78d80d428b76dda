import { drawingsTrial, languageTrials, rowTrial, sizes } from "./ablations";
import type { Study } from "./core/study";

/** By how much language a block has read. */
const read = [
  "LUViT",
  "four times the steps",
  "an eighth of the steps",
  "one block deep",
  "shuffled text",
] as const;
/** The ablations have looked at those before. */
const FIRST_SEED = 5;

/**
 * Is more language better? Rows of the ablations in which that seemed to be so, from seeds that nobody had looked at when the
 * claims were written. With `--out out/studies/ablations` drawings and language models that are there are taken.
 */
export const languageStudy: Study = {
  name: "language",
  size: { seeds: 10, epochs: 4 },
  baseline: "LUViT",
  trials: (size) => [
    drawingsTrial(sizes),
    ...languageTrials,
    ...Array.from({ length: size.seeds }, (_, i) =>
      read.map((row) => rowTrial(row, FIRST_SEED + i, size, sizes)),
    ).flat(),
  ],
};
