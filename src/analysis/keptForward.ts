import type { Module } from "../nn/module";
import type { Forward } from "../train/forward";
import { KeptSlot } from "../train/kept";

/** A forward function that stays open after its use; one in the whole process, since it holds the weights of a model. */
const slot = new KeptSlot<Forward>();

/** The open forward function of that key and these weights, or a new one; nobody else has it until `giveBack`. */
export async function takeForward(
  model: Module,
  key: string,
  open: () => Promise<Forward>,
): Promise<{ forward: Forward; giveBack(): Promise<void> }> {
  const { value: forward, giveBack } = await slot.take(model, key, open);
  return { forward, giveBack };
}

/** Lets it go at once: something else needs the memory. */
export function releaseKept(): Promise<void> {
  return slot.release();
}
