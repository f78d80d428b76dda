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
  return loadedTslab()?.lastWriteDisplayData ?? shared[place] ?? undefined;
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

/**
 * Sends everything displayed to `writer`, through tslab, too, once it is loaded by `loadTslab`; returns what restores the
 * previous state. tslab brings its compiler along, which takes longer to load than all else, so that it is not loaded here.
 */
export function captureDisplays(writer: DisplayWriter): () => void {
  const previous = { tslab: loadedTslab()?.lastWriteDisplayData ?? null, shared: shared[place] };
  const give = (tslab: DisplayWriter | null, ours: DisplayWriter | null | undefined) => {
    shared[place] = ours;
    const loaded = loadedTslab();
    if (loaded) loaded.lastWriteDisplayData = tslab;
  };
  give(writer, writer);
  return () => give(previous.tslab, previous.shared);
}

/** tslab as cells import it: what they display through it goes where all they display goes. */
export function loadTslab(): unknown {
  const tslab: unknown = require("tslab");
  attachTslab();
  return tslab;
}

/** Gives tslab, if a package has loaded it, where displays go. */
export function attachTslab(): void {
  const loaded = loadedTslab();
  if (loaded) loaded.lastWriteDisplayData ??= shared[place] ?? null;
}

function loadedTslab(): TslabJupyter | undefined {
  return loadedModule("tslab/dist/jupyter") as TslabJupyter | undefined;
}

function loadedModule(name: string): unknown {
  try {
    return require.cache[require.resolve(name)]?.exports;
  } catch {
    return undefined;
  }
}
