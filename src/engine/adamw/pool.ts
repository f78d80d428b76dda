import { LuvitError } from "../../core/errors";
import { sizeOf } from "../../core/hostTensor";
import { type AdamWMemory, createAdamWMemory, LANES, MOST_BYTES, type UpdatePlace } from "./kernel";
import type { AdamWUpdate } from "./splitUpdates";

/** The arrays of one update, views into the memory that the update runs in. */
interface Slot {
  readonly update: AdamWUpdate;
  readonly memory: AdamWMemory;
  readonly place: UpdatePlace;
  readonly parameter: Float32Array;
  readonly average: Float32Array;
  readonly squares: Float32Array;
  /** Where the gradient is to be written before a step. */
  readonly gradient: Float32Array;
}

/** Bytes of one memory; a larger parameter gets one of its own. Several small ones reserve less at a time. */
const MEMORY_BYTES = 2 ** 30;

/** Weights, moments and gradients of every update, side by side in WebAssembly memory. Moments begin at zero. */
export class AdamWPool {
  readonly slots: readonly Slot[];

  constructor(updates: readonly AdamWUpdate[], memoryBytes = MEMORY_BYTES) {
    this.slots = groupsOf(updates, memoryBytes).flatMap(makeSlots);
  }

  /** Every array of the pool that is state, by its name. */
  state(): Map<string, Float32Array> {
    return new Map(
      this.slots.flatMap(({ update, parameter, average, squares }): [string, Float32Array][] => [
        [update.parameter, parameter],
        [update.average, average],
        [update.squares, squares],
      ]),
    );
  }

  /** One step. `schedules` by name: (rate, 1 - beta1^t, 1 - beta2^t). */
  step(schedules: (name: string) => ArrayLike<number>): void {
    for (const { update, memory, place } of this.slots) {
      const { beta1, beta2, eps, weightDecay, lrScale, schedule } = update;
      const [rate, correction1, correction2] = Array.from(schedules(schedule));
      const lr = rate * lrScale;
      const [keep, step, inverseRoot] = [1 - lr * weightDecay, lr / correction1, 1 / Math.sqrt(correction2)];
      memory.update(place, { beta1, beta2, keep, step, inverseRoot, eps });
    }
  }
}

const paddedLength = ({ shape }: AdamWUpdate) => Math.ceil(sizeOf(shape) / LANES) * LANES;
/** Four float32 arrays. */
const bytesOf = (update: AdamWUpdate) => 16 * paddedLength(update);

function groupsOf(updates: readonly AdamWUpdate[], memoryBytes: number): AdamWUpdate[][] {
  const groups: AdamWUpdate[][] = [];
  let room = 0;
  for (const update of updates) {
    const bytes = bytesOf(update);
    if (bytes > MOST_BYTES) {
      const message = `${update.parameter}: ${sizeOf(update.shape)} numbers are more than AdamW here can train in one parameter (${MOST_BYTES / 16})`;
      throw new LuvitError("engine", message);
    }
    if (bytes > room) {
      groups.push([]);
      room = Math.max(memoryBytes, bytes);
    }
    groups.at(-1)!.push(update);
    room -= bytes;
  }
  return groups;
}

function makeSlots(updates: readonly AdamWUpdate[]): Slot[] {
  const memory = createAdamWMemory(updates.reduce((sum, update) => sum + bytesOf(update), 0));
  let start = 0;
  return updates.map((update) => {
    const length = paddedLength(update);
    const [parameter, average, squares, gradient] = [0, 1, 2, 3].map((i) => start + 4 * length * i);
    start += 16 * length;
    const view = (at: number) => new Float32Array(memory.buffer, at, sizeOf(update.shape));
    return {
      update,
      memory,
      place: { parameter, average, squares, gradient, length },
      parameter: view(parameter),
      average: view(average),
      squares: view(squares),
      gradient: view(gradient),
    };
  });
}
