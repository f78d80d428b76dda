import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type * as ts from "typescript";
import { packageRoot } from "../../../../src/core/packageRoot";
import { type CellNames, emitWhole, lastExpression } from "../../../../src/kernel/compiler/live/emit";
import { plainCell } from "../../../../src/kernel/compiler/live/plain/plainCell";
import { type CellFile, LiveProgram } from "../../../../src/kernel/compiler/live/program";
import { Scope } from "../../../../src/kernel/compiler/live/scope";
import { loadTypeScript } from "../../../../src/kernel/compiler/typescript";
import { joinLines, readNotebook } from "../../../../src/notebook/nbformat";
import { temporaryFolder } from "../../../support/temporaryFolder";

/* Cells become JavaScript by changes of their text. What comes of that is held against the compiler's own. */

const compiler = loadTypeScript();
const folder = temporaryFolder("plain-cells");
const live = new LiveProgram(compiler, folder, "typescript");

/** Both ways' code of cells that come one after the other; what a cell lacks of types is not asked. */
function* bothOf(cells: readonly string[]) {
  const scope = new Scope(compiler);
  for (const source of cells) {
    const file = live.parse(source);
    const own = scope.own(file);
    scope.open(file);
    live.prepare(source, []);
    const { checker } = live;
    live.findings(file);
    scope.close(file, own, checker);
    const held = scope.valuesOf(own, checker);
    const names: CellNames = {
      fileName: file.fileName,
      given: scope.valuesIn(source).filter((name) => !held.has(name)),
      exported: [...held].filter((name) => !own.exported.has(name)),
    };
    const whole = emitWhole(compiler, source, names);
    const { given, exported } = names;
    const known = { given: new Set(given), exported: new Set(exported), own: own.symbols, checker };
    const plain = plainCell(compiler, file, known, lastExpression);
    scope.commit(own, held, checker);
    yield { source, file, whole, plain, text: plain?.text };
  }
}

/** What code is, but for brackets around values, empty statements, blanks and comments. */
function shape(code: string): string {
  const file = compiler.createSourceFile("x.js", code, compiler.ScriptTarget.ES2022, true);
  const { parseDiagnostics } = file as CellFile;
  assert.deepEqual(
    parseDiagnostics.map(({ messageText }) => messageText),
    [],
    code,
  );
  const parts: string[] = [];
  const visit = (node: ts.Node): void => {
    if (compiler.isEmptyStatement(node)) return;
    if (compiler.isParenthesizedExpression(node)) {
      visit(node.expression);
      return;
    }
    const { text, operator, flags } = node as ts.Node & { text?: string; operator?: ts.SyntaxKind };
    const words = compiler.isSourceFile(node) ? "" : (text ?? "");
    const list = compiler.isVariableDeclarationList(node) ? flags & compiler.NodeFlags.BlockScoped : "";
    parts.push(`(${compiler.SyntaxKind[node.kind]} ${words}${operator ?? ""}${list}`);
    compiler.forEachChild(node, visit);
    parts.push(")");
  };
  visit(file);
  return parts.join("\n");
}

/** Holds both ways against each other; returns how many cells are plain, and how many there are. */
function compare(cells: readonly string[]): [plain: number, all: number] {
  let count = 0;
  for (const { source, whole, plain, text } of bothOf(cells)) {
    if (!plain || !text) continue;
    count++;
    assert.equal(shape(text.text), shape(whole.code), source);
    assert.equal(plain.hasLast, whole.hasLast, source);
  }
  return [count, cells.length];
}

const plainOf = (...cells: string[]): boolean[] => [...bothOf(cells)].map(({ plain }) => plain !== undefined);

const kinds: readonly string[] = [
  "let count = 1; var total: number = 2; const name = 'a', [first, { second = 3, ...rest }]: any = [1, {}];",
  "count = 2; total += 1; ++count; count--; for (count of [1]) total; ({ count, total: total } = { count: 1, total: 2 });",
  "let own = 1; own = 2; own += 3; own ||= 4; own++; --own; for (; own < 3; own++) {}; const copy = own = 5, minus = -(++own);\nown",
  "function add(a: number, b?: number): number;\nfunction add(this: void, a: number, b = 1, ...more: number[]) { own = a; return a + b + more.length; }\nadd(1)",
  "add(2); add!(3); (add as any)(4); (add satisfies unknown)(4); add`5`; add?.(5); new (add as any)(); String.raw`x`; [add].map((add) => add(1));",
  "async function* later<T extends object>(this: unknown, of: T): AsyncGenerator<T> { 'use strict'; for await (const one of [of]) yield one }",
  "abstract class Base<T> { static s?: T; declare gone: string; abstract left: number; abstract m(): void; private readonly kept: T | undefined = undefined; [key: string]: any; x!: number\n  protected ['y'] = 1; get g(): number { return 1 } set g(v: number) {} static { own = 3; for (;;) break } }\nclass Derived extends Base<string> implements Iterable<number> { override m(): void {} constructor() { super(); while (false); } *[Symbol.iterator](): Iterator<number> { yield add(1) } }",
  "interface Point { x: number }\ntype Pair<T> = [T, T]\nlet point = { x: 1 } as Point\n;[point] satisfies Pair<Point>[number][]\nconst made = <T,>(x: T): T => x",
  "const sum = (values: readonly number[]): number => { let total = 0; for (const value of values) total += value; return total }, twice = async (x = 1) => x * 2, short = (total: number) => ({ total, count, add })",
  "if (count) count = 1\nelse total = 2\ndo total++; while (total < 3)\nlabel: for (const key in rest) { if (key) continue label; else break }\nswitch (count) { case 1: { let count = 3; count = 4; total = count; break } default: total = 5 }\ntry { throw new Error('x') } catch (error: unknown) { String(error) } finally { own }",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a cell's
  "const text = `a${count}b${add(1)}`, pattern = /a/giu, big = 10n, hex = 0x10, parts = [...text, , count], { length }: { length: number } = text",
  "const found = await import('node:fs'); const lazy = () => import('node:path'); typeof count; void total; delete (rest as any).x; count ? total : own; count ?? total; rest?.a?.[0]!.b",
  "const instance = new Map<string, Array<number>>(), empty = new Set<number>; instance.get('a')!.push(1); const get = instance.get<string>; add<number>(1); [1].map<number>((x) => x);",
  "var add2 = function named(this: any) { return named }, cls = class Inner { static of = Inner; #p = 1; has(o: object) { return #p in o } }; function nested() { var count = 1; count = 2; function add() { count++ } return add() }",
  "let a1 = 1, b1 = 2; a1 = b1 = 3; [a1 ? b1 : 0]; const c1 = { a1, b1, m() { return a1 }, get g() { return b1 }, async *[`k`]() {}, 'q': a1, 5: b1, ...{ a1 } }; a1, b1",
  "const maybe: string | undefined = 'a'; const isIn = maybe!in { a: 1 }, isOf = (maybe as any)!instanceof Object, of\u00e9 = maybe!; of\u00e9",
  "let z1: number | undefined\nz1 = z1! + 1\nconst q1 = z1!\n(q1 as any)?.toFixed<never>(1)\nexport_1()\nfunction export_1() { return z1 as unknown as string }",
];

const beyond: readonly string[] = [
  "import { join } from 'node:path'; join('a')",
  "export const x = 1;",
  "enum Kind { A }",
  "namespace Space { export const a = 1 }",
  "function mark(...args: any[]): any {}\n@mark class Marked {}",
  "class Point { constructor(readonly x: number) {} }",
  "const tag = <div />;",
  "const value = <any>1;",
  "for (var index = 0; index < 2; index++) {}",
  "let n = 1; const m = n++;",
  "let n = 1; [n] = [2];",
  "let n = 1; ({ n } = { n: 2 });",
  "let n = 1; for (n of [2]) n;",
  "let n = 1; [n = 3] = [2];",
  "let n = 1; n++",
  "let n = 1; n! += 1;",
  "'use strict'; 1",
  "let n = 3, sum = 0; while (n\n--> 0) sum += 1;",
  "{ using x = { [Symbol.dispose]() {} } }",
  "declare const nowhere: number;",
  "const f = (a: number): {\n  b: number } => ({ b: a });",
  "class A { accessor x = 1 }",
  "let n = 2; for (; n--; ) n;",
  "const f = (a: number)\n: number => a;",
  "const f = (a: number) /* ) */ : number => a;",
  "const f = async <T>\n(x: T) => x;",
  "function f() { return <T>\n(x: T) => x }",
  "1 + 2 as number * 3",
  "-1 as number ** 2",
  "2 * 3 satisfies number << 1",
  ...["+", "-", ">>", ">>>"].map((sign) => `1 << 2 as number ${sign} 1`),
  ...["*", "/", "%", "**"].map((sign) => `(5) - 3 as number ${sign} 2`),
  "const n = 2, smaller = 1<!--n; smaller",
];

/** As a stranger writes: names that are words elsewhere, no semicolons, comments and lines in odd places. */
const odd: readonly string[] = [
  ...["", "// only", ";", "type A = 1", "export type B = 1\nexport interface C {}\nlet b1: B = 1; b1"],
  "let async = 1, of = 2, type = 3, get = 4, as = 5, from = 6, namespace = 7, satisfies = 8;\ntype = 4\nas = as as any\nasync = 2\nnamespace",
  "type\nas as number\nasync\nof\nget\nfor (const q of [of]) of\nfor (async in {}) {}\nsatisfies satisfies number\n({ async, of, type, get, as })",
  "let ünï = 1, ñ$ = 2, 变量 = 3, 𝒳 = 4, __y = 5; 变量 = 5; 𝒳 += 1; __y++\n$1\nvar $1 = ünï",
  "ünï + ñ$ + 变量 + 𝒳; __y = 3; ({ 变量, 𝒳, __y })",
  "let \\u0061bc = 1; \\u0061bc = 2; abc",
  "outer: for (const a of [1]) { inner: while (true) { if (a) break outer; continue inner } }\nlet outer = 1; outer: for (;;) { outer++; break outer }",
  "outer: for (;;) { outer++; break outer }\nouter",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a cell's
  "const t1 = `a${`b${((x: number): string => `${x}`)(1)}`}${1 as any}`, re = /a\\/[/:<T>]b/u, q1 = 4 / 2 / 1; re.test(t1) ? /:/ : /[?]/g",
  "let fn: any = 1; fn.a?.b!.c; (fn?.a as any).b; fn!.x!++; fn!['y'] = 1; delete fn!.z; fn! || 1\nfn!\n++fn.x",
  "fn\n`x`\nfn<number>(3)\n(4)\nnew fn<number>\nnew (fn())()\nfn!?.(1)\n;(fn)`x`\nfn()!.y\nclass F extends fn(1) {}\nclass G extends (fn as any)<number> {}\nfn++; (fn as any) = 3; [fn, fn.y] = [1, 2]; ({ fn = 4 } = {} as any); for (fn of [1]) fn",
  "class K1 { private\n x = 1\n readonly y\n = 2; get = 1; static static = 2; async: number\n set?: string\n ['z'] = 1\n abstract\n constructor(); constructor(a?: number) {} }",
  "let p /* a */ : /* b */ number /* c */ = /* d */ 1 // e\np /* f */ as /* g */ any /* h */ ; p /* i */ ! // j\n/* k */ p = p // l\n/* m */ + p",
  "function th(this: { a(x: number, y: string): void }, /* , */ b = 1) {}\nfunction th2(this: any /* ) */) {}",
  "const ar = (\n  x: number,\n  y?: { a: 1,\n b: 2 },\n): x is any => true, ar2 = async <T,>(x: T): Promise<T> => x",
  "const big = function <\n T>(a: T,\n b = 1 as any): {\n a: T } { return { a } }\nnew Map<\nstring, Array<Array<number>>>(\n)",
  "let s1 = 1; switch (s1) { case s1 as any: s1++; s1--; default: s1 = 2 }; s1 = s1 = 2, s1 += s1 -= 1; s1 ? s1 = 1 : s1 = 2; (a = s1 = 3) => s1 = a",
  "let s2 = 1; (function () { s2 = 4; var s2 = 5; }); (s2 => s2 = 3); try { } catch (s2) { s2 = 1 } function s3(exports: any, last = s2) {}",
  "1!.toFixed(); [1 satisfies number]; /a/!/1; const re2 = /b/; re2!!in {}; re2!instanceof RegExp",
  "class W1<T>extends Map<T, T>implements Iterable<any>{ static readonly#p = 1; private readonly q = 2 }\nasync<T>(x: T)=>x; [async<T,>(x: T):Promise<T>=>x]",
  "let s5 = 1, s6 = 2; { let s5 = 2; s5++ } { const { s6 } = { s6: 3 }; s6 } switch (1) { case 1: class s5 {} default: const s6 = 4 } s5 = s6",
  "let low = 1, lower = 2; low as number < lower; low + lower as number; low as any ?? lower as any; low as number === lower && lower as any",
];

test("every kind of statement and expression becomes what the compiler makes of it", () => {
  const isPlain = [...bothOf(kinds)].map(({ plain, source }) => (plain ? "" : source));
  compare(kinds);
  assert.deepEqual(
    isPlain.filter((source) => source !== ""),
    [],
  );
});

test("functions read as they were written, but for their types", () => {
  const source =
    "function join<T>(this: void, a: readonly T[], b?: string): string { return a.concat(b!) as any }";
  const [one] = [...bothOf([source])];
  assert.match(one!.text!.text, /function join\( a, b\) \{/);
  assert.match(one!.text!.text, /return a\.concat\(b\);? \}/);
});

test("and so does what is written in an odd way", () => {
  const [plain] = compare(odd);
  assert.equal(plain, odd.length);
});

test("every loop and every function notices an interrupt, once, whichever way its code is made", () => {
  const bodies = [
    ...["for (;;) n", "for (const a in {}) n", "for (const a of []) n", "while (n) n", "do n; while (n)"],
    ...["for (;;) { }", "while (n) { n }", "do { } while (n)", "for await (const a of []) { }"],
    ...["function f() { }", "const f = () => n", "const f = async () => { }", "const f = function* () { n }"],
    ...["class A { m() { } }", "class A { constructor() { n } }", "const o = { get g() { return n } }"],
  ];
  for (const { source, whole, text } of bothOf(["let n = 0;", ...bodies])) {
    const wanted = source.startsWith("let") ? 0 : 1;
    for (const code of [whole.code, text!.text])
      assert.equal(code.split("__luvit_halt()").length - 1, wanted, code);
  }
});

test("what only the compiler can transform is left to it", () => {
  for (const source of beyond) assert.deepEqual([source, ...plainOf(source)], [source, false]);
});

test("the cells of the notebooks become what the compiler makes of them", () => {
  const notebooks = join(packageRoot(), "notebooks");
  const paths = readdirSync(notebooks, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".ipynb"));
  for (const path of paths) {
    const { cells } = readNotebook(join(notebooks, path));
    const sources = cells
      .filter(({ cell_type }) => cell_type === "code")
      .map(({ source }) => joinLines(source));
    const [plain] = compare(sources.filter((source) => !/^\s*[%!]/m.test(source)));
    assert.ok(plain > 0, path);
  }
});

test("a tenth of the library's own code, as cells, becomes what the compiler makes of it", () => {
  const root = join(packageRoot(), "src");
  const files = readdirSync(root, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".ts"));
  let [plain, all] = [0, 0];
  for (const name of files.sort().filter((_, index) => index % 10 === 0)) {
    const [some, of] = compare(asCells(readFileSync(join(root, name), "utf8")));
    plain += some;
    all += of;
  }
  assert.ok(plain > all / 2, `${plain} of ${all} are plain`);
});

/** The statements of a file but for its imports, in two cells, of which the second uses what the first declares. */
function asCells(text: string): string[] {
  const file = compiler.createSourceFile("x.ts", text, compiler.ScriptTarget.ES2022, true);
  const own = file.statements.filter(
    (one) => !compiler.isImportDeclaration(one) && !compiler.isExportDeclaration(one),
  );
  const texts = own.map((one) => one.getText().replace(/^export /, ""));
  const half = Math.ceil(texts.length / 2);
  return [texts.slice(0, half), texts.slice(half)]
    .filter((part) => part.length > 0)
    .map((part) => part.join("\n"));
}
