import { readdirSync, readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { memoryOf } from "../../src/engine/process/memory";

/** Megabytes (1e6 bytes) of a process and everything it started. */
export interface TreeMemory {
  /** Sum of the peaks each process reached; they need not have come at the same time. */
  peak: number;
  now: number;
}

/** Processes at and below `except` are left out. Where there is no /proc: what this process knows of itself. */
export function memoryOfTree(root: number, except: readonly number[] = []): TreeMemory {
  return memoryOfProcesses(processTree(root, except));
}

/** Cheap enough for every step: it leaves little for this process's own garbage collector. */
export function memoryOfProcesses(pids: readonly number[]): TreeMemory {
  if (process.platform !== "linux") {
    return { peak: process.resourceUsage().maxRSS / 1e3, now: process.memoryUsage.rss() / 1e6 };
  }
  const sum = { peak: 0, now: 0 };
  for (const pid of pids) {
    const { peak = 0, resident = 0 } = memoryOf(pid) ?? {};
    sum.peak += peak / 1e6;
    sum.now += resident / 1e6;
  }
  return sum;
}

/** A process and all that it started, directly or not. */
export function processTree(root: number, except: readonly number[] = []): number[] {
  if (process.platform !== "linux") return [root];
  const children = new Map<number, number[]>();
  for (const pid of readdirSync("/proc").map(Number).filter(Number.isInteger)) {
    const parent = parentOf(pid);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found: number[] = [];
  const visit = (pid: number) => {
    if (except.includes(pid)) return;
    found.push(pid);
    for (const child of children.get(pid) ?? []) visit(child);
  };
  visit(root);
  return found;
}

/** NaN for a process that has ended. */
function parentOf(pid: number): number {
  try {
    // The second field is the program's name in brackets, which may hold anything.
    return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[1]);
  } catch {
    return Number.NaN;
  }
}

let collect: (() => void) | undefined;

/** Lets go of what nobody uses any more, so that a large model's weights do not pile up while they are handed over. */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
}
