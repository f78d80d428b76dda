import { LuvitError } from "../../core/errors";
import { sizeOf } from "../../core/hostTensor";
import { type AdamWMemory, createAdamWMemory, LANES, MOST_BYTES, type UpdateNumbers } from "./kernel";
import type { AdamWUpdate } from "./splitUpdates";

/** The arrays of one update, views into the memory that the update runs in. */
interface Slot {
  readonly update: AdamWUpdate;
  readonly memory: AdamWMemory;
  /** Where the parameter, its average and its squares begin, in bytes. */
  readonly places: readonly [parameter: number, average: number, squares: number];
  readonly parameter: Float32Array;
  readonly average: Float32Array;
  readonly squares: Float32Array;
}

/** At the start of each memory: numbers of a gradient, copied in piece by piece; small enough for a core's cache. */
const PIECE = 2 ** 16;
const PIECE_BYTES = 4 * PIECE;

/** Bytes of one memory; a larger parameter gets one of its own. Several small ones reserve less at a time. */
const MEMORY_BYTES = 2 ** 30;

/** Weights and moments of every update, side by side in WebAssembly memory. Moments begin at zero. */
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

  /** One step. `schedules` by name: (rate, 1 - beta1^t, 1 - beta2^t); `gradients` by name, each times `factor`. */
  step(
    schedules: (name: string) => ArrayLike<number>,
    gradients: (name: string) => Float32Array,
    factor = 1,
  ): void {
    for (const slot of this.slots) {
      const { beta1, beta2, eps, weightDecay, lrScale, schedule, gradient } = slot.update;
      const [rate, correction1, correction2] = Array.from(schedules(schedule));
      const lr = rate * lrScale;
      const [keep, step, inverseRoot] = [1 - lr * weightDecay, lr / correction1, 1 / Math.sqrt(correction2)];
      updateSlot(slot, gradients(gradient), factor, { beta1, beta2, keep, step, inverseRoot, eps });
    }
  }
}

/** Lanes behind the last number hold what is left of another piece; they belong to nobody. */
function updateSlot(
  { memory, places }: Slot,
  gradient: Float32Array,
  factor: number,
  numbers: UpdateNumbers,
): void {
  const piece = new Float32Array(memory.buffer, 0, PIECE);
  for (let start = 0; start < gradient.length; start += PIECE) {
    const part = gradient.subarray(start, start + PIECE);
    if (factor === 1) piece.set(part);
    else for (let i = 0; i < part.length; i++) piece[i] = factor * part[i];
    const [parameter, average, squares] = places.map((place) => place + 4 * start);
    memory.update({ parameter, average, squares, gradient: 0, length: padded(part.length) }, numbers);
  }
}

const padded = (length: number) => Math.ceil(length / LANES) * LANES;
/** Three float32 arrays. */
const bytesOf = ({ shape }: AdamWUpdate) => 12 * padded(sizeOf(shape));

function groupsOf(updates: readonly AdamWUpdate[], memoryBytes: number): AdamWUpdate[][] {
  const groups: AdamWUpdate[][] = [];
  let room = 0;
  for (const update of updates) {
    const bytes = bytesOf(update);
    if (bytes > MOST_BYTES - PIECE_BYTES) {
      const most = Math.floor((MOST_BYTES - PIECE_BYTES) / 12);
      const message = `${update.parameter}: ${sizeOf(update.shape)} numbers are more than AdamW here can train in one parameter (${most})`;
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
  const memory = createAdamWMemory(updates.reduce((sum, update) => sum + bytesOf(update), PIECE_BYTES));
  let start = PIECE_BYTES;
  return updates.map((update) => {
    const bytes = bytesOf(update) / 3;
    const places = [start, start + bytes, start + 2 * bytes] as const;
    start += 3 * bytes;
    const [parameter, average, squares] = places.map(
      (place) => new Float32Array(memory.buffer, place, sizeOf(update.shape)),
    );
    return { update, memory, places, parameter, average, squares };
  });
}
