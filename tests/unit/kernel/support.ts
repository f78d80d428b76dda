import { Session } from "node:inspector";
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

/** Node's sessions with the inspector, that write down what they are asked. */
export function sessions(answer: (method: string, params: unknown) => unknown = () => ({})) {
  const log: string[] = [];
  const made: Session[] = [];
  const waiting: (() => void)[] = [];
  const { connectToMainThread, post, disconnect } = Session.prototype;
  const number = (session: Session) => made.indexOf(session);
  Object.assign(Session.prototype, {
    connectToMainThread(this: Session) {
      made.push(this);
      log.push(`${number(this)} connects`);
    },
    post(
      this: Session,
      method: string,
      params: unknown,
      callback: (error: Error | null, value?: unknown) => void,
    ) {
      log.push(`${number(this)} ${method}${params === undefined ? "" : ` ${JSON.stringify(params)}`}`);
      const value = answer(method, params);
      if (value instanceof Error) callback(value);
      else if (value !== undefined) callback(null, value);
      else waiting.push(() => callback(null, {}));
    },
    disconnect(this: Session) {
      log.push(`${number(this)} closes`);
    },
  });
  return {
    log,
    made,
    waiting,
    undo: () => Object.assign(Session.prototype, { connectToMainThread, post, disconnect }),
  };
}
