import { SourceMap, type SourceMapPayload } from "node:module";
import { dirname, sep } from "node:path";

/** From a place in compiled code to the cell's, both counted from 1. */
export type Locate = (line: number, column: number) => { line: number; column: number } | undefined;

const inlineMap = /\/\/# sourceMappingURL=data:application\/json;base64,([\w+/=]+)\s*$/;

/** Splits the source map off the end of compiled code. */
export function splitInlineMap(code: string): { code: string; map?: SourceMap } {
  const found = inlineMap.exec(code);
  if (!found) return { code };
  return { code: code.slice(0, found.index), map: parseMap(Buffer.from(found[1]!, "base64").toString()) };
}

/** A source map from its JSON. */
export function parseMap(json: string): SourceMap {
  return new SourceMap(JSON.parse(json) as SourceMapPayload);
}

/** Makes and reads a map, as JSON, when the first place is asked for: few cells fail. */
export function lazyMap(make: () => string): Locate {
  let locate: Locate | undefined;
  return (line, column) => {
    locate ??= chain([parseMap(make())]);
    return locate(line, column);
  };
}

/** Goes back through maps, the latest compilation first. */
export function chain(maps: readonly SourceMap[]): Locate {
  return (line, column) => {
    let place = { line: line - 1, column: column - 1 };
    for (const map of maps) {
      const entry = map.findEntry(place.line, place.column) as {
        originalLine?: number;
        originalColumn?: number;
      };
      if (entry.originalLine === undefined) return undefined;
      place = { line: entry.originalLine, column: entry.originalColumn ?? 0 };
    }
    return { line: place.line + 1, column: place.column + 1 };
  };
}

/** What a script was compiled from. */
export interface Origin {
  locate: Locate;
  /** The cell's name, or the file. */
  source: string;
  text: string;
}

const located = new Map<string, Origin>();

/** Makes stacks name the lines of what the script of this name was compiled from, as written. */
export function registerMap(script: string, origin: Origin): void {
  located.set(script, origin);
}

/** What the script of this name was compiled from, if it is a cell or a local file. */
export function originOf(script: string): Origin | undefined {
  return located.get(script);
}

/** Names of the scripts of all cells and local files. */
export function mappedScripts(): string[] {
  return [...located.keys()];
}

/** Frames that a stack keeps, so that the cell is among them where a library fails deep inside. */
const deepest = 50;

/** Makes every stack of this process show cells by their own lines and end with them; returns what undoes it. */
export function mapStacks(): () => void {
  const previous = Error.prepareStackTrace;
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = Math.max(stackTraceLimit, deepest);
  Error.prepareStackTrace = (error, frames) => {
    const lines = userFrames(frames).map((frame) => `\n    at ${frameText(frame)}`);
    return `${headline(error)}${lines.join("")}`;
  };
  return () => {
    Error.prepareStackTrace = previous;
    Error.stackTraceLimit = stackTraceLimit;
  };
}

/** Where a cell is among them: without the kernel's own frames and those of who called the kernel. */
function userFrames(frames: readonly NodeJS.CallSite[]): readonly NodeJS.CallSite[] {
  const cell = frames.map((frame) => located.has(frame.getFileName() ?? "")).lastIndexOf(true);
  const kernel = frames.map(isKernelFrame).lastIndexOf(true);
  if (cell < 0) return frames;
  return frames.slice(0, kernel > cell ? kernel : undefined).filter((frame) => !isKernelFrame(frame));
}

const kernelFolder = dirname(__dirname) + sep;

/** Whether a frame is of what runs cells, which says nothing to who wrote them. */
function isKernelFrame(frame: NodeJS.CallSite): boolean {
  const file = frame.getFileName() ?? "";
  return file.startsWith(kernelFolder) || file.startsWith("luvit-kernel-") || file === "node:vm";
}

function headline(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

function frameText(frame: NodeJS.CallSite): string {
  const file = frame.getFileName();
  const text = String(frame);
  const known = file ? located.get(file) : undefined;
  const place = known?.locate(frame.getLineNumber() ?? 1, frame.getColumnNumber() ?? 1);
  if (!file || !known || !place) return text;
  const tail = /:\d+:\d+(\)?)$/.exec(text);
  if (!tail) return text;
  const head = text.slice(0, tail.index);
  const named = head.endsWith(file) ? head.slice(0, -file.length) + known.source : head;
  return `${named}:${place.line}:${place.column}${tail[1] ?? ""}`;
}
