import type { Module } from "../../src/nn/module";
import type { Run } from "../../src/train/run";
import { Stopped } from "./study";

/**
 * Trains to the end, or as far as a stop lets it.
 *
 * @throws Stopped where a stop ended it early.
 */
export async function trained<M extends Module>(run: Run<M>): Promise<M> {
  const { stopped, model } = await run.done;
  if (stopped) throw new Stopped();
  return model;
}
