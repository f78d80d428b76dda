import type { CellOutputs } from "../../../src/kernel/executor/outputs";

/** Outputs of a cell that write down what they are given, a text each. */
export function written(): { outputs: CellOutputs; log: string[] } {
  const log: string[] = [];
  const outputs: CellOutputs = {
    stream: (name, text) => void log.push(`${name} ${JSON.stringify(text)}`),
    display: (message, update) =>
      void log.push(`${update ? "update" : "display"} ${JSON.stringify(message)}`),
    clear: (wait) => void log.push(`clear ${wait}`),
    result: (data) => void log.push(`result ${JSON.stringify(data)}`),
    error: (failure) => void log.push(`error ${JSON.stringify(failure)}`),
    flush: () => void log.push("flush"),
  };
  return { outputs, log };
}

/** What a function writes to this process's stdout, and its value. */
export function printing<T>(act: () => T): { printed: string; value: T } {
  const { write } = process.stdout;
  let printed = "";
  process.stdout.write = ((text: string) => {
    printed += text;
    return true;
  }) as typeof write;
  try {
    const value = act();
    return { printed, value };
  } finally {
    process.stdout.write = write;
  }
}

/** What was logged since the last look. */
export function taken(log: string[]): string[] {
  return log.splice(0);
}
