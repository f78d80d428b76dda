import childProcess from "node:child_process";
import { readFileSync } from "node:fs";
import { kill, pid } from "node:process";
import { slot } from "../signals";

const waiting = ["spawnSync", "execSync", "execFileSync"] as const;

/** One call that waits for a process. */
export interface Wait {
  /** As `slot.wait` has it while the thread waits. */
  readonly number: number;
  /** Children that it does not wait for. */
  readonly others: readonly number[];
}

let waits = 0;

/**
 * Tells `onWait` when this thread begins to wait for a process (`execSync` and the like); `signals` say how long it does.
 * Returns what undoes it. Only where the system has /proc.
 */
export function tellWaits(signals: Int32Array, onWait: (wait: Wait) => void): () => void {
  if (process.platform !== "linux") return () => {};
  const original = { ...childProcess };
  for (const name of waiting) {
    const call = (...values: unknown[]) => {
      const number = ++waits;
      onWait({ number, others: childrenOf(pid) });
      Atomics.store(signals, slot.wait, number);
      try {
        return Reflect.apply(original[name] as (...values: unknown[]) => unknown, childProcess, values);
      } finally {
        Atomics.store(signals, slot.wait, 0);
      }
    };
    Object.assign(childProcess, { [name]: call });
  }
  return () => {
    for (const name of waiting) Object.assign(childProcess, { [name]: original[name] });
  };
}

/**
 * Sends a signal to what a thread waits for, and to its children. What the thread started after it went on was not there
 * when it still waited, and is left alone.
 */
export function endWaitedFor(
  signals: Int32Array,
  { number, others }: Wait,
  signal: "SIGINT" | "SIGKILL",
): void {
  const children = childrenOf(pid).filter((one) => !others.includes(one));
  if (Atomics.load(signals, slot.wait) !== number) return;
  for (const child of children) endTree(child, signal);
}

/** Sends a signal to a process and to what it has started. */
export function endTree(process: number, signal: "SIGINT" | "SIGKILL"): void {
  const children = childrenOf(process);
  try {
    kill(process, signal);
  } catch {
    // it has ended meanwhile
  }
  for (const child of children) endTree(child, signal);
}

/** Children that a process's main thread has started. */
function childrenOf(process: number): number[] {
  try {
    return readFileSync(`/proc/${process}/task/${process}/children`, "utf8")
      .split(" ")
      .filter((text) => text !== "")
      .map(Number);
  } catch {
    return [];
  }
}
