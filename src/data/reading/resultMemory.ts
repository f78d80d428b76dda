import { PixelMemory, type ResultPlace } from "../pixels";
import { SLOTS } from "./messages";

/** The memory of a reading thread: slots for results first, which the thread that asked reads, then room to work. */
export class ResultMemory {
  private memory: PixelMemory | undefined;
  private slotLength = 0;
  private told: SharedArrayBuffer | undefined;

  /** Where the result of so many numbers belongs. Results that wait in other slots stay readable. */
  place(slot: number, length: number, isBytes: boolean): ResultPlace {
    if (!this.memory || this.memory.isTooLarge || length > this.slotLength) {
      this.slotLength = length;
      this.memory = new PixelMemory(SLOTS * 4 * length);
    }
    return { memory: this.memory, address: 4 * this.slotLength * slot, length, isBytes };
  }

  /** The memory of a result, unless it is the one that the other thread was last told of. */
  news({ memory: { buffer } }: ResultPlace): SharedArrayBuffer | undefined {
    if (buffer === this.told) return undefined;
    this.told = buffer;
    return buffer;
  }
}
