import { LuvitError } from "../core/errors";
import { blamesMemory } from "../engine";
import type { Module } from "../nn/module";
import type { AdamW } from "../optim/adamw";
import type { RunDriver } from "./run";
import type { RunStore } from "./runFolder";

/** Deaths in a row, without a step saved in between, after which a run gives up. */
const MOST_DEATHS = 3;

interface Restartable<M extends Module> {
  driver: RunDriver<M>;
  store: RunStore<M> | undefined;
  optimizer: AdamW;
}

/**
 * Runs `train` from a step on. When the engine dies on the way, model and optimiser still stand where they were last
 * brought up to date; the run's records are taken back to there, the death is noted, and `train` goes on from there with
 * a new engine.
 */
export async function withRestarts<M extends Module>(
  step: number,
  { driver, store, optimizer }: Restartable<M>,
  train: (from: number, synced: (step: number) => void) => Promise<void>,
): Promise<void> {
  let good = step;
  let deaths = 0;
  const synced = (at: number) => {
    if (at > good) deaths = 0;
    good = at;
  };
  for (;;) {
    try {
      return await train(good, synced);
    } catch (error) {
      if (!(error instanceof LuvitError) || error.code !== "engine-died") throw error;
      if (++deaths === MOST_DEATHS) throw giveUp(error, good);
      const reached = driver.run.latest?.step ?? good;
      driver.run.notes.push(`after step ${reached}: ${error.message}; started again from step ${good}`);
      driver.rewind(good);
      optimizer.step = good;
      await store?.rewind(good);
    }
  }
}

function giveUp(error: LuvitError, step: number): LuvitError {
  const advice = blamesMemory(error.message)
    ? ` A smaller batchSize with accumulate gives the same steps in less memory, and memory: "recompute" keeps less.`
    : "";
  const message = `${error.message}\nIt died ${MOST_DEATHS} times after step ${step}.${advice}`;
  return new LuvitError("engine-died", message, { cause: error });
}
