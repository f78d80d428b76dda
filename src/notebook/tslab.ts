import type { DisplayMessage } from "./outputs";

/** The part of tslab's display objects this library calls. */
export interface TslabDisplay {
  raw(mime: string, content: unknown): void;
}

/** Receives what cells display. */
export type DisplayWriter = (message: DisplayMessage, update?: boolean) => void;

/** The part of tslab's executor this library calls. */
export interface TslabExecutor {
  execute(source: string): Promise<boolean>;
  interrupt(): void;
  close(): void;
}

interface TslabPublic {
  display: TslabDisplay;
  newDisplay(): TslabDisplay;
}

interface TslabJupyter {
  lastWriteDisplayData: DisplayWriter | null;
}

interface TslabConsole {
  log(value: unknown): void;
  error(...values: unknown[]): void;
}

interface TslabConverters {
  node: unknown;
  browser: unknown;
  close(): void;
}

/** Whether a tslab kernel, or the runner in its place, is ready to display. Loads nothing by itself. */
export function inNotebook(): boolean {
  const loaded = loadedModule("tslab/dist/jupyter") as TslabJupyter | undefined;
  return loaded?.lastWriteDisplayData != null;
}

/** tslab's `display`; call only when `inNotebook()`. */
export function tslabDisplay(): TslabDisplay {
  return (require("tslab") as TslabPublic).display;
}

/** A display that its later calls overwrite; call only when `inNotebook()`. */
export function newTslabDisplay(): TslabDisplay {
  return (require("tslab") as TslabPublic).newDisplay();
}

/** Sends everything displayed through tslab to `writer`; returns what restores the previous state. */
export function captureDisplays(writer: DisplayWriter): () => void {
  const jupyter = require("tslab/dist/jupyter") as TslabJupyter;
  const previous = jupyter.lastWriteDisplayData;
  jupyter.lastWriteDisplayData = writer;
  return () => {
    jupyter.lastWriteDisplayData = previous;
  };
}

/** tslab's executor for the current folder: type-checks, compiles and runs one cell after the other. */
export function createTslabExecutor(
  folder: string,
  language: "typescript" | "javascript",
  console: TslabConsole,
): TslabExecutor {
  const { createConverter } = require("tslab/dist/converter") as {
    createConverter(options?: { isJS?: boolean; isBrowser?: boolean }): { close(): void };
  };
  const { createExecutor } = require("tslab/dist/executor") as {
    createExecutor(root: string, converters: TslabConverters, console: TslabConsole): TslabExecutor;
  };
  const node = createConverter({ isJS: language === "javascript" });
  return createExecutor(folder, { node, browser: node, close: () => node.close() }, console);
}

function loadedModule(name: string): unknown {
  try {
    return require.cache[require.resolve(name)]?.exports;
  } catch {
    return undefined;
  }
}
