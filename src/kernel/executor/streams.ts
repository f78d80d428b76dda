import type { DisplayMessage } from "../../notebook/outputs";
import { captureDisplays } from "../../notebook/tslab";
import type { CellOutputs } from "./outputs";

/** Sends what is printed and displayed to the outputs that `current` names; returns what undoes it. */
export function redirectOutput(current: () => CellOutputs | undefined): () => void {
  const original = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ["stdout", "stderr"] as const) {
    process[name].write = ((chunk: string | Uint8Array, encoding?: unknown, callback?: unknown) => {
      const outputs = current();
      if (!outputs) return Reflect.apply(original[name], process[name], [chunk, encoding, callback]);
      outputs.stream(name, typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8"));
      const done = typeof encoding === "function" ? encoding : callback;
      if (typeof done === "function") process.nextTick(done);
      return true;
    }) as typeof process.stdout.write;
  }
  const display = (message: DisplayMessage, update?: boolean) => current()?.display(message, update);
  const restoreDisplays = captureDisplays(Object.assign(display, { cell: current }));
  return () => {
    Object.assign(process.stdout, { write: original.stdout });
    Object.assign(process.stderr, { write: original.stderr });
    restoreDisplays();
  };
}
