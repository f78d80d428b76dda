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

/** The writer of our kernel, on the global object: a notebook may import another copy of this library, and of tslab. */
const place = Symbol.for("luvit.displays.writer");
const shared = globalThis as unknown as Record<symbol, DisplayWriter | null | undefined>;

function currentWriter(): DisplayWriter | undefined {
  const loaded = loadedModule("tslab/dist/jupyter") as TslabJupyter | undefined;
  return loaded?.lastWriteDisplayData ?? shared[place] ?? undefined;
}

/** Whether tslab's kernel, or ours in its place, is ready to display. Loads nothing by itself. */
export function inNotebook(): boolean {
  return currentWriter() !== undefined;
}

/** Shows a bundle, or with `update` changes the display of the same id; call only when `inNotebook()`. */
export function sendDisplay(data: MimeBundle, id?: string, update = false): void {
  currentWriter()!({ data, metadata: metadataOf(data), transient: { display_id: id } }, update);
}

/** Something that is the same for all that one cell displays; undefined outside notebooks. */
export function displayOwner(): unknown {
  const writer = currentWriter();
  return writer?.cell?.() ?? writer;
}

/** Sends everything displayed through tslab to `writer`; returns what restores the previous state. */
export function captureDisplays(writer: DisplayWriter): () => void {
  const jupyter = require("tslab/dist/jupyter") as TslabJupyter;
  const previous = { tslab: jupyter.lastWriteDisplayData, shared: shared[place] };
  jupyter.lastWriteDisplayData = writer;
  shared[place] = writer;
  return () => {
    jupyter.lastWriteDisplayData = previous.tslab;
    shared[place] = previous.shared;
  };
}

function loadedModule(name: string): unknown {
  try {
    return require.cache[require.resolve(name)]?.exports;
  } catch {
    return undefined;
  }
}
