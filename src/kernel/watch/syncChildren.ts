import childProcess from "node:child_process";
import { readFileSync } from "node:fs";
import { kill, pid } from "node:process";

const waiting = ["spawnSync", "execSync", "execFileSync"] as const;

/**
 * Tells `onWait` when this thread begins to wait for a process (`execSync` and the like), with the children that are
 * none of that, and with undefined when it goes on. Returns what undoes it. Only where the system has /proc.
 */
export function tellWaits(onWait: (others: number[] | undefined) => void): () => void {
  if (process.platform !== "linux") return () => {};
  const original = { ...childProcess };
  for (const name of waiting) {
    const call = (...values: unknown[]) => {
      onWait(childrenOf(pid));
      try {
        return Reflect.apply(original[name] as (...values: unknown[]) => unknown, childProcess, values);
      } finally {
        onWait(undefined);
      }
    };
    Object.assign(childProcess, { [name]: call });
  }
  return () => {
    for (const name of waiting) Object.assign(childProcess, { [name]: original[name] });
  };
}

/** Sends a signal to what a process waits for: its children but `others`, and theirs. */
export function endWaitedFor(others: readonly number[], signal: "SIGINT" | "SIGKILL"): void {
  for (const child of childrenOf(pid).filter((one) => !others.includes(one))) endTree(child, signal);
}

function endTree(process: number, signal: "SIGINT" | "SIGKILL"): void {
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
