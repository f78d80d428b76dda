import { readFileSync } from "node:fs";

/** Signal 0 only asks whether the process exists; a refusal for lack of rights means that it does. */
export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * When a process began, in a form that only serves to tell processes of the same number apart; undefined where the system
 * does not say (only Linux does, in /proc).
 */
export function startOf(processId: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${processId}/stat`, "utf8");
    // The name, in parentheses, may hold anything; what follows are numbers, the start the twentieth.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
