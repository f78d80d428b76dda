import { readdirSync, readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Megabytes (1e6 bytes) of a process and everything it started, but the processes of `except`. */
export interface ProcessMemory {
  /** Sum of the peaks each process reached; they need not have come at the same time. */
  peak: number;
  now: number;
}

/** Linux only; elsewhere what this process knows of itself. */
export function memoryOf(root: number, except: readonly number[] = []): ProcessMemory {
  if (process.platform !== "linux") {
    return { peak: process.resourceUsage().maxRSS / 1e3, now: process.memoryUsage.rss() / 1e6 };
  }
  const sum = { peak: 0, now: 0 };
  for (const pid of withDescendants(root, new Set(except))) {
    const status = readStatus(pid);
    sum.peak += megabytes(status, "VmHWM");
    sum.now += megabytes(status, "VmRSS");
  }
  return sum;
}

function withDescendants(root: number, except: ReadonlySet<number>): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const parent = Number(/^PPid:\s+(\d+)$/m.exec(readStatus(Number(name)))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const visit = (pid: number) => {
    if (except.has(pid)) return;
    found.push(pid);
    for (const child of children.get(pid) ?? []) visit(child);
  };
  visit(root);
  return found;
}

/** Empty for a process that has ended. */
function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

function megabytes(status: string, field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  return (Number(kibibytes ?? 0) * 1024) / 1e6;
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
