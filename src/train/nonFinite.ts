import { LuvitError, listOffenders } from "../core/errors";
import type { StateDict } from "../core/hostTensor";

/** Where to go back to, and how, after numbers have overflowed. */
export function lastGoodCheckpoint(folder: string | undefined): string {
  const advice = "start a new run with a lower rate or a longer warm-up";
  if (!folder) return `Last good checkpoint: none was written yet. Build the model again and ${advice}.`;
  return `Last good checkpoint: ${folder}. Put it into the model (io.readTrainingCheckpoint, model.load) and ${advice}.`;
}

/** @throws LuvitError("non-finite") when a state about to be saved holds NaN or infinities, naming the tensors. */
export function refuseNonFinite(
  state: StateDict,
  step: number,
  lr: number,
  checkpoint: string | undefined,
): void {
  const broken = [...state]
    .filter(([, { data }]) => data.some((x) => !Number.isFinite(x)))
    .map(([path]) => path);
  if (broken.length === 0) return;
  throw new LuvitError(
    "non-finite",
    `step ${step}, learning rate ${lr.toExponential(3)}: not saved, these are no longer finite:\n` +
      `${listOffenders(broken)}\n${lastGoodCheckpoint(checkpoint)}`,
  );
}
