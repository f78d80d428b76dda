import { metadataOf } from "./mime";
import type { MimeBundle } from "./nbformat";
import type { DisplayMessage } from "./outputs";

/** Receives what cells display. */
export interface DisplayWriter {
  (message: DisplayMessage, update?: boolean): void;
  /** Tells which cell displays now; tslab has a writer per cell instead. */
  cell?: () => unknown;
}

interface TslabJupyter {
  lastWriteDisplayData: DisplayWriter | null;
}

/** Whether tslab's kernel, or ours in its place, is ready to display. Loads nothing by itself. */
export function inNotebook(): boolean {
  const loaded = loadedModule("tslab/dist/jupyter") as TslabJupyter | undefined;
  return loaded?.lastWriteDisplayData != null;
}

/** Shows a bundle, or with `update` changes the display of the same id; call only when `inNotebook()`. */
export function sendDisplay(data: MimeBundle, id?: string, update = false): void {
  const { lastWriteDisplayData } = loadedModule("tslab/dist/jupyter") as TslabJupyter;
  lastWriteDisplayData!({ data, metadata: metadataOf(data), transient: { display_id: id } }, update);
}

/** Something that is the same for all that one cell displays; undefined outside notebooks. */
export function displayOwner(): unknown {
  const writer = (loadedModule("tslab/dist/jupyter") as TslabJupyter | undefined)?.lastWriteDisplayData;
  return writer?.cell?.() ?? writer ?? undefined;
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
