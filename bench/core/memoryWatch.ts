import { writeFileSync } from "node:fs";
import { memoryOfProcesses, processTree } from "./memory";

/** Moments of a run, in their order; of those that come again and again, the latest. */
type Moment = "before" | "first_step" | "save_begins" | "saved" | "done";

/** Resident at that moment and the most since the watch began, 1e6 bytes. */
interface Memory {
  notebook: number;
  notebook_peak: number;
  engine: number;
  engine_peak: number;
}

export type Memories = Partial<Record<Moment, Memory>>;

/** Looks at this process and, apart, at those it has started. */
export class MemoryWatch {
  readonly memories: Memories = {};

  constructor() {
    try {
      writeFileSync("/proc/self/clear_refs", "5"); // the peak counts from here
    } catch {
      // Peaks then hold what came before too.
    }
  }

  note(moment: Moment): void {
    const own = memoryOfProcesses([process.pid]);
    const engine = memoryOfProcesses(processTree(process.pid).filter((pid) => pid !== process.pid));
    this.memories[moment] = {
      notebook: own.now,
      notebook_peak: own.peak,
      engine: engine.now,
      engine_peak: engine.peak,
    };
  }
}
