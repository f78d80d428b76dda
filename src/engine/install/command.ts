import { spawn } from "node:child_process";

export interface Finished {
  /** Exit status; undefined where the command could not be started or was stopped by a signal. */
  readonly status: number | undefined;
  /** Both output streams, in the order they came. */
  readonly output: string;
}

/**
 * Runs a command without a shell and waits for its end. `alone`: it gets the given environment and nothing of this
 * process's, whose tokens are not its business.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  {
    cwd,
    environment = {},
    alone = false,
  }: { cwd?: string; environment?: NodeJS.ProcessEnv; alone?: boolean } = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const env = alone ? environment : { ...process.env, ...environment };
    const child = spawn(command, [...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", (error) => resolve({ status: undefined, output: `${command}: ${error.message}` }));
    child.on("close", (status, signal) => {
      const ending = signal ? `${output}\nstopped by ${signal}` : output;
      resolve({ status: status ?? undefined, output: ending });
    });
  });
}

/** The last lines of a command's output, where tools say what went wrong. */
export function lastLines(output: string, count = 12): string {
  const lines = output.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  return lines
    .slice(-count)
    .map((line) => `  ${line}`)
    .join("\n");
}
