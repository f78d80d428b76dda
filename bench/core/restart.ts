import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../src/core/packageRoot";
import { KernelProcess, Unanswered } from "./kernelProcess";
import { memoryOfTree } from "./memory";

/** What starting, using and ending one kernel after the other came to. */
export interface Restarted {
  /** From the start of a process to the reply to its first cell, milliseconds. */
  start_ms: number[];
  /** Resident when its cells had run, 1e6 bytes. */
  memory_mb: number[];
  /** Kernels that gave no answer, or did not end when they were asked to. */
  hangs: number;
  /** Processes that were still there when all kernels had ended; undefined where they cannot be told. */
  left_processes: number[] | undefined;
  /** What lay in the folder for temporary files. */
  left_files: string[];
}

/** A declaration, a module, a child that ends, and a use of the first two. */
const cells = [
  "const squares = [1, 2, 3].map((x) => x * x);",
  'import { tmpdir } from "node:os";\ntmpdir()',
  "!node -p 1+1",
  "squares.length + tmpdir().length",
];

/** Milliseconds that what a kernel had started has to be gone after it. */
const grace = 3000;

/** Starts a kernel, runs cells, ends it, as often as asked: every other one is killed instead of shut down. */
export async function restart(times: number): Promise<Restarted> {
  const folder = mkdtempSync(join(tmpdir(), "luvit-restarts-"));
  const env = { ...process.env, TMPDIR: folder, TEMP: folder, TMP: folder };
  const done: Restarted = { start_ms: [], memory_mb: [], hangs: 0, left_processes: [], left_files: [] };
  try {
    for (let time = 0; time < times; time++) {
      await once(done, folder, env, time % 2 === 1).catch((error: unknown) => {
        if (!(error instanceof Unanswered)) throw error;
        done.hangs++;
      });
    }
    for (const until = Date.now() + grace; Date.now() < until; ) {
      done.left_processes = processesWith(folder);
      if (!done.left_processes?.length) break;
      await new Promise((later) => setTimeout(later, 50));
    }
    done.left_files = readdirSync(folder);
    return done;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function once(done: Restarted, folder: string, env: NodeJS.ProcessEnv, kill: boolean): Promise<void> {
  const started = performance.now();
  const kernel = await KernelProcess.start([join(packageRoot(), "dist", "kernel", "main.js")], folder, env);
  await kernel.run("1 + 1");
  done.start_ms.push(performance.now() - started);
  for (const cell of cells) await kernel.run(cell);
  done.memory_mb.push(memoryOfTree(kernel.pid).now);
  await (kill ? kernel.kill() : kernel.shutdown());
}

/** Processes whose environment names this folder. */
function processesWith(folder: string): number[] | undefined {
  if (process.platform !== "linux") return undefined;
  const ids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return ids.filter((id) => {
    try {
      return readFileSync(`/proc/${id}/environ`, "utf8").includes(folder);
    } catch {
      return false; // it has ended, or is another user's
    }
  });
}
