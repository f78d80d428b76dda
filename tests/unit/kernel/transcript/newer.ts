import type { Transcript } from "./play";

const silent = {};
const shows = (value: string) => ({ value });

/** What only the newer compiler can. */
export const newer: Record<string, Transcript> = {
  "cells may be modules": [
    [
      "/** @module shapes */\nexport const sides = 4;\nexport function area(x: number) { return x * x; }",
      silent,
    ],
    ['import { area, sides } from "./shapes";\narea(sides)', shows("16")],
    ["/** @module shapes */\nexport const sides: number = 'no';", { fails: /TS2322/ }],
    ["/** @module shapes */\nexport const sides = 3;", silent],
    ['import { sides } from "./shapes";\nsides', shows("3")],
  ],
  "a name is a type and a value, each declared anew by itself": [
    ["interface Place { at: number }", silent],
    ["const Place = 1;", silent],
    ["const Place = 2;\nconst here: Place = { at: Place };\nhere.at", shows("2")],
    ["interface Place { at: string }\nconst there: Place = { at: String(Place) };\nthere.at", shows("2")],
  ],
  "names may begin with two underscores": [
    ["const __a = 1;", silent],
    ["const b = __a + 1;\nb", shows("2")],
    ["function __f() { return __a; }\n__f()", shows("1")],
  ],
  "using disposes at the end of the cell": [
    [
      "using file = { name: 'f', [Symbol.dispose]() { console.log('closed'); } };\nconsole.log(file.name);",
      { text: "f\nclosed\n" },
    ],
    ["file", { fails: /Cannot find name 'file'/ }],
    [
      "await using late = { async [Symbol.asyncDispose]() { await null; console.log('closed late'); } };\nconst kept = 5;",
      { text: "closed late\n" },
    ],
    ["kept", shows("5")],
    [
      "function f() { using x = { [Symbol.dispose]() { console.log('x'); } }; return 1; }\nf()",
      { value: "1", text: "x\n" },
    ],
    ["using wrong = { close() {} };", { fails: /TS2850/ }],
  ],
  "decorators are those of the standard": [
    [
      "function loud<T extends (...given: any[]) => any>(method: T, { name }: ClassMethodDecoratorContext) {\n  return function (this: unknown, ...given: any[]) { console.log(String(name)); return method.apply(this, given); } as T;\n}",
      silent,
    ],
    ["class Dog { @loud bark(times: number) { return 'wuff'.repeat(times); } }", silent],
    ["new Dog().bark(2)", { value: "wuffwuff", text: "bark\n" }],
    ["class Cat { @loud age = 3; }", { fails: /TS1240/ }],
  ],
  "NoInfer and inferred predicates": [
    ["function first<T>(all: T[], otherwise: NoInfer<T>): T { return all[0] ?? otherwise; }", silent],
    ["first(['a'], 5)", { fails: /TS2345/ }],
    ["const texts: string[] = [1, 'a', 2].filter((x) => typeof x === 'string');\ntexts", shows("[ 'a' ]")],
    ["const wrong: number[] = [1, 'a'].filter((x) => typeof x === 'string');", { fails: /TS2322/ }],
  ],
  "import attributes and names of files with their endings": [
    [
      'import data from "./data.json" with { type: "json" };\ndata.size + 1',
      shows("3"),
      {
        "data.json": '{ "size": 2 }',
        "part.ts": "import { other } from './other.ts';\nexport const both = [1, other];\n",
        "other.ts": "export const other = 2;\n",
      },
    ],
    ["data.nothing", { fails: /TS2339/ }],
    ['import { both } from "./part.ts";\nboth', shows("[ 1, 2 ]")],
    ['(await import("./other.ts")).other', shows("2")],
    ['import { other } from "./other.ts";\nother', shows("3"), { "other.ts": "export const other = 3;\n" }],
  ],
  "elements are calls of the function that the cell names": [
    ["const h = (tag: string, props: object, ...inner: unknown[]) => ({ tag, props, inner });", silent],
    [
      "/** @jsx h */\nconst view = <b id='x'>{1 + 1}</b>;\nview",
      shows("{ tag: 'b', props: { id: 'x' }, inner: [ 2 ] }"),
    ],
    ["view.tag", shows("b")],
    ["/* plain */\nconst text = '@jsx h';\n<string>(text as any)", shows("@jsx h")],
    ["<number>(view.inner[0] as any)", shows("2")],
  ],
  "a value keeps the type that its name had": [
    ["class A { a = 1; }\nconst first = new A();", silent],
    ["class A { b = 2; }", silent],
    ["first.a + new A().b", shows("3")],
    ["first.b", { fails: /Property 'b' does not exist on type 'A'/ }],
  ],
  "types without a name go on": [
    ["const Made = class { #x = 1; get x() { return this.#x; } };", silent],
    ["new Made().x + 1", shows("2")],
    ["const key: unique symbol = Symbol('k');\nconst held = { [key]: 1 };", silent],
    ["held[key].toFixed(1)", shows("1.0")],
  ],
  "declarations may be added to": [
    [
      "declare global { interface Array<T> { last(): T; } }\nArray.prototype.last = function () { return this[this.length - 1]; };\nvoid 0;",
      silent,
    ],
    ["[1, 2].last() + 1", shows("3")],
    ["['a'].last().nothing", { fails: /TS2339/ }],
  ],
  "the library is the one that this Node has": [
    ["[3, 1].toSorted()", shows("[ 1, 3 ]")],
    [
      "new Set([1]).union(new Set([2])).size",
      "union" in Set.prototype ? shows("2") : { fails: /TS2550: Property 'union' does not exist/ },
    ],
    [
      "(await Array.fromAsync([1])).length",
      "fromAsync" in Array ? shows("1") : { fails: /TS2550: Property 'fromAsync' does not exist/ },
    ],
  ],
  "names may begin with underscores": [
    ["const _one = 1, __two = 2, ___three = 3;", silent],
    ["_one + __two + ___three", shows("6")],
    ["let __two = 'again';\nclass __Four {}\n__two + new __Four().constructor.name", shows("again__Four")],
  ],
};
