// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are texts with templates in them
import { mkdirSync, realpathSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { CompiledCell, Diagnostic } from "../../../../../src/kernel/compiler/cellCompiler";
import { cellSyntax, specifierOf } from "../../../../../src/kernel/compiler/live/cellSyntax";
import { Chains } from "../../../../../src/kernel/compiler/live/chains";
import { completeness } from "../../../../../src/kernel/compiler/live/completeness";
import { emitEvaluation } from "../../../../../src/kernel/compiler/live/evaluation";
import { findingsOf } from "../../../../../src/kernel/compiler/live/findings";
import { isLibraryFile, slashed } from "../../../../../src/kernel/compiler/live/host";
import {
  isNodeDeclaration,
  isNodeIndex,
  WithheldModules,
  withoutDocs,
} from "../../../../../src/kernel/compiler/live/lighter";
import { LiveCompiler } from "../../../../../src/kernel/compiler/live/liveCompiler";
import { moduleName, modulePath } from "../../../../../src/kernel/compiler/live/moduleCells";
import { checkOptions, emitOptions, runtimeLibraries } from "../../../../../src/kernel/compiler/live/options";
import { isJsx, LiveProgram } from "../../../../../src/kernel/compiler/live/program";
import { librariesFolder, loadTypeScript } from "../../../../../src/kernel/compiler/typescript";
import { Calls } from "../../../../support/calls";
import { temporaryFolder } from "../../../../support/temporaryFolder";

const compiler = loadTypeScript();
const folder = realpathSync(temporaryFolder("live"));
const head = '__luvit_define(exports, "__esModule", { value: true });\n';
const check = 'typeof __luvit_stop === "object" && __luvit_stop[0] && __luvit_halt()';
const parse = (source: string) =>
  compiler.createSourceFile("cell.ts", source, compiler.ScriptTarget.ES2022, true);

const declarations =
  "/** Given to all. */\ndeclare const given: number;\ndeclare function ask(question?: string): string;\n";
const made = new LiveCompiler(folder, "typescript", declarations);
after(() => made.close());

/** What came of a cell, in words. */
function told(found: CompiledCell | Diagnostic[]): unknown {
  if (Array.isArray(found))
    return found.map(({ start, end, messageText, code, fileName, fix }) => [
      `${fileName ?? ""}${start.line}:${start.character}-${end.line}:${end.character}`,
      code,
      messageText,
      ...(fix ? [fix] : []),
    ]);
  const { code, awaits, imports, lastExpression, sideOutputs } = found;
  return [
    code?.replace(head, "").replaceAll(check, "CHECK").split("\n"),
    ...(awaits ? ["awaits"] : []),
    ...(imports.length > 0 ? [imports] : []),
    ...(lastExpression ? [lastExpression] : []),
    ...sideOutputs.map(({ path, data, source, locate }) => ({
      path,
      source,
      data: data.split("\n"),
      second: locate(3, 1),
    })),
  ];
}

const later = (path: string, text: string, seconds: number) => {
  writeFileSync(join(folder, path), text);
  utimesSync(join(folder, path), 1_700_000_000 + seconds, 1_700_000_000 + seconds);
};

test("cells one after the other are approved", async () => {
  const calls = new Calls({ folder });
  const run = (source: string, commits = true) => {
    const found = made.compile(source);
    calls.note(JSON.stringify(source), told(found));
    if (!Array.isArray(found) && commits) found.commit();
  };
  for (const source of [
    "given + 1",
    "ask(given)",
    "ask(String(given))",
    "const given = 'own'",
    "given.length",
    "let __x = 1, ___y = 2, _z = 3",
    "__x + ___y + _z",
    "interface Both { a: number } const Both: Both = { a: 1 }",
    "let both: Both = Both; both.a",
    "const Both = 'only a value'",
    "let again: Both = { a: 2 }; Both.length",
    "type Both = string",
    "let third: Both = Both",
    "class Point { constructor(public x = 0) {} } ",
    "new Point(1).x",
    "function Point() { return 1 }",
    "Point() + 1",
    "let p: Point",
    "enum Kind { A, B }",
    "let k: Kind = Kind.A; k",
    "namespace Space { export const inner = 1; export type T = 2 }",
    "Space.inner; let st: Space.T = 2",
    "let wide: string | number = 4; wide.toFixed()",
    "wide.toFixed()",
    "unknownName",
    "unknownName; anotherOne; third; fourthOne; fifthOne; sixthOne",
    "readFileSync",
    "basename('x')",
    "const late = async () => 1; late().toFixed()",
    "const late = async () => 1; let others = 2",
    "late() + 1",
    "let n: number = late()",
    "(await late()).toFixed()",
    "const q = late(); q.toFixed(2)",
    "if (late()) 1",
    "for (const one of late()) one",
    "let a = {} as { deep: { x: number } }; a.deep.x = 'text'",
    "const wrong: { a: { b: number } } = { a: { b: 'c' } }",
    "let dup = 1; let dup = 2",
    "let dup = 1",
    "let dup = 'two'; dup.length",
    "export const kept = 1, other = 2",
    "kept + other",
    "export default 5",
    "export { kept as renamed }",
    "kept2",
    "declare const promised: number",
    "promised",
    "declare global { interface Array<T> { mine(): T } }",
    "[1].mine()",
    "[1].mine().length",
    "declare module 'made-up' { export const m: number }",
    "import { m } from 'made-up'; m",
    "let = 3",
    "let x: number = ",
    "const",
    "'use strict'; let strictly = 1",
    "strictly",
    "for (var v1 = 0; v1 < 2; v1++) ;",
    "v1",
    "{ var v2 = 1 } v2",
    "using disposed = null as any",
    "disposed",
    "let { d1, ...d2 } = { d1: 1, e: 2 }; d2.e",
    "import { sep as separator } from 'node:path'; separator",
    "separator.length",
    "let separator = 3",
    "separator + 1",
    "import * as path from 'path'; path.sep",
    "import type { Stats } from 'node:fs'; let stats: Stats",
    "stats.size",
    "Stats",
    "import nothing from 'no-such-package'",
    "import { nothing } from 'node:fs'",
    "import './no-such-file'",
    "import data from './data.json'; data.a",
    "export * from 'node:os'",
    "import { test } from 'node:test'; typeof test",
    "let 𝒳ü = '😀'",
    "𝒳ü",
    "/** @jsx h */\nconst h = (...a: any[]) => a;\n<b c='1'>x{given}</b>",
    "<b/>",
    "a < b > c",
  ]) {
    if (source.includes("data.json")) later("data.json", '{"a": 3}', 0);
    run(source);
  }
  run("const uncommitted = 1", false);
  run("uncommitted");
  calls.approve("kernel/compiler/liveCells");
});

test("local files, modules and moves are approved", async () => {
  const calls = new Calls({ folder });
  const run = (source: string) => {
    const found = made.compile(source);
    calls.note(JSON.stringify(source), told(found));
    if (!Array.isArray(found)) found.commit();
  };
  later(
    "one.ts",
    "import { two } from './two';\nexport const one: number = two + 1;\nexport default 'x';\n",
    1,
  );
  later("two.ts", "export const two = 2;\nexport type T = 'ü';\n", 1);
  later("elements.tsx", "declare const React: any;\nexport const e = <b/>;\n", 1);
  later("plain.js", "export const p = 1; p.x;\n", 1);
  later("types.d.ts", "export declare const t: number;\n", 1);
  run("import { one } from './one'; one");
  run("import def, { one as uno } from './one.ts'; uno + def");
  run("one");
  later("two.ts", "export const two = 'text';\n", 2);
  run("import { one } from './one'; one");
  later("two.ts", "export const two = 22;\n", 3);
  run("import { one } from './one'; one");
  rmSync(join(folder, "two.ts"));
  run("import { one } from './one'; one");
  later("two.ts", "export const two = 222;\n", 4);
  run("import { one } from './one'; one");
  run("import { e } from './elements'; import { p } from './plain.js'; import type { t } from './types'; p");
  run("const { two } = await import('./two'); two.toFixed()");
  run("const two2 = require('./two'); two2.two");
  run("let it: import('./two').Missing");
  later("two.ts", "export const two = 5;\nlet x: number = 'x';\n", 5);
  run("import { two } from './two'");
  run("/** @module shared */\nexport const shared = 1;\nexport const h = shared;");
  run("import { shared } from './shared'; shared");
  run("/** @module shared */\nexport const shared: number = 'wrong';");
  run("/** @module shared */\nexport const shared = 'two';");
  run("import { shared } from './shared'; shared.length");
  run("declare global { var leaked: 1 }\nexport {};\nlet wrong: number = 'x';");
  run("leaked");
  run("declare global { var everywhere: 1 }\nexport {};");
  run("everywhere.toFixed()");
  run(
    "import { one } from './one';\ndeclare module './one' { interface Own { a: 1 } }\nlet wrong: number = 'x';",
  );
  run("let own: import('./one').Own");
  mkdirSync(join(folder, "sub"), { recursive: true });
  later("sub/three.ts", "export const three = 3;\n", 1);
  run("import { three } from './three'");
  made.moveTo(join(folder, "sub"));
  run("import { three } from './three'; three");
  run("one");
  run("import { one } from '../one'");
  made.moveTo(folder);
  run("import { three as drei } from './sub/three'; drei");
  const script = new LiveCompiler(folder, "javascript");
  calls.note("JavaScript", told(script.compile("let x = 1; x = 'a'; import { sep } from 'node:path'")));
  calls.note("JavaScript with types", told(script.compile("let x: number = 1")));
  calls.note("JavaScript's module", told(script.compile("/** @module m */\nexport const m = 1")));
  calls.note("JavaScript sees it", told(script.compile("import { m } from './m'; m")));
  script.close();
  calls.approve("kernel/compiler/liveFiles");
});

test("completion and help are approved", async () => {
  const calls = new Calls({ folder });
  later(
    "near.ts",
    "/** Says it. */\nexport function zebraOne(a: number, b = 2): string { return '' }\nexport const zebraTwo = 1;\nexport type zebraType = 1;\nconst zebraHidden = 1;\nexport default zebraHidden;\nexport * from './far';\nexport { zebraHidden as zebraShown };\nexport class ZebraClass {}\nexport enum ZebraKind { A }\nexport const { zebraBound } = { zebraBound: 1 };\nexport * as zebraSpace from './far';\nexport const __zebraInner = 1;\n",
    1,
  );
  later(
    "far.ts",
    "export * from './near';\nexport let zebraFar = 1;\nexport type { zebraType } from './near';\n",
    1,
  );
  later("package.json", '{"dependencies": {"luvit": "*", "@types/node": "*", "nowhere-at-all": "1"}}', 1);
  const cell = made.compile(
    "/** The length.\n * @param a first\n * @returns what\n * @deprecated soon */\nfunction lengthOf(a: string, ...more: number[]): number { return 1 }\nconst lengthy = 3; let Lengths = 1, myLength = 2; const person = { name: 'x', age: 4, 'not a name': 1, deep: { er: 1 } }; class Animal { #secret = 1; name = ''; speak(loud: boolean): void {} static make() { return new Animal() } }",
  );
  if (!Array.isArray(cell)) cell.commit();
  made.complete("zeb", 3);
  await sleep(300);
  while (made.complete("zebraTwo", 8).imports!.length < 2) await sleep(50);
  const short = (one: string) => {
    const source = one.replace("|", "");
    const { start, end, candidates, imports = [] } = made.complete(source, one.indexOf("|"));
    return [`${start}-${end}`, candidates.slice(0, 6), ...(imports.length > 0 ? [imports] : [])];
  };
  for (const one of [
    "leng|",
    "len|gthy",
    "Leng|",
    "LENG|",
    "ngth|",
    "person.|",
    "person.n|",
    "person.deep.|",
    "person.|name",
    "person?.a|",
    "new Animal().|",
    "Animal.m|",
    "this.|",
    "const x = lengt|",
    "function f(lengt|) {}",
    "let lengt|",
    "type T = Anim|",
    "'leng|'",
    "// leng|",
    "person['|']",
    "person['n|a']",
    "import { ba| } from 'node:path'",
    "import lu|",
    'import x from "lu|"',
    'import x from "|"',
    'import x from "node:pa|"',
    'import x from "./ne|"',
    "require('ts|')",
    "import('./f|')",
    "zebra|",
    "  zebra|",
    "f(zebra|)",
    "x.zebra|",
    "let zebra|",
    "zebraT|",
    "zebraTwo|",
    "ze|",
    "zeb|",
    "zebra|Two",
    "zeb|raShown",
    "ze|bra",
    "f(zebraT|wo)",
    "zebraOne|Two",
    "function f() { zebra| }",
    "async function f() { zebra| }",
    "class A { b = zebra| }",
    "{ zebra| }",
    "type T = zebra|",
    "1; zebra|",
    "lengthy\nzebra|",
    "f('./su|')",
    "f('./ne|')",
    "`${leng|}`",
    "let o = { lengt| }",
    "let o: { alpha: 1 } = { al| }",
    "ü; lengthy|",
    "Zebra|",
    "for (const lengt| of x) ;",
    "|",
    "given|",
    "ask(|)",
    "const s: 'one' | 'two' = '|'",
    "switch (person.name) { case '|' }",
    "person.name.toUp|",
  ])
    if (one.split("|").length === 2) await calls.does(JSON.stringify(one), () => short(one));
  const info = (one: string) => {
    const found = made.inspect(one.replace("|", ""), one.indexOf("|"));
    const text = (parts: readonly { text: string }[] | undefined) =>
      (parts ?? []).map((part) => part.text).join("");
    return (
      found && [
        found.kind,
        `${found.textSpan.start}+${found.textSpan.length}`,
        text(found.displayParts),
        text(found.documentation),
        ...(found.tags ?? []).map((tag) => `@${tag.name} ${text(tag.text)}`),
      ]
    );
  };
  for (const one of [
    "length|Of",
    "lengthOf|",
    "|lengthOf",
    "lengthOf(|)",
    "lengthOf('a', |)",
    "lengthOf('a', 1, |2)",
    "person.na|me",
    "person.deep.|er",
    "new Ani|mal()",
    "new Animal(|)",
    "new Animal().speak(|)",
    "Animal.ma|ke()",
    "nothing|",
    "nothing(|)",
    "|",
    "1 +| 1",
    "'te|xt'",
    "let loca|l = { a: 1 }",
    "function f(para|m: string) {}",
    "given|",
    "ask(|",
    "const o: { /** Wanted. */ w: 1 } = { w|: 1 }",
    "const o: { /** Wanted. */ lengthy: 1 } = { lengthy: length|y }",
    "const o: { /** Wanted. */ lengthy: 1 } = { lengt|hy: lengthy }",
    "const o: { /** Wanted. */ lengthy: 1 } = { lengt|hy }",
    "const o: { w: { lengthy: 1 } } = { w: { lengthy|: 1 } }",
    "const o = { lengthy: length|y }",
    "const o: { 'not a name': 1 } = { 'not a na|me': 1 }",
    "import { zebraOn|e } from './near'; zebraOne",
    "import { zebraOne } from './near'; zebraOne(|)",
    "type T = Ani|mal",
    "any|Name as any",
    "let z: any; z|",
    "parseInt(|)",
    "new WeakMap<object, number>().get(|)",
    "[1].ma|p",
    "Math.ma|x(1)",
    "console.lo|g",
    "typeof| x",
    "import * as p from 'node:path'; p.joi|n",
  ])
    await calls.does(`help ${JSON.stringify(one)}`, () => info(one));
  for (const source of [
    "zebraOne(1)",
    "zebraFar",
    "zebraType",
    "let x: ZebraClass",
    "existsSync('x')",
    "zebraHidden",
  ])
    await calls.does(`fix ${source}`, () => told(made.compile(source)));
  const offered = (name: string) => made.complete(name, name.length).imports!.map(({ module }) => module);
  const settled = async (name: string, there: boolean) => {
    for (let turns = 0; turns < 200 && offered(name).length > 0 !== there; turns++) await sleep(10);
    return offered(name);
  };
  await calls.once("a file that is new", () => {
    later("newest.ts", "export const zebraNewest = 1;\n", 2);
    return settled("zebraNewest", true);
  });
  await calls.once("is edited", () => {
    later("newest.ts", "export const zebraNewer = 1;\n", 3);
    return settled("zebraNewer", true);
  });
  await calls.once("and has what it had no more", () => offered("zebraNewest"));
  await calls.once("is removed", () => {
    rmSync(join(folder, "newest.ts"));
    return settled("zebraNewer", false);
  });
  const first = (name: string) =>
    made.complete(name, name.length).imports!.map((one) => `${one.name} of ${one.module}`);
  await calls.once("the very name comes first", async () => {
    later("apart.ts", "export const quokkaAll = 1, quokkaA = 2, quokka = 3;\n", 4);
    await settled("quokka", true);
    return first("quokka");
  });
  await calls.once("but for what is there already", () => {
    const found = made.complete("const quokkaA = 1; quokka", 25);
    return [found.candidates, found.imports!.map(({ name }) => name)];
  });
  await calls.once("no more than 20", async () => {
    const names = Array.from({ length: 22 }, (_, i) => `wombat${i}`);
    later("apart.ts", `export const ${names.map((name) => `${name} = 1`).join(", ")};\n`, 5);
    await settled("wombat", true);
    return first("wombat").length;
  });
  await calls.once("a package that the manifest has got", async () => {
    mkdirSync(join(folder, "node_modules/numbat"), { recursive: true });
    later("node_modules/numbat/package.json", '{"name": "numbat", "types": "index.d.ts"}', 6);
    later("node_modules/numbat/index.d.ts", "export declare const numbatValue: 1;\n", 6);
    await settled("numbat", false);
    later("package.json", '{"devDependencies": {"numbat": "1"}}', 7);
    await settled("numbat", true);
    return first("numbat");
  });
  calls.approve("kernel/compiler/liveHelp");
});

test("what is read of cells and libraries is approved", async () => {
  const calls = new Calls({ folder, libraries: librariesFolder() });
  for (const source of [
    "",
    "await a",
    "for await (const x of y) ;",
    "async () => await a",
    "async function f() { for await (const x of y) ; }",
    "await using a = b",
    "using a = b",
    "class A { x = await a; static { await b } m() { await c } [await d] = 1 }",
    "import a from 'b'; import 'c'; import type { d } from 'e'; import f = require('g'); export * from 'h'; export { i } from 'j'; export { k }; import('l'); require('m'); x.require('n'); require(o); import(`p`); let q: import('r').S; let t: typeof import('u')",
    "import a from 'b'; import c from 'b'",
    "declare global {}",
    "declare module 'x' {}",
    "declare module X {}",
    "module Y {}",
    "declare namespace Z {}",
    "if (x) { await y }",
  ])
    await calls.does(`syntax ${JSON.stringify(source)}`, () => cellSyntax(compiler, parse(source)));
  await calls.does("no specifier", () =>
    [parse("a").statements[0]!, parse("f('x')").statements[0]!].map((node) => specifierOf(compiler, node)),
  );
  for (const language of ["typescript", "javascript"] as const)
    for (const source of [
      "",
      "a",
      "a(",
      "a(\n",
      "{",
      "  {\n    a",
      "  if (a) {",
      "if (a) {\n\n",
      "if (a) {\n\n\n",
      "if (a) {\n  \n \n",
      "x => ",
      "[1, ",
      "let a =",
      "let a = 1;",
      "`a",
      "`a\n\n\n",
      "/* a",
      "'a",
      "a b",
      "a)",
      "}",
      "let x: number = 1",
      "<b>",
      "/** @jsx h */ <b>",
      "/** @jsx h */ <b/>",
      "class A {",
      "a.",
      "a +",
      "// x {",
      "f( // {",
      "f(1, // x",
      "let a = [ // y",
      "for (;;",
      "if (a)",
      "else",
      "async () => {",
      "`${a",
      "a ?",
      "@",
      "\tif (x) {",
      "x = {\r\n",
    ])
      await calls.does(`whole ${language} ${JSON.stringify(source)}`, () =>
        completeness(compiler, source, language),
      );
  for (const source of [
    "",
    "/** @module a */",
    "/** @module a-b_$1 rest */",
    "/** @module */",
    "/* @module a */",
    "// @module a",
    "// x\n/** y */\n/** @module z */ code",
    "code\n/** @module a */",
    "/**\n * @module\tb\n */",
    "/** x@module a */",
    "/** @modules a */",
    "/** @module ü */",
    "  \n/** @module c */",
    "/** @module a\n@module b */",
  ])
    await calls.of(moduleName, source);
  for (const [source, language] of [
    ["", "typescript"],
    ["", "javascript"],
    ["/** @jsx h */", "typescript"],
    ["/** @jsx */", "javascript"],
    ["/** @jsxes */", "typescript"],
  ] as const)
    await calls.of(modulePath, "/f", "m", source, language);
  for (const source of [
    "/** @jsx h */",
    "/* @jsx h */",
    "// a\n// b\n/* @jsx h */",
    "/* @jsxImportSource p */",
    "/* @jsxRuntime x */",
    "/* @jsxFrag x */",
    "/* @jsx*/",
    "/* @jsxOther x */",
    "/* a */ /* @jsx h */",
    "a /* @jsx h */",
    "\n  /*\n * @jsx h\n */",
    "// @jsx h",
    "",
  ])
    await calls.of(isJsx, source);
  for (const text of [
    "/** a */\nlet b",
    "  /** a\n * b */\nc /** d */",
    "/** @deprecated x */ let y",
    "/* a */",
    "/**/ x /** y */",
  ])
    await calls.of(withoutDocs, text);
  const node = (name: string) => `/x/node_modules/@types/node/${name}`;
  const withheld = new WithheldModules();
  const seen = () =>
    [
      "index.d.ts",
      "fs.d.ts",
      "inspector.d.ts",
      "inspector.generated.d.ts",
      "inspector/promises.d.ts",
      "test.d.ts",
      "test/reporters.d.ts",
      "http2.d.ts",
      "testing.d.ts",
      "sea.d.ts",
      "web/index.d.ts",
    ].filter((name) => withheld.has(node(name)));
  calls.note("withheld", seen());
  for (const name of ["index.d.ts", "fs.d.ts", "web/x.d.ts", "index.ts", "../x/index.d.ts"]) {
    await calls.of(isNodeDeclaration, node(name));
    await calls.of(isNodeIndex, node(name));
  }
  for (const [name, act] of Object.entries({
    "admit test": () => withheld.admit("import 'node:test'"),
    "admit Node": () => withheld.admitNode(),
    "admit Node again": () => withheld.admitNode(),
    "admit nothing": () => withheld.admit("testing inspectors"),
    "admit two": () => withheld.admit("http2.x(sea)"),
    "admit again": () => withheld.admit("http2"),
  })) {
    calls.note(name, act());
    calls.note("  withheld", seen());
  }
  for (const path of [
    "/x/node_modules/a/b.d.ts",
    "/x/a.d.ts",
    join(librariesFolder(), "lib.d.ts"),
    "/node_modules",
    "/x/node_modules/a.js",
  ])
    await calls.of(isLibraryFile, path);
  await calls.of(slashed, "/a/b");
  calls.note(
    "libraries",
    runtimeLibraries().filter((name) => !/es20(24|25)|esnext/.test(name)),
  );
  const { lib, typeRoots, ...options } = checkOptions(compiler, folder);
  calls.note("check", options);
  calls.note("lib", lib!.length > 10);
  calls.note("roots", typeRoots!.length);
  calls.note("emit", emitOptions(compiler));
  const typed = join(folder, "typed", "in");
  for (const name of ["mocha", "unlisted"]) {
    mkdirSync(join(folder, "typed", "node_modules", "@types", name), { recursive: true });
    writeFileSync(join(folder, "typed", "node_modules", "@types", name, "package.json"), "{}");
  }
  mkdirSync(typed);
  for (const manifest of [
    '{"devDependencies": {"@types/mocha": "1", "@types/absent": "1", "mocha": "1"}}',
    '{"dependencies": {"@types/mocha": "1"}}',
    "{",
    "null",
  ]) {
    writeFileSync(join(folder, "typed", "package.json"), manifest);
    await calls.does(`types of ${manifest}`, () => [
      checkOptions(compiler, typed).types,
      checkOptions(compiler, typed).typeRoots!.map((root) =>
        root.slice(root.startsWith(folder) ? folder.length : Number.POSITIVE_INFINITY),
      ),
    ]);
  }
  for (const [source, given] of [
    ["a + b", ["a"]],
    ["{ a: 1 }", []],
    ["{ a; b }", ["a"]],
    ["{ a: 1, b }", ["b"]],
    ["let x: number = a; x", ["a"]],
    ["a // end", ["a"]],
    ["a as any", ["a", "b"]],
    ["a = 2", ["a"]],
    ["await a", ["a"]],
    ["(", []],
    ["a b", ["a"]],
    ["", []],
    ["'use strict'", []],
    ["import 'x'", []],
    ["`${a}`", ["a"]],
    ["({ a })", ["a"]],
    ["a()", ["a"]],
    ["  {}", []],
    ["{", []],
    ["function f() { return a }", ["a"]],
    ["/* c */ a", ["a"]],
  ] as const)
    await calls.does(`evaluated ${JSON.stringify(source)}`, () =>
      emitEvaluation(compiler, source, given, 'THE["exports"]').split("\n"),
    );
  const cell = parse("let a = 1;\nlet b = 2;");
  const other = Object.assign(parse("other"), { fileName: join(folder, "sub", "other.ts") });
  const finding = (file: unknown, start: number, messageText: unknown) =>
    ({ file, start, length: 3, messageText, code: 7, category: 1 }) as never;
  const chain = {
    messageText: "first",
    code: 1,
    category: 1,
    next: [
      { messageText: "second", code: 2, category: 1, next: [{ messageText: "third", code: 3, category: 1 }] },
      { messageText: "fourth", code: 4, category: 1 },
    ],
  };
  let asked = 0;
  calls.note(
    "findings",
    findingsOf(
      compiler,
      [
        finding(cell, 11, "x"),
        finding(undefined, 0, "of no file"),
        finding(other, 1, chain),
        finding(cell, 4, chain),
      ],
      cell,
      folder,
      () => `fix ${++asked}`,
    ),
  );
  calls.note("of none", findingsOf(compiler, [finding(other, 4, "x")], undefined, folder));
  calls.note(
    "fixes",
    findingsOf(
      compiler,
      Array.from({ length: 7 }, (_, i) => finding(cell, i, `m${i}`)),
      cell,
      folder,
      ({ start }) => (start === 1 ? undefined : `fix ${start}`),
    ).map(({ fix }) => fix),
  );
  const chains = new Chains();
  const symbols = Array.from({ length: 200 }, (_, i) => ({ name: `s${i}` }));
  for (const [i, symbol] of symbols.entries())
    chains.add([symbol] as never, (i === 0 ? [] : [symbols[i - 1]]) as never);
  chains.add([{ name: "alone" }] as never, []);
  const read: string[] = [];
  const checker = { getTypeOfSymbol: ({ name }: { name: string }) => void read.push(name) };
  chains.prepare(checker as never);
  chains.prepare(checker as never);
  calls.note("chains", read.splice(0));
  chains.prepare({ ...checker } as never);
  calls.note("chains of another checker", read);
  const steps = (source: string) => {
    const file = new LiveProgram(compiler, folder, "typescript").parse(source);
    type Flow = { antecedent?: Flow | Flow[] };
    let count = 0;
    let at = (file.statements.at(-1) as unknown as { expression: { flowNode?: Flow } }).expression.flowNode as
      | Flow
      | undefined;
    for (; at; at = (Array.isArray(at.antecedent) ? at.antecedent[0] : at.antecedent) as Flow | undefined)
      count++;
    return count;
  };
  const lines = (count: number, line: (i: number) => string) =>
    `${Array.from({ length: count }, (_, i) => line(i)).join("\n")}\nx`;
  for (const [name, line] of Object.entries({
    constants: (i: number) => `const c${i} = ${i};`,
    typed: (i: number) => `const c${i}: number = ${i};`,
    variables: (i: number) => `let c${i} = ${i};`,
    patterns: (i: number) => `const [c${i}] = [${i}];`,
  }))
    for (const count of [99, 100, 101])
      await calls.does(`steps past ${count} ${name}`, () => steps(lines(count, line)));
  await calls.does("steps past 100 constants and one typed", () =>
    steps(`const t: 1 | 2 = 1;\n${lines(100, (i) => `const c${i} = ${i};`)}`),
  );
  calls.approve("kernel/compiler/liveParts");
});

test("types narrow behind a hundred constants as before them", () => {
  const calls = new Calls({ folder });
  const many = Array.from({ length: 120 }, (_, i) => `const many${i} = ${i};`).join("\n");
  for (const source of [
    `${many}\nconst either: string | number = 'text';\neither.length`,
    `${many}\nconst either: string | number = 4;\neither.length`,
    `const either: string | number = 'a';\n${many}\neither.length`,
    `${many}\nlet open: string | undefined = 'a';\nopen.length`,
  ])
    calls.note(
      source.replace(many, "…").replaceAll("\n", " "),
      String(told(made.compile(source)))
        .replace(/const many[\s\S]*many119 = many119;?/, "…")
        .slice(-200),
    );
  calls.approve("kernel/compiler/liveNarrowing");
});
