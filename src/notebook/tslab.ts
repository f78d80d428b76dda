import type { DisplayMessage } from "./outputs";

/** The part of tslab's display objects this library calls. */
export interface TslabDisplay {
  raw(mime: string, content: unknown): void;
}

/** Receives what cells display. */
export type DisplayWriter = (message: DisplayMessage, update?: boolean) => void;

interface TslabPublic {
  display: TslabDisplay;
  newDisplay(): TslabDisplay;
}

interface TslabJupyter {
  lastWriteDisplayData: DisplayWriter | null;
}

/** Whether tslab's kernel, or ours in its place, is ready to display. Loads nothing by itself. */
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

function loadedModule(name: string): unknown {
  try {
    return require.cache[require.resolve(name)]?.exports;
  } catch {
    return undefined;
  }
}
