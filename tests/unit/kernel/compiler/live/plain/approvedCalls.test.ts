// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are texts with templates in them
import { test } from "node:test";
import {
  type CellNames,
  emitFile,
  emitWhole,
  lastExpression,
} from "../../../../../../src/kernel/compiler/live/emit";
import { Edits } from "../../../../../../src/kernel/compiler/live/plain/edits";
import { plainCell } from "../../../../../../src/kernel/compiler/live/plain/plainCell";
import { LiveProgram } from "../../../../../../src/kernel/compiler/live/program";
import { Scope } from "../../../../../../src/kernel/compiler/live/scope";
import { loadTypeScript } from "../../../../../../src/kernel/compiler/typescript";
import { Calls } from "../../../../../support/calls";
import { temporaryFolder } from "../../../../../support/temporaryFolder";

const compiler = loadTypeScript();

/** Declared before all others. */
const earlier = `
let a: any = 1; const b = 2; var c = 3;
function call(...given: any[]): any { return given; }
class Box<T = any> { constructor(public value?: any) {} method(x?: any): any { return x; } }
interface Shape { x: number }
type Name = string;
enum Color { Red, Green }
let __double = 4; let ü = 5;
`;

const cells = [
  "",
  "1",
  "a",
  "a;",
  "a; ;",
  "'use strict'",
  "'use strict'; a",
  "a; 'b'",
  "// only\n",
  "/* c */ a /* d */",
  "a // end",
  "{ a }",
  "if (a) b",
  "let z",
  "let z = 1",
  "let z = 1, y = 2",
  "let z: number",
  "let z!: number",
  "const { p, q: r, ...s } = a",
  "const [k, [l = 1]] = a",
  "let m; m = 3",
  "let m = 1; m += 2; m++; ++m; m--",
  "let m = 1; m++",
  "let m = 1; const n = m++",
  "let m; [m] = a",
  "let m; ({ m } = a)",
  "let m; (m) = 1",
  "let m; (m as any) = 1",
  "let m; for (m of a) m",
  "let m; for (m in a) {}",
  "let m = 0; for (; m < 3; m++) ;",
  "let m = 0; for (; m++ < 3; ) ;",
  "let m; m ??= 1; m ||= 2; m **= 3",
  "let m = 1; !++m",
  "let m; { let m = 1; m = 2 } m = 3",
  "let m; function f(m) { m = 1 } m = 2",
  "for (var i = 0; i < 3; i++) i",
  "for (let i = 0; i < 3; i++) i",
  "if (a) { var inner = 1 }",
  "{ function g() {} }",
  "{ let h = 1; h = 2 }",
  "function f() { var i = 1; return i }",
  "function f(): void {}",
  "function f(x: number, y?: string, ...z: any[]): string { return y }",
  "function over(x: string): void;\nfunction over(x: any) { x }",
  "function f(this: Box, x = a) { return this }",
  "function f(this: any) {}",
  "function f<T>(x: T): x is T { return true }",
  "async function f() { await a }",
  "function* f() { yield a }",
  "export function f() {}",
  "export default 3",
  "export { b as d }",
  "function f() {} function f2() { f() } f = null as any",
  "class A {}",
  "class A extends Box<string> implements Shape { x = 1 }",
  "class A { private readonly p: number = 1; static q?: string; declare r: number; #s = 2; [key: string]: any; override toString() { return '' } }",
  "class A { constructor(private x: number) {} }",
  "abstract class A { abstract m(): void; n() { return 1 } }",
  "class A { get g(): number { return 1 } set g(v: number) {} static { a } }",
  "class A { m?(): void {} }",
  "class A { accessor x = 1 }",
  "class A { f = () => this; async *g() {} }",
  "const C = class Named { m() {} }",
  "@call class A {}",
  "class A { @call m() {} }",
  "interface I { x: number }",
  "interface I {} let i: I = {}",
  "type T = { a: 1 }\na",
  "declare let outside: number",
  "declare function outer(): void",
  "enum E { A = 1, B }",
  "const enum E { A }",
  "namespace N { export const x = 1 }",
  "declare global { interface Window2 {} }",
  "import x from 'node:fs'",
  "import type { Stats } from 'node:fs'",
  "import fs = require('node:fs')",
  "await import('node:fs')",
  "import('node:' + a)",
  "import.meta",
  "new.target",
  "function f() { return new.target }",
  "a as number",
  "a!",
  "a satisfies any",
  "<number>a",
  "a as any as string",
  "(a as any).b",
  "a! + b!",
  "a + b as any",
  "a + b as any * c",
  "(a + b as any) * c",
  "a as any, b",
  "`${a as string}`",
  "[a as any, b!]",
  "{ (a as any) }",
  "call(a as any)",
  "a as any\n(b)",
  "a as any;[b]",
  "const t = <T,>(x: T) => x",
  "const t = <T>(x: T): T => x",
  "const t = async <T>(x: T) => x",
  "const t = (x: number): number => x",
  "const t = (x?: number, ...y: any[]) => ({ x })",
  "const t = (\n x: number\n): number => x",
  "const t = (x): { y: number } => ({ y: x })",
  "const t = (x: number)\n: number => x",
  "const t = x => x",
  "const t = async x => await x",
  "a.b",
  "a.c",
  "({ a })",
  "({ a, b: 1, c })",
  "({ a: b })",
  "({ [a]: b })",
  "({ a() { return b } })",
  "({ get a() { return 1 } })",
  "a?.b?.[c]",
  "a()",
  "a?.()",
  "a.b()",
  "new a()",
  "new a.b(c)",
  "call`x${a}`",
  "a`x`",
  "(a)()",
  "(0, a)()",
  "a(a, a)",
  "typeof a",
  "delete a.b",
  "a = 5",
  "a += 1",
  "a++",
  "++a",
  "const d = a++",
  "[a, c] = [1, 2]",
  "({ a, b: c } = call())",
  "for (a of []) ;",
  "for (const a of []) a",
  "try { a } catch (a) { a } finally { a }",
  "function f(a) { return a + b }",
  "let fn = a => a",
  "let fn = ({ a }) => a",
  "let fn = ({ b: a, c = b }) => a + c",
  "class a {}",
  "var a = 2",
  "let b = b1(); function b1() { return 1 }",
  "a: for (;;) { break a }",
  "a: while (c) continue a",
  "class K { a = a; b() { return this.b } static c = b }",
  "__double + ü",
  "__double = 1",
  "let __own = 1; __own++",
  "let ü2 = ü",
  "while (a) b",
  "do a; while (b)",
  "for (;;) {}",
  "while (a) { 'x'; b }",
  "while (a) { 'x' }",
  "for (const x of a) for (const y of x) y",
  "while (a) if (b) c; else break",
  "const f = () => { }",
  "const f = () => { 'use strict'; return a }",
  "const f = () => a, g = () => (b)",
  "const f = () => ({})",
  "const f = function () { 'use strict' }",
  "for await (const x of a) x",
  "await a",
  "const w = await a",
  "(async () => { await a })()",
  "using u = a",
  "await using u = a",
  "label: { break label }",
  "switch (a) { case b: let d = 1; break; default: c }",
  "throw a",
  "debugger",
  "var v; var v = 2; v",
  "with (a) b",
  "a\n++\nb",
  "let x = 1\n;[a]",
  "let x = a\nlet y = b",
  "return",
  "a /* <!-- */",
  "a --> b",
  "a <!-- b",
  "#!x",
  "/regex/.test(a)",
  "1..toFixed()",
  "a ? b : c",
  "a ? (b as any) : c!",
  "x => x",
  "a\r\nb\r\nlet t: number = 1\r\n",
  "let u: string =\n  'x' as\n  any\na",
  "let l1: {\n  a: number;\n} = { a: 1 };\na",
  "a as {\n  b: 1\n}\nb",
  "let \u0061z = 1",
  "𝒳; let 𝒳 = 1",
  "let s = 'é😀'; s",
  "let o = { m<T>(x: T): void {}, async n?(): Promise<void> {} } as any",
  "function f(x = <any>a) {}",
  "let g: typeof a = a; let h: Name = 'x'; let i: Color = Color.Red",
  "Color.Green",
  "new Box<number>(1).method(a!)",
  "call<string>(a)",
  "call<\n string\n>(a)",
  "a < b > (c)",
  "let v1 = a as const",
  "export let w1 = 1; w1 = 2",
  "export const { e1, e2: [e3] } = a",
  "declare const q1: number; q1",
  "let x1 = 1, x2: number, x3 = x1; x2 = 4",
];

function harness() {
  const live = new LiveProgram(compiler, temporaryFolder("plain"), "typescript");
  const scope = new Scope(compiler);
  const made = (source: string, commit = false) => {
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
    const known = {
      given: new Set(names.given),
      exported: new Set(names.exported),
      own: own.symbols,
      checker,
    };
    const plain = plainCell(compiler, file, known, lastExpression);
    if (commit) scope.commit(own, held, checker);
    return { names, plain, whole: () => emitWhole(compiler, source, names) };
  };
  made(earlier, true);
  return made;
}

const head = '__luvit_define(exports, "__esModule", { value: true });\n';
const check = 'typeof __luvit_stop === "object" && __luvit_stop[0] && __luvit_halt()';
const short = (code: string) => code.replace(head, "").replaceAll(check, "CHECK");

test("cells by changes of their text are approved", () => {
  const calls = new Calls();
  const made = harness();
  for (const source of cells) {
    const { names, plain } = made(source);
    calls.note(JSON.stringify(source), {
      given: names.given.join(" "),
      exported: names.exported.join(" "),
      last: plain?.hasLast,
    });
    calls.lines.push(
      ...(plain
        ? short(plain.text.text)
            .replace(/\n$/, "")
            .split("\n")
            .map((line) => `  ${JSON.stringify(line)}`)
        : ["  (the compiler's)"]),
    );
    if (plain)
      calls.note(
        "  from",
        Array.from({ length: Math.min(30, plain.text.text.length - head.length) }, (_, at) =>
          plain.text.original(head.length + at),
        ).join(" "),
      );
  }
  calls.approve("kernel/compiler/plain");
});

test("cells as the compiler makes them are approved", () => {
  const calls = new Calls();
  const made = harness();
  for (const source of cells
    .filter((_, i) => i % 2 === 0)
    .concat(
      "enum E { A }",
      "import { sep } from 'node:path'; sep",
      "let x = 1; { let x = 2; class x2 {} } switch (x) { case 1: let x3 = 3 }",
      "let k = 1; if (a) { const k = 2; k }",
      "export * from 'node:path'",
      "1; export { b2 }; let b2 = 3",
      "export default class {}",
    )) {
    const { names, whole } = made(source);
    const { code, hasLast, locate } = whole();
    calls.note(JSON.stringify(source), [names.exported.join(" "), hasLast, locate(2, 1), locate(3, 5)]);
    calls.lines.push(
      ...short(code)
        .split("\n")
        .map((line) => `  ${JSON.stringify(line)}`),
    );
  }
  for (const source of [
    "export const a = 1; a",
    "import b from './b';\nexport default b as number",
    "export async function f() { for (;;) await 1 }",
  ]) {
    const { code, locate } = emitFile(compiler, source, "/x/file.ts");
    calls.note(`file ${JSON.stringify(source)}`, [short(code).split("\n"), locate(2, 1), locate(3, 1)]);
  }
  calls.approve("kernel/compiler/emit");
});

test("edits of a cell's text are approved", async () => {
  const calls = new Calls();
  const text = "ab: c\n1 .d\r\n/ /x\u2028y é:f";
  for (const [start, end] of [
    [0, 0],
    [2, 1],
    [1, 4],
    [1, 7],
    [2, 4],
    [0, 1],
    [7, 8],
    [13, 14],
    [6, 8],
    [5, 6],
    [10, 12],
    [16, 18],
    [3, 20],
    [19, 21],
    [20, 21],
    [0, 99],
  ])
    await calls.does(`blank ${start} ${end}`, () => {
      const edits = new Edits(text);
      edits.blank(start!, end!);
      return edits.made().text;
    });
  for (const ranges of [
    [2, 4],
    [2, 3, 3, 4],
    [2, 3, 3, 5],
    [1, 3, 3, 4],
    [2, 3, 4, 5],
    [8, 9, 9, 10],
    [14, 15, 15, 16],
    [19, 20, 20, 21],
  ])
    await calls.does(`blank one after the other ${ranges}`, () => {
      const edits = new Edits("ab<>cd 1<>.e /<>/ é<>ü");
      for (let at = 0; at < ranges.length; at += 2) edits.blank(ranges[at]!, ranges[at + 1]!);
      return edits.made().text;
    });
  await calls.does("all", () => {
    const edits = new Edits(text);
    const log: unknown[] = [edits.nowhere, edits.isBeyond];
    edits.insert(0, "(");
    edits.blank(0, 1);
    edits.blank(1, 2);
    edits.insert(3, "X", edits.nowhere);
    edits.replace(4, 5, "long");
    edits.beyond();
    const made = edits.made();
    return [
      ...log,
      edits.isBeyond,
      made.text,
      Array.from({ length: 14 }, (_, at) => made.original(at)).join(" "),
      edits.hasLines(0, 5),
      edits.hasLines(0, 6),
      edits.hasLines(14, 17),
    ];
  });
  calls.approve("kernel/compiler/plainEdits");
});
