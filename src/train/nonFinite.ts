import { LuvitError, listOffenders } from "../core/errors";
import { allFinite } from "../core/finite";
import { sizeOf, type TensorStream } from "../core/hostTensor";
import { inGroups } from "../core/inGroups";
import { writeNumbers } from "../core/writeNumbers";

/** Where to go back to, and how, after numbers have overflowed. */
export function lastGoodCheckpoint(folder: string | undefined): string {
  const advice = "start a new run with a lower rate or a longer warm-up";
  if (!folder) return `Last good checkpoint: none was written yet. Build the model again and ${advice}.`;
  return `Last good checkpoint: ${folder}. Put it into the model (io.readTrainingCheckpoint, model.load) and ${advice}.`;
}

/** The same tensors; where one holds NaN or infinities, writing them ends with what `refuse` says. */
export function onlyFinite(tensors: TensorStream, refuse: () => Promise<LuvitError>): TensorStream {
  return {
    ...tensors,
    async writeInto(path, places) {
      const broken = await (tensors.writeInto?.(path, places) ?? writeNumbers(path, places, tensors.read));
      if (broken.length > 0) throw await refuse();
      return broken;
    },
  };
}

/** Names of all tensors that hold NaN or infinities. */
export async function nonFiniteNames({ shapes, read }: TensorStream): Promise<string[]> {
  const broken: string[] = [];
  for (const group of inGroups([...shapes], ([, shape]) => 4 * sizeOf(shape))) {
    const numbers = await read(group.map(([name]) => name));
    broken.push(...group.map(([name]) => name).filter((name) => !allFinite(numbers[name])));
  }
  return broken;
}

/** What to say of a state that is not saved because these tensors of it hold NaN or infinities. */
export function nonFiniteState(
  broken: readonly string[],
  step: number,
  lr: number,
  checkpoint: string | undefined,
): LuvitError {
  return new LuvitError(
    "non-finite",
    `step ${step}, learning rate ${lr.toExponential(3)}: not saved, these are no longer finite:\n` +
      `${listOffenders(broken)}\n${lastGoodCheckpoint(checkpoint)}`,
  );
}
