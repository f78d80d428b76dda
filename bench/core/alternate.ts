import { setTimeout as pause } from "node:timers/promises";

/** One run: how long it took and what came out, a loss say. */
export interface Run {
  ms: number;
  result: number;
}

/** Somebody who can do a piece of work again and again. */
export interface Side {
  run(): Promise<Run>;
}

/** Milliseconds after which idle threads have gone to sleep: onnxruntime's were seen to spin for 35, PyTorch's for 10. */
const SPIN_OUT = 100;

/** Runs of every side in turn, so that all see the same drift of the machine; the first `warmup` are left out. */
export async function alternate(
  sides: readonly Side[],
  { warmup, steps, after }: { warmup: number; steps: number; after?: (step: number) => void },
): Promise<Run[][]> {
  const runs: Run[][] = sides.map(() => []);
  for (let step = -warmup; step < steps; step++) {
    for (const [i, side] of sides.entries()) {
      const run = await side.run();
      if (step >= 0) runs[i].push(run);
      if (sides.length > 1) await pause(SPIN_OUT);
    }
    if (step >= 0) after?.(step);
  }
  return runs;
}

/** A body as a side, timed from here. */
export function timed(body: () => Promise<number>): Side {
  return {
    async run() {
      const started = performance.now();
      const result = await body();
      return { ms: performance.now() - started, result };
    },
  };
}
