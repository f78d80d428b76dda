import { packageRoot } from "../../core/packageRoot";
import { installing, isNpmSpecifier } from "../packages/npmSpecifiers";
import type { Diagnostic } from "./cellCompiler";

/** Why a cell was rejected, worded by the compiler: a line of text per finding, the source below it. */
export function diagnosticLines(diagnostics: readonly Diagnostic[], source: string, cell: string): string[] {
  const lines = source.split("\n");
  const report: string[] = [];
  let above: Diagnostic | undefined;
  for (const finding of withoutRepeats(diagnostics)) {
    const { start, messageText, code, fileName } = finding;
    const detail = above !== undefined && above.start.offset === start.offset && above.fileName === fileName;
    const words = withPackageName(messageText);
    if (detail) report.push(`    ${words}`);
    else {
      const place = `${fileName ?? cell}:${start.line + 1}:${start.character + 1}`;
      report.push(`${place} - error${code === 0 ? "" : ` TS${code}`}: ${words}`);
      if (!fileName) report.push(...excerpt(lines[start.line], finding));
    }
    above = finding;
  }
  return report.concat(hints(diagnostics));
}

/** The first finding in one line. */
export function firstDiagnostic([first]: readonly Diagnostic[]): string {
  if (!first) return "";
  return `${first.start.line + 1}:${first.start.character + 1} - ${withPackageName(first.messageText)}`;
}

/** The compiler names this library by its place on the machine. */
function withPackageName(words: string): string {
  const root = `import("${packageRoot().replace(/\\/g, "/")}/dist/`;
  return words.split(`${root}index")`).join('import("luvit")').split(root).join('import("luvit/');
}

function withoutRepeats(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter(({ start, messageText, fileName }) => {
    const key = `${fileName}:${start.offset}:${messageText}`;
    return !seen.has(key) && seen.add(key);
  });
}

function excerpt(line: string | undefined, { start, end }: Diagnostic): string[] {
  if (line === undefined || line.trim() === "") return [];
  const number = String(start.line + 1);
  const last = end.line === start.line ? end.character : line.length;
  const mark = " ".repeat(start.character) + "~".repeat(Math.max(1, last - start.character));
  return [`  ${number} ${line}`, `  ${" ".repeat(number.length)} ${mark}`];
}

/** Cells are compiled with `declaration`, so that later cells know their types; this is what goes wrong then. */
const declarationCodes = (code: number) =>
  (code >= 4020 && code <= 4094) || [2527, 2742, 7056].includes(code);

/** What to do about a module that is not there. */
export function missingModule(name: string): string {
  if (/^\.{0,2}\//.test(name)) return `hint: there is no such file, seen from ${process.cwd()}`;
  if (isNpmSpecifier(name)) return "hint: `npm:` is for cells; a file names the package without it";
  const [, scheme] = /^([a-z][\w+.-]*):/.exec(name) ?? [];
  if (scheme === "node") return "hint: this version of Node has no such module";
  if (scheme !== undefined) return `hint: ${scheme}: is not read here, only npm: and node:`;
  const [scope, rest] = name.split("/");
  const wanted = scope!.startsWith("@") && rest !== undefined ? `${scope}/${rest}` : scope!;
  return `hint: the package is not installed: ${installing(wanted)}, then this cell again`;
}

/** A promise stands where the compiler expected something else. */
const unawaited =
  /(?:\bon type|\btypes|^Type|^Argument of type|^This expression is not callable[\s\S]*Type) '[^']*\bPromise<|and '[^']*\bPromise<[^']*'\.$/;

/** What is typed by habit in a notebook. */
const python = new Map([
  ["print", "`console.log(…)`"],
  ["len", "`….length`"],
  ["range", "`for (let i = 0; i < n; i++)`"],
  ["True", "`true`"],
  ["False", "`false`"],
  ["None", "`null`"],
  ["def", "`function name(…) { … }`"],
  ["elif", "`else if`"],
]);

function hints(diagnostics: readonly Diagnostic[]): string[] {
  const found: string[] = [];
  const names = diagnostics.map(
    ({ messageText }) => /^Cannot find name '(\w+)'/.exec(messageText)?.[1] ?? "",
  );
  const fixes = diagnostics.flatMap(({ fix }, index) =>
    fix === undefined || python.has(names[index]!) ? [] : [fix],
  );
  for (const fix of new Set(fixes)) found.push(`hint: ${fix}`);
  const isAwait = found.some((hint) => hint.includes("await"));
  if (!isAwait && diagnostics.some(({ messageText }) => unawaited.test(messageText)))
    found.push("hint: a promise stands where its value is wanted: `await` is missing in front of it");
  for (const name of new Set(names))
    if (python.has(name)) found.push(`hint: cells are TypeScript: ${name} of Python is ${python.get(name)}`);
  const missing = diagnostics.map(
    ({ messageText }) => /^Cannot find module '([^']+)'/.exec(messageText)?.[1],
  );
  for (const name of new Set(missing)) if (name !== undefined) found.push(missingModule(name));
  if (!diagnostics.some(({ code }) => declarationCodes(code))) return found;
  return [
    ...found,
    "hint: every declaration of a cell is exported to the cells after it, and this one's type has no name there;",
    "      give it a type of its own (`const x: any = …`), or declare the class or interface in this cell",
  ];
}
