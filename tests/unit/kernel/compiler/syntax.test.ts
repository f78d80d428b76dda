import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createCompiler } from "../../../../src/kernel/compiler/createCompiler";
import { declaredNames } from "../../../../src/kernel/compiler/declaredNames";
import { cellSyntax } from "../../../../src/kernel/compiler/live/cellSyntax";
import { Chains } from "../../../../src/kernel/compiler/live/chains";
import { completeness } from "../../../../src/kernel/compiler/live/completeness";
import { findingsOf } from "../../../../src/kernel/compiler/live/findings";
import {
  isNodeDeclaration,
  isNodeIndex,
  WithheldModules,
  withoutDocs,
} from "../../../../src/kernel/compiler/live/lighter";
import { moduleName, modulePath } from "../../../../src/kernel/compiler/live/moduleCells";
import { checkOptions, emitOptions, runtimeLibraries } from "../../../../src/kernel/compiler/live/options";
import { isJsx } from "../../../../src/kernel/compiler/live/program";
import { completePath, namesFrom } from "../../../../src/kernel/compiler/paths";
import { loadTypeScript } from "../../../../src/kernel/compiler/typescript";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { isLuvitError } from "../../nn/support";

const compiler = loadTypeScript();
const parsed = (source: string) =>
  compiler.createSourceFile("cell.ts", source, compiler.ScriptTarget.ES2022, true);

test("a cell awaits where it does so outside functions, by await, for await or await using", () => {
  const awaits = (source: string) => cellSyntax(compiler, parsed(source)).awaits;
  for (const source of [
    "await 1;",
    "for await (const a of []) a;",
    "{ await using a = b; }",
    "if (x) { y(await 1); }",
    "class A extends (await b) {}",
  ])
    assert.equal(awaits(source), true, source);
  for (const source of [
    "async () => await 1;",
    "async function f() { for await (const a of []) a; }",
    "const o = { async m() { await 1; } };",
    "class A { static p = async () => { await 1; } }",
    "using a = b;",
    "for (const a of []) a;",
    "// await 1",
  ])
    assert.equal(awaits(source), false, source);
});

test("modules are named by imports, exports, import(), require() and types, each once", () => {
  const syntax = cellSyntax(
    compiler,
    parsed(
      'import a from "a";\nimport "b";\nexport { c } from "c";\nexport * from "d";\nimport e = require("e");\nlet f: import("f").F;\nimport("g");\n' +
        'require(`h`);\nrequire(name);\nother("no");\nimport(name);\nx.require("no");\nfunction y() { require(\'i\'); }\nimport a2 from "a";',
    ),
  );
  assert.deepEqual(syntax.specifiers, ["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
  assert.deepEqual(syntax.imports, ["a", "b", "a"], "by statements");
  const augments = (source: string) => cellSyntax(compiler, parsed(source)).augments;
  assert.deepEqual(
    [
      "declare global { var x: number }",
      'declare module "x" {}',
      "namespace N {}",
      "declare module M {}",
    ].map(augments),
    [true, true, false, false],
  );
});

test("a cell is a module for others by the name of its first doc comments, and elements where it says so", () => {
  for (const [source, name] of [
    ["/** @module here */\n1", "here"],
    ["// first\n/* plain */\n/**\n * About.\n * @module my-part\n */", "my-part"],
    ["/** one */ /** @module two */", "two"],
    ["/* @module here */", undefined],
    ["1;\n/** @module here */", undefined],
    ["/** a@module here */", undefined],
    ["/** @modules here */", undefined],
    ["/** @module */", undefined],
    ["", undefined],
  ] as const)
    assert.equal(moduleName(source), name, source);
  assert.equal(modulePath("/n", "a", "1", "typescript"), "/n/a.ts");
  assert.equal(modulePath("/n", "a", "1", "javascript"), "/n/a.js");
  for (const source of ["/** @jsx h */", "/** @module a\n @jsx */"])
    assert.equal(modulePath("/n", "a", source, "typescript"), "/n/a.tsx", source);
  assert.equal(modulePath("/n", "a", "/** @jsxx */", "typescript"), "/n/a.ts");
  for (const [source, is] of [
    ["/** @jsx h */ 1", true],
    ["// a\n// b\n/* @jsxImportSource x */", true],
    ["/* @jsxRuntime classic */", true],
    ["/* @jsxFrag F */", true],
    ["/* @jsxx h */", false],
    ["/* a */ /* @jsx h */", false],
    ["1; /* @jsx h */", false],
    ["'@jsx h'", false],
  ] as const)
    assert.equal(isJsx(source), is, source);
});

test("a cell goes on where something is missing at its very end, with the next line as far in as it should be", () => {
  for (const [source, status, indent] of [
    ["1", "complete", undefined],
    ["", "complete", undefined],
    ["f(", "incomplete", "  "],
    ["function f() {", "incomplete", "  "],
    ["function f() {\n    g();", "incomplete", "    "],
    ["const f = (a: number) =>", "incomplete", "  "],
    ["const a = [ // the first", "incomplete", "  "],
    ["  if (a) {", "incomplete", "    "],
    ["if (a) {\n", "incomplete", ""],
    ["const x =", "incomplete", ""],
    ["if (a) {\n\n", "invalid", undefined],
    ["`open", "incomplete", ""],
    ["/* open\n\n\n", "incomplete", ""],
    ["const = 1", "invalid", undefined],
    ["f(]", "invalid", undefined],
    ["'open", "invalid", undefined],
  ] as const)
    assert.deepEqual(
      completeness(compiler, source, "typescript"),
      indent === undefined ? { status } : { status, indent },
      source,
    );
  assert.equal(completeness(compiler, "const a: number = 1", "javascript").status, "complete");
  assert.equal(completeness(compiler, "/** @jsx h */\n<a>b</a>", "typescript").status, "complete");
});

test("declared variables are those of the whole cell, within patterns too", () => {
  assert.deepEqual(
    declaredNames(
      "let a = 1, { b, c: [d, ...e], ...f } = g;\n{ let h; }\nfunction i() {}\nvar j;\nfor (const k of []);",
    ),
    [...["a", "b", "d", "e", "f", "j"]],
  );
});

test("every finding of a chain is one, and one of another file names that as seen from the notebook", () => {
  const [cell, other] = [parsed("let a;\nlet bc;"), compiler.createSourceFile("/n/sub/x.ts", "y", 99)];
  const chain = {
    messageText: "outer",
    code: 1,
    next: [
      { messageText: "inner", code: 2 },
      { messageText: "last", code: 3 },
    ],
  };
  const asked: number[] = [];
  const fix = ({ code }: { code: number }) => asked.push(code) && `fix ${code}`;
  const made = (...diagnostics: object[]) =>
    findingsOf(compiler, diagnostics as never, cell, "/n", fix as never);
  const [first, second, third] = made({ file: cell, start: 11, length: 2, messageText: chain, code: 9 });
  const place = { start: { offset: 11, line: 1, character: 4 }, end: { offset: 13, line: 1, character: 6 } };
  assert.deepEqual(
    [first, second, third],
    [
      { ...place, messageText: "outer", code: 1, fix: "fix 9" },
      { ...place, messageText: "inner", code: 2 },
      { ...place, messageText: "last", code: 3 },
    ],
  );
  const [elsewhere] = made({ file: other, start: 0, length: 1, messageText: "m", code: 4 });
  assert.deepEqual([elsewhere!.fileName, elsewhere!.fix], [join("sub", "x.ts"), undefined]);
  assert.deepEqual(made({ messageText: "of no file", code: 1 }), []);
  asked.length = 0;
  made(
    ...Array.from({ length: 7 }, (_, code) => ({ file: cell, start: 0, length: 0, messageText: "m", code })),
  );
  assert.deepEqual(asked, [0, 1, 2, 3, 4], "of the first five");
});

test("comments of declarations are left out, but for the mark of what is deprecated; rare modules until they are named", () => {
  assert.equal(
    withoutDocs(
      "/** A. */\nf(): void;\n  /**\n   * @deprecated use g\n   */\n  g; /** kept */ h;\n/* plain */",
    ),
    "\nf(): void;\n/** @deprecated */\n  g; /** kept */ h;\n/* plain */",
  );
  const at = (name: string) => `/x/node_modules/@types/node/${name}.d.ts`;
  assert.deepEqual(
    [at("fs/promises"), at("inspector.generated"), "/x/@types/react/a.d.ts"].map(isNodeDeclaration),
    [true, true, false],
  );
  assert.deepEqual([at("index"), at("fs")].map(isNodeIndex), [true, false]);
  const withheld = new WithheldModules();
  assert.deepEqual(
    [at("index"), at("fs"), at("http2"), at("test"), at("inspector/promises"), "/n/test.ts"].map((path) =>
      withheld.has(path),
    ),
    [...[true, false, true, true, true, false]],
  );
  assert.equal(withheld.admit("import 'node:test'"), false, "nothing of Node is read yet");
  assert.deepEqual(
    [withheld.admitNode(), withheld.admitNode(), withheld.has(at("index"))],
    [true, false, false],
  );
  assert.deepEqual(
    [withheld.admit("latest"), withheld.admit("http2.connect, test"), withheld.admit("http2")],
    [false, true, false],
  );
  assert.deepEqual(
    [at("test"), at("http2"), at("repl")].map((path) => withheld.has(path)),
    [false, false, true],
  );
});

test("of declarations made of each other every 64th is found out beforehand, once for a checker", () => {
  const chains = new Chains();
  const asked: unknown[] = [];
  const symbols = Array.from({ length: 200 }, (_, index) => ({ index }));
  for (const [index, symbol] of symbols.entries())
    chains.add([symbol as never], index === 0 ? [] : [symbols[index - 1] as never]);
  const checker = { getTypeOfSymbol: ({ index }: { index: number }) => asked.push(index) };
  chains.prepare(checker as never);
  chains.prepare(checker as never);
  assert.deepEqual(asked, [64, 128, 192]);
  chains.prepare({ ...checker } as never);
  assert.deepEqual(asked, [64, 128, 192, 64, 128, 192]);
  const apart = { index: -1 };
  chains.add([apart as never], [symbols[3], symbols[127], symbols[5]] as never[]);
  asked.length = 0;
  chains.prepare({ ...checker } as never);
  assert.deepEqual(asked, [64, 128, 192, -1], "as deep as the deepest that it uses");
});

test("cells are checked leniently and become modern CommonJS, with the names that this Node has", () => {
  const { JsxEmit, ModuleKind, ModuleResolutionKind, ScriptTarget } = compiler;
  const check = checkOptions(compiler, temporaryFolder("options"));
  const checked = {
    strict: false,
    noImplicitAny: false,
    allowJs: true,
    checkJs: false,
    esModuleInterop: true,
    skipLibCheck: true,
    noEmit: true,
    resolveJsonModule: true,
    allowImportingTsExtensions: true,
    noUncheckedSideEffectImports: false,
  };
  for (const [name, value] of Object.entries(checked)) assert.equal(check[name], value, name);
  assert.deepEqual(
    [check.target, check.module, check.moduleResolution, check.jsx],
    [...[ScriptTarget.ES2022, ModuleKind.Preserve, ModuleResolutionKind.Bundler, JsxEmit.React]],
  );
  const { target, module, jsx, strict, esModuleInterop, newLine } = emitOptions(compiler);
  assert.deepEqual(
    [target, module, jsx, strict, esModuleInterop, newLine],
    [ScriptTarget.ES2022, ModuleKind.CommonJS, JsxEmit.React, false, true, 1],
  );
  const libraries = runtimeLibraries();
  for (const [library, isThere] of [
    ["lib.es2023.d.ts", true],
    ["lib.decorators.d.ts", true],
    ["lib.es2024.object.d.ts", "groupBy" in Object],
    ["lib.es2024.promise.d.ts", "withResolvers" in Promise],
    ["lib.es2025.collection.d.ts", "union" in Set.prototype],
    ["lib.es2025.iterator.d.ts", "Iterator" in globalThis],
    ["lib.esnext.array.d.ts", "fromAsync" in Array],
  ] as const)
    assert.equal(libraries.includes(library), isThere, library);
});

test("paths go on from what a text says, without endings where they name modules", () => {
  const folder = temporaryFolder("paths");
  for (const name of ["sub", ".git"]) mkdirSync(join(folder, name));
  for (const name of [
    "a.ts",
    "a.tsx",
    "a.d.ts",
    "a.json",
    'quo"te',
    "new\nline",
    "a`b",
    ".hidden",
    "tem$" + "{p}",
    "back\\slash",
  ])
    writeFileSync(join(folder, name), "");
  symlinkSync(join(folder, "sub"), join(folder, "linked"));
  assert.deepEqual(namesFrom(folder, "", false), ["a.d.ts", "a.json", "a.ts", "a.tsx", "linked", "sub/"]);
  assert.deepEqual(namesFrom(folder, "./a", true), ["a", "a.json"]);
  assert.deepEqual(namesFrom(folder, ".", false), [".git/", ".hidden"]);
  assert.deepEqual(namesFrom("/nowhere", `${folder}/s`, false), ["sub/"]);
  assert.deepEqual(namesFrom(folder, "sub/../a.j", false), ["a.json"]);
  assert.deepEqual(namesFrom(folder, "none/", false), []);
  const many = temporaryFolder("many");
  for (let i = 0; i < 501; i++) writeFileSync(join(many, `f${String(i).padStart(3, "0")}`), "");
  const names = namesFrom(many, "", false);
  assert.deepEqual([names.length, names[499]], [500, "f499"]);
  const at = (marked: string) => {
    const source = marked.replace("|", "");
    const found = completePath(compiler, folder, source, marked.indexOf("|"));
    return found && [source.slice(found.start, found.end), found.candidates];
  };
  assert.deepEqual(at('f("a.j|xx")'), ["a.jxx", ["a.json"]], "the whole part is replaced");
  assert.deepEqual(at('f("s|x/y")'), ["sx/", ["sub/"]]);
  assert.deepEqual(at('export * from "./a|"'), ["a", ["a", "a.json"]]);
  assert.deepEqual(at("f('a.j|"), ["a.j", ["a.json"]]);
  for (const none of ['f(|"a")', 'f("a"|)', 'import "a|"', "a|", "// 'a|'"])
    assert.equal(at(none), undefined, none);
});

test("who compiles cells is one of two, or refused by name", () => {
  assert.throws(
    () => createCompiler(temporaryFolder("compiler"), "typescript", "", "babel"),
    isLuvitError("bad-argument", "LUVIT_COMPILER=babel: expected typescript or tslab"),
  );
});
