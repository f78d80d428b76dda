import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { main } from "../../../src/commandLine/main";

export const encoder = { imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };

/** One run of a command that trains. */
export interface TrainingByFile {
  command: "pretrain" | "finetune";
  recipe: string;
  options: object;
  /** Of the model, beside its sizes. */
  model?: object;
  /** Data beside the images in `images`. */
  data?: object;
  /** Words after the configuration. */
  words?: readonly string[];
}

let runs = 0;

/** Trains a tiny model, by default for one epoch, on `<folder>/images`, which hold two classes, as a file says. */
export async function trainByFile(folder: string, asked: TrainingByFile) {
  const { command, recipe, options, model, data, words = [] } = asked;
  const out = join(folder, `run-${++runs}`);
  const file = `${out}.json`;
  const config = {
    model: { encoder, ...(command === "pretrain" ? { decoder } : { classes: 2 }), ...model },
    data: { train: { path: "images" }, ...data },
    recipe,
    options: { epochs: 1, batchSize: 4, accumulate: 1, warmupEpochs: 0, ...options },
    engine: { engine: "eager" },
    out,
  };
  writeFileSync(file, JSON.stringify(config));
  const said: string[] = [];
  const hear = (line: string) => void said.push(line);
  const status = await main([command, "--config", file, ...words], { print: hear, complain: hear });
  return { status, out, said: said.join("\n") };
}

/** What a function is handed, whatever that is. */
export type Loose = ReturnType<typeof JSON.parse>;

/** Puts `instead` in a function's place. */
export function replaced(
  t: TestContext,
  module: object,
  name: string,
  instead: (...given: Loose[]) => unknown,
): void {
  t.mock.method(module as Record<string, () => unknown>, name, instead as never);
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type StopSignal = (typeof signals)[number];

/** What a command says of a stop is not heard, and its listeners end with the test. */
export function quietStops(t: TestContext): void {
  const heard = signals.map((name) => process.listeners(name));
  t.mock.method(process.stderr, "write", () => true);
  t.after(() => {
    for (const [i, name] of signals.entries())
      for (const listener of process.listeners(name))
        if (!heard[i].includes(listener)) process.off(name, listener);
  });
}

/** Asks this process to stop; listeners that were there `before` are not the command's, and would end the test. */
export function stopBy(signal: StopSignal, before: readonly unknown[]): void {
  for (const listener of process.listeners(signal))
    if (!before.includes(listener)) (listener as (name: string) => void)(signal);
}
