// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are texts with templates in them
import { mkdirSync, realpathSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../../../src/core/packageRoot";
import type { CompiledCell, Diagnostic } from "../../../../../src/kernel/compiler/cellCompiler";
import {
  cellMetadata,
  loadTslabTypeScript,
  throwCrash,
} from "../../../../../src/kernel/compiler/tslab/converter";
import { EditedFiles } from "../../../../../src/kernel/compiler/tslab/editedFiles";
import { editCell } from "../../../../../src/kernel/compiler/tslab/edits";
import { LibraryFiles } from "../../../../../src/kernel/compiler/tslab/libraryFiles";
import { quickInfo } from "../../../../../src/kernel/compiler/tslab/quickInfo";
import { TslabCompiler } from "../../../../../src/kernel/compiler/tslab/tslabCompiler";
import { Calls } from "../../../../support/calls";
import { temporaryFolder } from "../../../../support/temporaryFolder";

const folder = realpathSync(temporaryFolder("tslab"));
const compiler = loadTslabTypeScript();

test("what tslab's compiler gets of cells is approved", async () => {
  const calls = new Calls({ folder });
  for (const source of [
    "",
    "({ a })",
    "({ a, b: 1, c })",
    "f({ ü })",
    "let { a, b: c, d: [e], 'f': g, [h]: i, ...j } = x",
    "function f({ a: { b } }) {}",
    "export const a = 1",
    "export default 1",
    "export default class {}",
    "export function f() {}",
    "export { a }",
    "  export  let b",
    "export async function g() {}",
    "export @dec class C {}",
    "const x = await import('y')",
    "const x = await import('y');",
    "const { a } = await import('y')",
    'const { a, b: c } = await import("y")',
    "const { a = 1 } = await import('y')",
    "const { ...a } = await import('y')",
    "const { 'a-b': c } = await import('y')",
    "const { 'ab': c } = await import('y')",
    "const [a] = await import('y')",
    "const { a: { b } } = await import('y')",
    "let x = await import('y')",
    "var x = await import('y')",
    "const x: any = await import('y')",
    "const x = import('y')",
    "const x = await f('y')",
    "const x = await import(y)",
    "const x = await import(`y`)",
    "const x = await import('y'), z = 1",
    "const {\n  a,\n  b\n} = await import('y')\nnext",
    "const x =\n  await import('y')",
    "if (z) { const x = await import('y') }",
    "(await import('y')).z",
    "await a",
    "for await (const a of b) ;",
    "async () => { await a }",
    "class A { x = await b }",
    "async function f() { await a }",
    "import 'a'; import b from 'c'; import { d } from 'e'",
    "const { a } = await import('y'); ({ a })",
  ])
    await calls.does(JSON.stringify(source), () => {
      const { edited, awaits, imports } = editCell(compiler, source);
      return [edited.text, awaits, imports];
    });
  for (const source of [
    "",
    "/** @module a */",
    "/** @module b @jsx */",
    "/** @browser */",
    "/* @module c */",
    "code",
  ])
    await calls.of(cellMetadata, source);
  await calls.of(throwCrash);
  calls.note("version", compiler.version);
  calls.approve("kernel/compiler/tslabEdits");
});

test("which files tslab's compiler watches and reads is approved", async () => {
  const calls = new Calls({ folder });
  const path = join(folder, "watched.ts");
  const edited = new EditedFiles();
  const heard: unknown[] = [];
  const watcher = edited.watchFile(path, (name, kind) => void heard.push(["one", name, kind]));
  edited.watchFile(path, (name, kind) => void heard.push(["two", name, kind]));
  const step = (name: string, act: () => unknown) => {
    act();
    edited.check();
    calls.note(name, heard.splice(0));
  };
  step("nothing there", () => {});
  step("made", () => writeFileSync(path, "1"));
  step("as it was", () => {});
  step("of another length", () => writeFileSync(path, "12"));
  const rewrite = (name: string, text: string, seconds: number) => {
    writeFileSync(name, text);
    utimesSync(name, seconds, seconds);
  };
  step("of another time", () => rewrite(path, "21", 1000.25));
  step("of another part of a second", () => rewrite(path, "31", 1000.5));
  step("another file of the same length and time", () => {
    rewrite(`${path}.new`, "41", 1000.5);
    renameSync(`${path}.new`, path);
  });
  step("one is watched no longer", () => {
    watcher.close();
    writeFileSync(path, "123");
  });
  step("deleted", () => rmSync(path));
  step("still", () => {});
  const system = {
    readFile: (name: string) =>
      name.includes("none") ? undefined : `/** Docs of ${name}. */\n  /** @deprecated x */ a; /** kept */`,
    watchFile: (name: string, _: unknown, ...rest: unknown[]) => ({
      close: () => heard.push(["closed", name, ...rest]),
    }),
  };
  const libraries = new LibraryFiles();
  const wrapped = libraries.wrap(system as never);
  const paths = [
    "/x/node_modules/p/index.d.ts",
    "/x/node_modules/p/index.ts",
    "/x/own.d.ts",
    `${packageRoot()}/dist/index.d.ts`,
    `${packageRoot()}/src/a.d.ts`,
    "/x/node_modules/none.d.ts",
  ];
  for (const one of paths)
    await calls.does(`read ${one.replace(packageRoot(), "<root>")}`, () => wrapped.readFile!(one));
  const changes: unknown[] = [];
  const watched = paths.map((one) =>
    wrapped.watchFile!(one, (name, kind) => void changes.push([name, kind]), 250),
  );
  watched[0]!.close();
  watched[1]!.close();
  calls.note("closed", heard.splice(0));
  libraries.document();
  calls.note("told", changes.splice(0));
  libraries.document();
  calls.note("once", changes);
  await calls.does("read with comments", () => wrapped.readFile!(paths[0]!));
  const file = compiler.createSourceFile("q.ts", "let x = 1; f(", 9, true);
  await calls.does("quick info of nothing", () =>
    quickInfo(compiler)(
      file,
      {
        getSymbolAtLocation: () => undefined,
        getTypeAtLocation: () => undefined,
        getResolvedSignature: () => undefined,
      } as never,
      { isCancellationRequested: () => false, throwIfCancellationRequested() {} } as never,
      10,
    ),
  );
  calls.approve("kernel/compiler/tslabFiles");
});

test("cells of tslab's compiler are approved", (t) => {
  const calls = new Calls({ folder });
  mkdirSync(join(folder, "sub"), { recursive: true });
  writeFileSync(join(folder, "local.ts"), "export const one = 1;\nexport type T = { a: string };\n");
  const startedIn = process.cwd();
  process.chdir(folder);
  const made = new TslabCompiler(folder, "typescript", "declare let given: number;\n");
  t.after(() => {
    made.close(); // else a failing test would not end
    process.chdir(startedIn);
  });
  const head = /^[\s\S]*?(?=exports\.|const |let |var |function |class |$)/;
  const told = (found: CompiledCell | Diagnostic[]) => {
    if (Array.isArray(found))
      return found.map(({ start, end, messageText, code, fileName }) => [
        `${fileName ?? ""}${start.line}:${start.character}-${end.line}:${end.character}`,
        code,
        messageText,
      ]);
    const { code, awaits, imports, lastExpression, sideOutputs, locate } = found;
    const lines = code
      ?.replaceAll('typeof __luvit_stop === "object" && __luvit_stop[0] && __luvit_halt()', "CHECK")
      .replace(head, "")
      .split("\n");
    const last = (code ?? "").split("\n").length - 1;
    return [
      lines,
      awaits,
      imports,
      lastExpression,
      sideOutputs.map(({ path, source, text, data }) => [path, source, text, data.split("\n").length > 2]),
      locate(last, 1),
      locate(1, 1),
    ];
  };
  for (const source of [
    "given + 1",
    "let a: number = 3; a",
    "a + 1",
    "a = 'text'",
    "const b = { a }; b.a",
    "for (const x of [1]) { x }",
    "import { one, T } from './local'; one",
    "let t: T = { a: 1 }",
    "const { one: uno } = await import('./local'); uno",
    "function f(x: number): number { return x }\nf(2)",
    "f('x')",
    "let = 3",
    "/** @module shared */\nexport const s = 1;",
    "import { s } from './shared'; s",
    "/** @module bad */\nlet x: number = 'a';",
    "export const e = 1; e",
    "class K { m() {} } new K()",
    "",
  ]) {
    const found = made.compile(source);
    calls.note(JSON.stringify(source), told(found));
    if (!Array.isArray(found)) found.commit();
  }
  const complete = (source: string, offset = source.length) => {
    const { start, end, candidates } = made.complete(source, offset);
    return [start, end, candidates.slice(0, 5)];
  };
  for (const source of ["give", "b.", "f('./lo", "nothingAt.", "import x from './lo"])
    calls.note(`complete ${source}`, complete(source));
  for (const [source, offset] of [
    ["given", 2],
    ["f(", 2],
    ["nothing", 2],
    ["", 0],
    ["K", 1],
  ] as const) {
    const info = made.inspect(source, offset);
    calls.note(
      `inspect ${source}`,
      info && [info.kind, (info.displayParts ?? []).map((part) => part.text).join("")],
    );
  }
  for (const source of ["", "a", "a(", "`a", "/* a", "a b", "if (x) {", "let a =", "}", "a\n"])
    calls.note(`whole ${JSON.stringify(source)}`, made.completeness(source));
  const { sys } = compiler;
  const { fileExists } = sys;
  const compiled = (source: string) => {
    try {
      return told(made.compile(source));
    } catch (error) {
      return `! ${(error as Error).message}`;
    }
  };
  sys.fileExists = (path) => {
    if (path.includes("faulty")) throw new Error("a fault within the compiler");
    return fileExists(path);
  };
  writeFileSync(join(folder, "faulty.ts"), "export const f = 2;\n");
  calls.note("a fault", compiled("import { f } from './faulty'; f"));
  sys.fileExists = fileExists;
  calls.note("after it", compiled("import { f } from './faulty'; f"));
  made.moveTo(folder);
  process.chdir("sub");
  made.moveTo(join(folder, "sub"));
  for (const source of [
    "import { one as again } from '../local'; again + a",
    "t",
    "import { one } from './local'",
  ])
    calls.note(`elsewhere ${JSON.stringify(source)}`, told(made.compile(source)));
  for (const [name, place] of [
    ["there", folder],
    ["elsewhere", join(folder, "sub")],
    ["there again", folder],
  ] as const) {
    process.chdir(place);
    made.moveTo(place);
    if (name === "there") {
      const kept = made.compile('let kept: import("./local").T = { a: "" };');
      if (!Array.isArray(kept)) kept.commit();
    }
    calls.note(`${name} kept.nothing`, compiled("kept.nothing"));
  }
  calls.approve("kernel/compiler/tslabCells");
});
