import type { Module } from "../nn/module";
import type { Forward } from "../train/forward";

/**
 * A forward function that stays open after its use, for the same question about the next image: handing an engine the weights
 * of a large model takes longer than a run. One in the whole process, since it holds those weights; it is let go when another
 * is asked for, or when nobody asked for a while.
 */
interface Kept {
  readonly key: string;
  readonly weights: Weights;
  readonly forward: Forward;
  readonly timer: NodeJS.Timeout;
}

/** Which parameters a model has, under which paths, and which values they have now. */
type Weights = ReadonlyMap<string, object>;

/** Milliseconds after which it is let go. */
const PATIENCE = 60_000;

let kept: Kept | undefined;

/** The model's weights as they are now: any that is replaced, loaded or trained makes others of them. */
function weightsOf(model: Module): Weights {
  return new Map([...model.namedParameters()].map(([path, parameter]) => [path, parameter.values]));
}

/** The open forward function of that key and these weights, or a new one; nobody else has it until `giveBack`. */
export async function takeForward(
  model: Module,
  key: string,
  open: () => Promise<Forward>,
): Promise<{ forward: Forward; giveBack(): Promise<void> }> {
  const weights = weightsOf(model);
  const found = kept?.key === key && isSame(kept.weights, weights) ? kept : undefined;
  if (found) {
    kept = undefined;
    clearTimeout(found.timer);
  } else await releaseKept();
  const forward = found?.forward ?? (await open());
  return {
    forward,
    giveBack: async () => {
      await releaseKept();
      kept = { key, weights, forward, timer: setTimeout(letGo, PATIENCE).unref() };
    },
  };
}

/** Lets it go at once: something else needs the memory. */
export async function releaseKept(): Promise<void> {
  const found = kept;
  kept = undefined;
  clearTimeout(found?.timer);
  await found?.forward.dispose();
}

function letGo(): void {
  const { forward } = kept!;
  kept = undefined;
  // Its engine may have ended before; then nothing is left to give back.
  forward.dispose().catch(() => undefined);
}

function isSame(a: Weights, b: Weights): boolean {
  return a.size === b.size && [...a].every(([path, values]) => b.get(path) === values);
}
