// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are texts with templates in them
import { chmodSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isCaught } from "../../../../src/kernel/compiler/catching";
import type { Diagnostic } from "../../../../src/kernel/compiler/cellCompiler";
import { keepCode, requireCached } from "../../../../src/kernel/compiler/codeCache";
import { compilerNames, createCompiler } from "../../../../src/kernel/compiler/createCompiler";
import { declaredNames } from "../../../../src/kernel/compiler/declaredNames";
import { diagnosticLines, firstDiagnostic, missingModule } from "../../../../src/kernel/compiler/diagnostics";
import {
  bodyOf,
  firstCode,
  instrument,
  keepImportsWritable,
  names,
} from "../../../../src/kernel/compiler/instrument";
import { installedAbove, providePackages } from "../../../../src/kernel/compiler/packages";
import { completePath, namesFrom } from "../../../../src/kernel/compiler/paths";
import { signatureInfo } from "../../../../src/kernel/compiler/signatures";
import {
  chain,
  lazyMap,
  mappedScripts,
  mapStacks,
  originOf,
  parseMap,
  registerMap,
  splitInlineMap,
} from "../../../../src/kernel/compiler/sourceMaps";
import { EditedText, positionOf } from "../../../../src/kernel/compiler/textEdits";
import {
  librariesFolder,
  loadTypeScript,
  ownTypesFolder,
  typescriptVersion,
} from "../../../../src/kernel/compiler/typescript";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";

const compiler = loadTypeScript();
const parse = (source: string, name = "cell.ts") =>
  compiler.createSourceFile(name, source, compiler.ScriptTarget.ES2022, true);
const folder = realpathSync(temporaryFolder("compiler"));

test("where edited texts come from is approved", async () => {
  const calls = new Calls();
  const source = "ab\nçdé\r\nfg𝒳h\n";
  const texts: [string, EditedText][] = [
    ["no edits", new EditedText(source, [])],
    [
      "insertions",
      new EditedText(source, [
        { at: 5, remove: 0, insert: "XY\nZ" },
        { at: 0, remove: 0, insert: "(" },
        { at: 5, remove: 0, insert: "!" },
      ]),
    ],
    [
      "removals",
      new EditedText(source, [
        { at: 1, remove: 3, insert: "" },
        { at: 8, remove: 2, insert: "" },
      ]),
    ],
    [
      "replacements",
      new EditedText(source, [
        { at: 3, remove: 2, insert: "LONGER" },
        { at: 9, remove: 3, insert: "s" },
      ]),
    ],
    [
      "from elsewhere",
      new EditedText(source, [
        { at: 4, remove: 0, insert: "mm", from: 12 },
        { at: 14, remove: 0, insert: "end", from: 0 },
      ]),
    ],
    ["at the end", new EditedText(source, [{ at: source.length, remove: 0, insert: ";" }])],
    ["of nothing", new EditedText("", [{ at: 0, remove: 0, insert: "a\n" }])],
  ];
  for (const [name, text] of texts) {
    calls.note(name, text.text);
    calls.note(
      "  original",
      Array.from({ length: text.text.length + 2 }, (_, at) => text.original(at)).join(" "),
    );
    calls.note(
      "  edited",
      Array.from({ length: text.source.length + 2 }, (_, at) => text.edited(at)).join(" "),
    );
    calls.note(
      "  positions",
      [0, 3, 6, 10, 40].map((offset) =>
        Object.values(text.position({ offset, line: 0, character: 0 })).join(":"),
      ),
    );
    calls.note(
      "  located",
      [
        [1, 1],
        [1, 4],
        [2, 1],
        [2, 3],
        [3, 2],
        [9, 1],
        [1, 99],
      ].map(([line, column]) => Object.values(text.locate({ line, column })).join(":")),
    );
  }
  for (const offset of [-1, 0, 1, 2, 3, 6, 7, 8, 13, 99]) await calls.of(positionOf, source, offset);
  calls.approve("kernel/compiler/textEdits");
});

test("completed paths are approved", async () => {
  const home = join(folder, "paths");
  for (const one of ["sub/inner", "sub two", ".dot"]) mkdirSync(join(home, one), { recursive: true });
  for (const one of [
    "a.ts",
    "a.tsx",
    "a.d.ts",
    "b.js",
    "c.csv",
    "ü.txt",
    "sub/x.ts",
    "sub/y.json",
    "q'uote",
    'd"q',
    "back\\slash",
    "new\nline",
    "temp${x}",
    "$ok",
  ])
    writeFileSync(join(home, one), "");
  const calls = new Calls({ folder: home });
  for (const typed of [
    "",
    "a",
    "sub",
    "sub/",
    "sub/x",
    ".",
    "./",
    "../paths/s",
    "nowhere/",
    "c.csv/",
    `${home}/`,
    "ü",
    "$",
    "/nowhere/x",
  ])
    for (const isModule of [false, true]) await calls.of(namesFrom, home, typed, isModule);
  const many = join(folder, "many");
  mkdirSync(many);
  for (let i = 0; i < 503; i++) writeFileSync(join(many, `f${1000 + i}`), "");
  await calls.does("of many", () => [namesFrom(many, "", false).length, namesFrom(many, "", false).at(-1)]);
  for (const one of [
    "f('|')",
    "f('|",
    "f(`|`)",
    "f('su|b/x.ts')",
    "f('sub/|x.ts')",
    "f('sub/x|')",
    'import a from "|"',
    'import a from "./|"',
    'import a from "./su|"',
    'import a from "../|"',
    'export * from "./sub/|"',
    "await import('./|')",
    "|'a'",
    "'a'|",
    "'a|'",
    "f(|)",
    "`${'|'}`",
    "`${|}`",
    "`a|${b}`",
    "let s = 'a|\nlet t = 2",
    "'\\|'",
    "type T = 'a|'",
    "",
  ])
    await calls.does(JSON.stringify(one), () =>
      completePath(compiler, home, one.replace("|", ""), Math.max(0, one.indexOf("|"))),
    );
  calls.approve("kernel/compiler/paths");
});

test("diagnostics in words are approved", async () => {
  const calls = new Calls({ folder });
  const startedIn = process.cwd();
  process.chdir(folder);
  const source = "let a = b;\n  call(\n    1,\n  );\n\n\tç𝒳 = 2";
  const finding = (
    from: number,
    to: number,
    messageText: string,
    code: number,
    more: Partial<Diagnostic> = {},
  ): Diagnostic => ({
    start: positionOf(source, from),
    end: positionOf(source, to),
    messageText,
    code,
    ...more,
  });
  const tables: Record<string, Diagnostic[]> = {
    none: [],
    one: [finding(8, 9, "Cannot find name 'b'.", 2304)],
    kernel: [finding(4, 5, "no magic", 0)],
    "of no length": [finding(8, 8, "Expected.", 1005)],
    "over lines": [finding(13, 27, "Wrong call.", 2554)],
    "over lines to a shorter one": [finding(15, 30, "Wrong call.", 2554)],
    "on an empty line": [finding(31, 31, "Nothing.", 1)],
    "behind a tab": [finding(32, 35, "What.", 2)],
    "behind the end": [
      {
        start: { offset: 99, line: 9, character: 0 },
        end: { offset: 99, line: 9, character: 0 },
        messageText: "End.",
        code: 3,
      },
    ],
    chain: [
      finding(4, 5, "Type 'x' is not assignable.", 2322),
      finding(4, 5, "Types of 'y' differ.", 2326),
      finding(4, 5, "Types of 'y' differ.", 2326),
      finding(8, 9, "Other.", 5),
    ],
    file: [
      finding(4, 5, "In a file.", 2322, { fileName: "./local.ts" }),
      finding(4, 5, "Here.", 2322),
      finding(4, 5, "And there.", 1, { fileName: "./local.ts" }),
    ],
    fixes: [
      finding(4, 5, "One.", 1, { fix: "do this" }),
      finding(8, 9, "Two.", 1, { fix: "do this" }),
      finding(11, 13, "Three.", 1, { fix: "do that" }),
    ],
    await: [finding(4, 5, "Property 'x' does not exist on type 'Promise<number>'.", 2339)],
    "await said": [
      finding(4, 5, "Property 'x' does not exist on type 'Promise<number>'.", 2339, {
        fix: "write `await a`",
      }),
    ],
    "await in an argument": [
      finding(
        4,
        5,
        "Argument of type 'Promise<string>' is not assignable to parameter of type 'string'.",
        2345,
      ),
    ],
    "await in a type": [finding(4, 5, "Type 'Promise<number>' is not assignable to type 'number'.", 2322)],
    "await in types": [
      finding(4, 5, "Operator '+' cannot be applied to types 'Promise<number>' and 'number'.", 2365),
    ],
    "await in the second": [
      finding(4, 5, "Operator '+' cannot be applied to types 'number' and 'Promise<number>'.", 2365),
    ],
    "await in a call": [
      finding(
        4,
        5,
        "This expression is not callable.\n  Type 'Promise<() => void>' has no call signatures.",
        2349,
      ),
    ],
    "no await": [finding(4, 5, "Type 'number' is not assignable to type 'Promise<number>'.", 2322)],
    missing: [
      finding(4, 5, "Cannot find module './x' or its corresponding type declarations.", 2307),
      finding(8, 9, "Cannot find module 'pack/y'", 2307),
      finding(8, 10, "Cannot find module 'pack/y'", 2307),
    ],
    declarations: [finding(4, 5, "Exported variable 'a' has or is using private name 'T'.", 4025)],
    library: [
      finding(
        4,
        5,
        `Type 'import("${process.cwd()}/x").A' and 'import("${require("../../../../src/core/packageRoot").packageRoot()}/dist/index").B', 'import("${require("../../../../src/core/packageRoot").packageRoot()}/dist/nn/layer").C'`,
        2322,
      ),
    ],
  };
  for (const word of ["print", "len", "range", "True", "False", "None", "def", "elif", "Print"])
    tables[`python ${word}`] = [
      finding(4, 5, `Cannot find name '${word}'.`, 2304, { fix: "write an import" }),
      finding(6, 7, `Cannot find name '${word}'. Did you mean 'x'?`, 2552),
    ];
  for (const code of [4019, 4020, 4094, 4095, 2527, 2742, 7056, 2526])
    tables[`code ${code}`] = [finding(0, 3, "Declared.", code)];
  for (const [name, list] of Object.entries(tables)) {
    calls.title(name);
    for (const line of diagnosticLines(list, source, "cell [3]"))
      calls.lines.push(`  ${line.replaceAll(folder, "<folder>")}`);
    calls.note("  first", firstDiagnostic(list));
  }
  await calls.does("text without a line", () => diagnosticLines([finding(4, 5, "x", 1)], "", "cell [1]"));
  for (const name of [
    "./x",
    "../x",
    "/x",
    ".x",
    "pack",
    "pack/sub",
    "@scope/pack",
    "@scope/pack/sub",
    "@scope",
    "npm:x",
    "https://x.org/y",
    "jsr:@a/b",
    "file:///x",
    "node:nothing",
    "Up:x",
    "a:",
    "",
  ])
    await calls.of(missingModule, name);
  process.chdir(startedIn);
  calls.approve("kernel/compiler/diagnostics");
});

test("what is read of a cell's syntax is approved", async () => {
  const calls = new Calls();
  for (const source of [
    "",
    "let a",
    "const a = 1, b = 2; var c",
    "let { a, b: c, d: { e }, ...f } = x; let [g, , [h = 1], ...i] = y",
    "function f() { let x }",
    "class A {}",
    "{ let z }",
    "export const k = 1",
    "for (let i of j) {}",
    "let ü, $_, 𝒳",
  ])
    await calls.of(declaredNames, source);
  const text =
    "try {\n  f();\n  const g = () => { h(); };\n  try { i(); } finally { j(); }\n} catch { k(); } finally { l(); }\nm();\ntry { n() } finally {}";
  for (const [line, column] of [
    [1, 1],
    [2, 3],
    [3, 20],
    [3, 8],
    [4, 9],
    [4, 25],
    [5, 11],
    [5, 26],
    [6, 1],
    [7, 7],
    [9, 1],
    [0, 1],
    [2, 1],
    [1, 5],
    [5, 1],
  ])
    await calls.does(`caught ${line}:${column}`, () => isCaught(compiler, text, line!, column!));
  await calls.does("caught in a function", () =>
    isCaught(compiler, "async () => { try { await x; } catch {} }", 1, 22),
  );
  await calls.does("caught in a method that is called within", () =>
    isCaught(compiler, "try { class A { m() { x; } } } catch {}", 1, 23),
  );
  calls.note("names", names);
  const made = (source: string, name = "cell.ts") =>
    compiler
      .transpileModule(source, {
        fileName: name,
        compilerOptions: { target: 9, module: 1 },
        transformers: { before: [instrument(compiler)], after: [keepImportsWritable(compiler)] },
      })
      .outputText.split("\n");
  for (const source of [
    "while (a) b();",
    "do { b() } while (a)",
    "for (;;);",
    "for (const x of y) { 'use strict'; z }",
    "for (k in o) k;",
    "for await (const x of y) x;",
    "function f() { 'use strict'; 'other'; a }",
    "function f() {}",
    "const f = () => 1;",
    "const f = x => ({ x });",
    "class A { m() { 1 } get g() { return 2 } set s(v) { 3 } constructor() { 4 } static { 5 } f = () => 6; *g2() { yield }; async h() { await 7 } }",
    "if (a) b(); else { c() }",
    "x.import(1); await import('y'); import(z, {})",
    "import { a } from 'b'; a; export { c } from 'd'; export const e = 1",
    "Object.defineProperty(exports, 'x', {}); Object.defineProperty(other, 'x', {}); defineProperty(exports)",
    "label: while (1) { continue label }",
    "while (a) while (b) c",
  ])
    await calls.does(JSON.stringify(source), () => made(source));
  const bodies: string[] = [];
  const visit = (node: import("typescript").Node): void => {
    const owner = node.parent && bodyOf(compiler, node);
    if (owner) bodies.push(`${owner}: ${node.getText()}`);
    node.forEachChild(visit);
  };
  visit(
    parse(
      "while (a) b; for (const x of (() => y)()) { z } do c; while (d); function f(e = () => g) { h } class A { m() {} n(): void }",
    ),
  );
  calls.note("bodies", bodies);
  for (const source of ["", "'use strict'", "'use strict'; a", "a; 'b'", "`x`; y", "'a'\n+ 'b'", "('a')"])
    await calls.does(`first code of ${source}`, () =>
      firstCode(compiler, parse(source).statements)?.getText(),
    );
  const file = parse(
    "declare function over(a: number, b?: string): void; declare function over(c: string): string; class K<T> { constructor(x: T) {} }\nover(1, ); new K(); over",
    "sig.ts",
  );
  const program = (options = {}) => {
    const host = {
      ...compiler.createCompilerHost({}),
      getSourceFile: (name: string) => (name === "sig.ts" ? file : undefined),
    };
    return compiler.createProgram({ rootNames: ["sig.ts"], options: { noLib: true, ...options }, host });
  };
  const made2 = program();
  made2.getTypeChecker();
  for (const at of [
    file.text.indexOf("over(1") + 5,
    file.text.indexOf("over(1") + 7,
    file.text.indexOf("K()") + 2,
    file.text.length,
    3,
  ]) {
    const heard: string[] = [];
    await calls.once(`signature at ${at}`, () => {
      const info = signatureInfo(
        compiler,
        made2,
        file,
        at,
        { isCancellationRequested: () => false, throwIfCancellationRequested() {} } as never,
        (call) => void heard.push(call.getText()),
      );
      return info && [info.kind, info.textSpan, info.displayParts?.map((one) => one.text).join("|")];
    });
    calls.note("  heard of", heard);
  }
  calls.approve("kernel/compiler/syntax");
});

test("places in compiled code are approved", async () => {
  const calls = new Calls();
  const map = (mappings: string) => JSON.stringify({ version: 3, sources: ["a"], names: [], mappings });
  const first = parseMap(map(";AAAA,IAAI;AACA"));
  const second = parseMap(map(";;AACA,EAAE"));
  const places = [
    [1, 1],
    [2, 1],
    [2, 4],
    [2, 5],
    [2, 6],
    [3, 1],
    [3, 3],
    [9, 9],
  ];
  const all = (locate: ReturnType<typeof chain>) =>
    places.map(([line, column]) => Object.values(locate(line!, column!) ?? { none: "-" }).join(":"));
  await calls.does("one", () => all(chain([first])));
  await calls.does("two", () => all(chain([second, first])));
  await calls.does("none", () => all(chain([])));
  let made = 0;
  const lazy = lazyMap(() => {
    made++;
    return map(";AAAA,IAAI;AACA");
  });
  calls.note("made", made);
  await calls.does("lazy", () => all(lazy));
  calls.note("made", made);
  const inline = `code;\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(map("AAAA")).toString("base64")}`;
  for (const code of ["code", inline, `${inline}\n`, `${inline}\nmore`, ""])
    await calls.does(`split ${code.length}`, () => {
      const found = splitInlineMap(code);
      return [found.code, found.map?.findEntry(0, 0)];
    });
  const origin = {
    locate: (line: number, column: number) =>
      line > 2 ? undefined : { line: line + 100, column: column + 200 },
    source: "the cell",
    text: "text",
  };
  const undo = mapStacks();
  registerMap("luvit approved cell", origin);
  await calls.of(originOf, "luvit approved cell");
  await calls.of(originOf, "another");
  calls.note("named", mappedScripts().includes("luvit approved cell"));
  const { compileFunction } = require("node:vm") as typeof import("node:vm");
  const run = (code: string) => {
    try {
      compileFunction(code, ["call"], { filename: "luvit approved cell" })((act: () => void) => act());
      return "nothing";
    } catch (error) {
      return (error as Error)
        .stack!.split("\n")
        .slice(0, 4)
        .map((line) => line.replace(/\(\/.*|\/\S+/, "(elsewhere)"));
    }
  };
  await calls.does("a stack", () => run("throw new RangeError('x')"));
  await calls.does("a stack on a later line", () => run("\n\n\nthrow new RangeError('x')"));
  await calls.does("a stack through a function", () => run("function f() { null.x }\nf()"));
  await calls.does("a stack of an async function", () =>
    run(
      "(async function g() { throw 1 })().catch(() => {}); new (class A { constructor() { throw new Error('two\\nlines') } })()",
    ),
  );
  await calls.does("an error that cannot be named", () =>
    run("throw Object.defineProperty(new Error('x'), 'name', { get() { throw 1 } })").slice(0, 1),
  );
  await calls.does("a stack called back", () => run("call(() => { throw new Error('back') })").slice(0, 2));
  calls.note("limit", Error.stackTraceLimit);
  undo();
  calls.note("limit after", Error.stackTraceLimit);
  calls.note("undone", Error.prepareStackTrace?.name);
  calls.approve("kernel/compiler/sourceMaps");
});

test("packages, compilers and code that is kept are approved", async () => {
  const calls = new Calls({ folder });
  const home = join(folder, "packages");
  mkdirSync(join(home, "node_modules", "own"), { recursive: true });
  writeFileSync(join(home, "node_modules", "own", "package.json"), "{}");
  const inner = join(home, "in");
  mkdirSync(inner);
  for (const [from, name] of [
    [home, "own"],
    [inner, "own"],
    [inner, "other"],
    [folder, "own"],
    ["/", "own"],
  ] as const)
    await calls.of(installedAbove, from, name);
  const real = join(folder, "real");
  mkdirSync(join(real, "lib"), { recursive: true });
  writeFileSync(join(real, "lib", "x.d.ts"), "text of x");
  const system = providePackages(compiler.sys, inner, { gift: real, own: real });
  const at = (path: string) => join(inner, "node_modules", path);
  for (const path of ["gift/lib/x.d.ts", "gift", "gift/lib", "gifts", "own/lib/x.d.ts", "", "gift/none"])
    await calls.does(path, () => [
      system.fileExists!(at(path)),
      system.directoryExists!(path === "" ? join(inner, "node_modules") : at(path)),
      system.readFile!(at(path)),
      system.getDirectories!(at(path)),
      system.realpath!(at(path)),
    ]);
  calls.note("nothing to provide", providePackages(compiler.sys, inner, { own: real }));
  calls.note("compilers", compilerNames);
  calls.note("version", typescriptVersion === compiler.version);
  calls.note(
    "libraries",
    readdirSync(librariesFolder()).filter((name) => /^lib\.es20(15|24)\.d\.ts$/.test(name)),
  );
  calls.note("types", readdirSync(ownTypesFolder()!).includes("node"));
  for (const name of ["typescript", "TypeScript", "swc", " "])
    await calls.once(`compiler ${name}`, () => {
      const made = createCompiler(inner, "javascript", "", name);
      made.close();
      return made.constructor.name;
    });
  const { LUVIT_COMPILER, XDG_CACHE_HOME } = process.env;
  for (const value of ["", "tslab", "none"]) {
    process.env.LUVIT_COMPILER = value;
    try {
      const made = createCompiler(inner, "typescript");
      made.close();
      calls.note(`LUVIT_COMPILER=${value}`, made.constructor.name);
    } catch (error) {
      calls.note(`LUVIT_COMPILER=${value}`, error);
    }
  }
  if (LUVIT_COMPILER === undefined) delete process.env.LUVIT_COMPILER;
  else process.env.LUVIT_COMPILER = LUVIT_COMPILER;
  process.env.XDG_CACHE_HOME = join(folder, "cache");
  const script = join(folder, "script ü.js");
  writeFileSync(
    script,
    "module.exports = { file: __filename, folder: __dirname, name: require('node:path').basename(__filename), own: this === module.exports, text: 'ü', id: module.id, loaded: module.loaded };",
  );
  const kept = () => {
    try {
      return readdirSync(join(folder, "cache", "luvit", "code")).map((name) =>
        name.replace(process.version, "NODE").replace(process.arch, "ARCH"),
      );
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  };
  await calls.does("cached", () => requireCached(script, "1.2.3"));
  calls.note(
    "same",
    requireCached(script, "9") === require.cache[script]!.exports && require.cache[script]!.loaded,
  );
  calls.note("kept before", kept());
  await calls.does("keep", () => keepCode());
  calls.note(
    "kept",
    (kept() as string[]).filter((name) => name.startsWith("script")),
  );
  writeFileSync(
    join(folder, "ascii.js"),
    "exports.text = 'plain'; exports.second = require('./other.json');",
  );
  writeFileSync(join(folder, "other.json"), "[1]");
  writeFileSync(join(folder, "broken.js"), "throw new RangeError('broken')");
  await calls.does("ascii", () => requireCached(join(folder, "ascii.js"), "1"));
  await calls.once("missing", () => requireCached(join(folder, "missing.js"), "1"));
  const cache = join(folder, "cache", "luvit", "code");
  chmodSync(cache, 0o700);
  process.env.XDG_CACHE_HOME = script; // a file, where no folder can be made
  writeFileSync(join(folder, "third.js"), "exports.third = 3;");
  await calls.does("where nothing can be kept", () => requireCached(join(folder, "third.js"), "1"));
  await calls.does("keep", () => keepCode());
  if (XDG_CACHE_HOME === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = XDG_CACHE_HOME;
  calls.note(
    "kept at the end",
    (kept() as string[]).filter((name) => /^(script|ascii|third)/.test(name)),
  );
  calls.approve("kernel/compiler/places");
});
