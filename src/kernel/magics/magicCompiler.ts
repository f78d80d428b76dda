import type * as ts from "typescript";
import type {
  CellCompiler,
  CompiledCell,
  Completeness,
  Completion,
  Diagnostic,
} from "../compiler/cellCompiler";
import { moduleName } from "../compiler/live/moduleCells";
import { EditedText, positionOf } from "../compiler/textEdits";
import { loadTypeScript } from "../compiler/typescript";
import { npmEdits } from "../packages/npmEdits";
import { completeMagic } from "./completeMagic";
import { type FoundMagic, findMagics, mayHaveMagics, type ReadCell } from "./find";
import { leftHint } from "./hints";
import { reservedNames } from "./reserved";
import { actionsName, rewrite } from "./rewrite";
import { magicOf } from "./table";

/** A cell whose magics have become TypeScript. */
interface Prepared {
  edited: EditedText;
  problems: Diagnostic[];
  cell: ReadCell;
  /** The cell without its magics, and with what may still be going on behind `%time`. */
  open: string;
}

/**
 * Gives a compiler cells without magics and `npm:` specifiers, and tells its places as those of the cells as written.
 */
export class MagicCompiler implements CellCompiler {
  /** `isKnown`: whether a name has a value that cells see. */
  constructor(
    private readonly inner: CellCompiler,
    private readonly isKnown: (name: string) => boolean,
  ) {}

  compile(source: string): CompiledCell | Diagnostic[] {
    const prepared = this.prepare(source);
    if (!prepared) return this.inner.compile(source);
    const { edited, problems } = prepared;
    if (problems.length > 0) return problems;
    const compiled = this.inner.compile(edited.text);
    if (Array.isArray(compiled)) return compiled.map((finding) => asWritten(finding, prepared));
    const { locate } = compiled;
    return {
      ...compiled,
      locate: (line, column) => {
        const place = locate(line, column);
        return place && edited.locate(place);
      },
    };
  }

  complete(source: string, offset: number): Completion {
    const prepared = this.prepare(source);
    const magic = prepared && magicAt(prepared, offset);
    const own = magic && completeMagic(source, offset, magic);
    if (own) return own;
    // A name behind `!` may become an expression.
    const edited = magic || !prepared ? new EditedText(source, []) : prepared.edited;
    const found = this.inner.complete(edited.text, edited.edited(offset));
    const [start, end] = [edited.original(found.start), edited.original(found.end)];
    return { ...found, start, end, candidates: found.candidates.filter((name) => name !== actionsName) };
  }

  inspect(source: string, offset: number): ts.QuickInfo | undefined {
    const prepared = this.prepare(source);
    if (!prepared) return this.inner.inspect(source, offset);
    const magic = magicAt(prepared, offset);
    if (!magic) return this.inner.inspect(prepared.edited.text, prepared.edited.edited(offset));
    const known = magicOf(`${magic.sign}${magic.name}`);
    return (
      known && {
        kind: loadTypeScript().ScriptElementKind.keyword,
        kindModifiers: "",
        textSpan: { start: magic.start, length: magic.argument - magic.start },
        displayParts: [{ text: known.usage, kind: "text" }],
        documentation: [{ text: known.help, kind: "text" }],
      }
    );
  }

  completeness(source: string): Completeness {
    const prepared = this.prepare(source);
    if (!prepared) return this.inner.completeness(source);
    const last = prepared.cell.found.at(-1);
    const isOpen =
      last?.name === "sh" ? !/\n\s*$/.test(source) : /^%%\w+\s*$|^!.*\\\s*$/m.test(lastLine(source));
    if (last && isOpen) return { status: "incomplete", indent: "" };
    return this.inner.completeness(prepared.open);
  }

  moveTo(folder: string): void {
    this.inner.moveTo(folder);
  }

  close(): void {
    this.inner.close();
  }

  private prepare(source: string): Prepared | undefined {
    if (!mayHaveMagics(source) && !/npm:|__luvit_/.test(source)) return undefined;
    const compiler = loadTypeScript();
    const cell = findMagics(compiler, source, this.isKnown);
    const { edits, problems } = rewrite(compiler, source, cell);
    const named = npmEdits(compiler, source, cell.rest);
    edits.push(...named.edits);
    problems.push(...named.problems, ...reservedNames(compiler, source, cell.rest));
    const [first] = cell.found;
    if (first && moduleName(source) !== undefined)
      problems.unshift(refusal(source, first, "a cell that is a module for others has no magics"));
    return { edited: new EditedText(source, edits), problems, cell, open: cell.rest.text };
  }
}

/** The magic that a place belongs to; the code behind `%time` is no part of it. */
function magicAt({ cell }: Prepared, offset: number): FoundMagic | undefined {
  return cell.found.find(({ sign, name, start, argument, end }) => {
    const isCode = sign === "%" && name === "time";
    return offset > start - 1 && (isCode ? offset <= argument : offset <= end || name === "sh");
  });
}

function asWritten(finding: Diagnostic, { edited, cell }: Prepared): Diagnostic {
  if (finding.fileName) return finding;
  const moved = { ...finding, start: edited.position(finding.start), end: edited.position(finding.end) };
  const fix = leftHint(edited.source, cell, moved);
  return fix === undefined ? moved : { ...moved, fix };
}

function refusal(source: string, { start, argument }: FoundMagic, messageText: string): Diagnostic {
  return { start: positionOf(source, start), end: positionOf(source, argument), messageText, code: 0 };
}

const lastLine = (source: string) => source.slice(source.lastIndexOf("\n") + 1);
