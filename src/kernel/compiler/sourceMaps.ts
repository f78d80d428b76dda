import { SourceMap, type SourceMapPayload } from "node:module";

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

const located = new Map<string, Locate>();

/** Makes stacks name the lines of a cell as written. */
export function registerMap(file: string, locate: Locate): void {
  located.set(file, locate);
}

/** Makes every stack of this process show cells by their own lines; returns what undoes it. */
export function mapStacks(): () => void {
  const previous = Error.prepareStackTrace;
  Error.prepareStackTrace = (error, frames) => {
    const lines = frames.map((frame) => `\n    at ${frameText(frame)}`);
    return `${headline(error)}${lines.join("")}`;
  };
  return () => {
    Error.prepareStackTrace = previous;
  };
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
  const locate = file ? located.get(file) : undefined;
  const place = locate?.(frame.getLineNumber() ?? 1, frame.getColumnNumber() ?? 1);
  if (!place) return text;
  return text.replace(/:\d+:\d+(\)?)$/, `:${place.line}:${place.column}$1`);
}
