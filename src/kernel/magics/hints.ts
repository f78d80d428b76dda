import type { Diagnostic } from "../compiler/cellCompiler";
import type { ReadCell } from "./find";

/** What the compiler says of a name that is not there; its numbers below this one are about syntax. */
const unknownName = 2304;

/** What to do about a finding in a line that looks like a magic and was read as TypeScript. */
export function leftHint(source: string, { found, left }: ReadCell, finding: Diagnostic): string | undefined {
  const { code, start } = finding;
  const isHere = (one: { start: number; end: number }) =>
    one.start <= start.offset && start.offset <= one.end;
  const mayBeMagic = code < 2000 || code === unknownName;
  const timed = found.find((one) => one.name === "time" && isHere(one));
  if (timed && mayBeMagic && /^\s*!/.test(source.slice(timed.argument, timed.end)))
    return "%time takes TypeScript; for a command write %%time at the top of the cell";
  const line = left.find(isHere);
  if (!line || (line.sign === "!" && !(line.within && mayBeMagic))) return undefined;
  const written = source.slice(line.start, line.end).trim();
  return line.within
    ? `${written} stands within { }, and magics stand only between the statements of a cell`
    : `${written} goes on with the expression above it: end that with ; if it is a magic`;
}
