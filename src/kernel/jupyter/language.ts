import type { CellCompiler } from "../compiler/cellCompiler";
import { documentation } from "./documentation";

/** Answers to `complete_request`; Jupyter counts code points, the compiler UTF-16 units. */
export function complete(compiler: CellCompiler, code: string, cursor: number): object {
  const { start, end, candidates, imports = [], original } = compiler.complete(code, toUnits(code, cursor));
  const kinds = new Map((original?.entries ?? []).map(({ name, kind }) => [name, kind as string]));
  const [cursor_start, cursor_end] = [toCodePoints(code, start), toCodePoints(code, end)];
  const place = { start: cursor_start, end: cursor_end };
  const _jupyter_types_experimental = [
    ...candidates.map((text) => ({
      text,
      type: kinds.get(text) ?? (original ? "<unknown>" : "path"),
      ...place,
    })),
    // JupyterLab lists the match, and inserts this text; who knows matches only inserts the name.
    ...imports.map(({ text, module }) => ({ text, type: `from ${module}`, ...place })),
  ];
  return {
    status: "ok",
    matches: [...candidates, ...imports.map(({ name }) => name)],
    cursor_start,
    cursor_end,
    metadata: { _jupyter_types_experimental },
  };
}

/** Answers to `inspect_request`: type and documentation of the name at the cursor, or of the function around it. */
export function inspect(compiler: CellCompiler, code: string, cursor: number): object {
  const info = compiler.inspect(code, toUnits(code, cursor));
  if (!info) return { status: "ok", found: false, data: {}, metadata: {} };
  return { status: "ok", found: true, data: documentation(info), metadata: {} };
}

/** Where a cursor is, in UTF-16 units. */
export function toUnits(text: string, codePoints: number): number {
  let units = 0;
  let left = codePoints;
  for (const character of text) {
    if (left-- <= 0) break;
    units += character.length;
  }
  return units;
}

/** Where a cursor is, in code points. */
export function toCodePoints(text: string, units: number): number {
  return Array.from(text.slice(0, units)).length;
}
