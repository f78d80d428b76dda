import { readFileSync } from "node:fs";
import { processTree } from "./memory";

/** Ticks of a second in /proc, on every Linux there is. */
const TICKS = 100;

/** Seconds of processor time that a process and all it started have had; NaN where there is no /proc. */
export function processorTimeOfTree(root: number): number {
  if (process.platform !== "linux") return Number.NaN;
  return processTree(root).reduce((sum, pid) => sum + processorTime(pid), 0);
}

/** Seconds; 0 for a process that has ended. */
function processorTime(pid: number): number {
  try {
    // The second field is the program's name in brackets, which may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return 0;
  }
}
