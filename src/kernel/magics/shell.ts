import { type ChildProcess, spawn } from "node:child_process";
import { currentExecution } from "../executor/execution";
import { endTree } from "../watch/syncChildren";

/** Milliseconds after which a command that does not end by itself is killed, when its cell was ended. */
const killAfter = 2000;

/** Milliseconds that output of what a command leaves running is waited for. */
const lingerFor = 200;

const running = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of running) end(child, "SIGKILL");
});

/**
 * Runs a command in the system's shell, without input; what it writes goes to the cell as it comes. Resolves when it
 * has ended. `doubt`: why it may have been meant as TypeScript.
 */
export async function shell(command: string, doubt?: string): Promise<void> {
  const execution = currentExecution.getStore()!;
  const child = spawn(command, { shell: true, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (text: string) => execution.outputs.stream(name, text));
  }
  execution.stopped.catch(() => stop(child));
  const [code, signal] = await ended(child);
  running.delete(child);
  if (code === 0 || execution.interruption) return;
  const how = signal === null ? `exit code ${code}` : `ended by ${signal}`;
  execution.outputs.stream("stderr", `${how}${hint(command, code, doubt)}\n`);
}

function ended(child: ChildProcess): Promise<[code: number | null, signal: NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve([code, signal]));
    child.on("exit", (code, signal) => setTimeout(() => resolve([code, signal]), lingerFor));
  });
}

/** Codes of a shell that has not found a command, or not understood the line. */
const notUnderstood = [2, 127];

function hint(command: string, code: number | null, doubt: string | undefined): string {
  if (doubt === undefined || !notUnderstood.includes(code ?? 0)) return "";
  return `: \`!${command}\` was read as a command, since ${doubt}`;
}

function stop(child: ChildProcess): void {
  if (!running.has(child)) return;
  end(child, "SIGINT");
  setTimeout(() => running.has(child) && end(child, "SIGKILL"), killAfter).unref();
}

function end(child: ChildProcess, signal: "SIGINT" | "SIGKILL"): void {
  if (child.pid !== undefined) endTree(child.pid, signal);
}
