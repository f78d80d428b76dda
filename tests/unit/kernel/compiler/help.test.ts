import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, describe, it, test } from "node:test";
import { packageRoot } from "../../../../src/core/packageRoot";
import type { Diagnostic } from "../../../../src/kernel/compiler/cellCompiler";
import { diagnosticLines, firstDiagnostic } from "../../../../src/kernel/compiler/diagnostics";
import { LiveCompiler } from "../../../../src/kernel/compiler/live/liveCompiler";
import { EditedFiles } from "../../../../src/kernel/compiler/tslab/editedFiles";
import { installing, parseNpmSpecifier, resolveNpm } from "../../../../src/kernel/packages/npmSpecifiers";
import { temporaryFolder } from "../../../support/temporaryFolder";

const folder = temporaryFolder("help");
const compiler = new LiveCompiler(folder, "typescript", "declare function given(): number;\n");
after(() => compiler.close());

const write = (path: string, text: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

function run(source: string): Diagnostic[] {
  const made = compiler.compile(source);
  if (Array.isArray(made)) return made;
  made.commit();
  return [];
}
const words = (source: string) => run(source).map(({ messageText }) => messageText);
const at = (marked: string) => [marked.replace("|", ""), marked.indexOf("|")] as const;
const known = (marked: string) =>
  (compiler.inspect(...at(marked))?.displayParts ?? []).map(({ text }) => text).join("");
function completed(marked: string) {
  const [source, offset] = at(marked);
  const { start, end, candidates } = compiler.complete(source, offset);
  return [source.slice(start, end), ...candidates.slice(0, 3)];
}

describe("what cells declare", () => {
  it("is the last declaration of a value and of a type each, and only what was committed", () => {
    assert.deepEqual(words("interface Both { a: 1 }\nconst Both = 5, only = 1;"), []);
    compiler.compile("const Both = 'not committed';");
    assert.deepEqual(words("const n: number = Both; const b: Both = { a: 1 };"), []);
    assert.deepEqual(words("const Both = 'text';"), []);
    assert.deepEqual(words("const n: string = Both; const b: Both = { a: 1 };"), [], "the type stays");
    assert.deepEqual(words("type Both = 2;"), []);
    assert.deepEqual(words("const n: string = Both; const b: Both = 2;"), [], "the value stays");
    assert.deepEqual(words("const b: Both = { a: 1 };").length, 1);
  });

  it("of `declare` and of types have no value that code could use", () => {
    assert.deepEqual(words("declare const nowhere: number;\ninterface Shape { x: 1 }"), []);
    const compiled = compiler.compile("typeof nowhere === 'undefined' ? given() : only");
    assert.ok(!Array.isArray(compiled));
    assert.match(compiled.code!, /typeof nowhere ===.*exports\.given\)?\(\).*exports\.only/s);
    assert.deepEqual(
      [compiled.awaits, compiled.imports, compiled.lastExpression, compiled.sideOutputs],
      [false, [], "tsLastExpr", []],
    );
    assert.deepEqual(
      words("{ using inner = { [Symbol.dispose]() {} }; }\nusing gone = { [Symbol.dispose]() {} };"),
      [],
    );
    assert.match(words("gone")[0]!, /Cannot find name 'gone'/);
  });

  it("have code only where they have some, and places as they are written", () => {
    const made = (source: string) => {
      const compiled = compiler.compile(source);
      assert.ok(!Array.isArray(compiled), source);
      return compiled;
    };
    assert.equal(made("const a = 1;").lastExpression, undefined);
    const { code, locate } = made("type T = 1;\nconst late =\n  given();");
    const lines = code!.split("\n");
    const line = lines.findIndex((one) => one.includes("exports.given"));
    const column = lines[line]!.indexOf("exports.given");
    assert.deepEqual(locate(line + 1, column + 1)!.line, 3);
    const whole = made("enum E { A }\nlet x = E.A;\n\nx");
    const last = whole.code!.split("\n").findIndex((one) => one.includes("tsLastExpr"));
    assert.equal(whole.locate(last + 1, 1)!.line, 4);
  });

  it("of a block are its own where the compiler makes the whole code", () => {
    assert.deepEqual(words("let value = 1, seen = 0;"), []);
    const compiled = compiler.compile("enum Kind { A }\n{ let value = 5; seen = value + Kind.A; }\nvalue");
    assert.ok(!Array.isArray(compiled));
    const exports: Record<string, unknown> = { value: 1, seen: 0 };
    new Function("exports", "__luvit_define", compiled.code!)(exports, () => {});
    assert.deepEqual([exports.value, exports.seen, exports.tsLastExpr], [1, 5, 1]);
    const own = compiler.compile(
      "enum More { A }\nlet held = 1, list = [2], Shape = 3;\n{ let held = 5; const { list } = { list: held }; list; }\n" +
        "switch (1) { case 1: class Shape {} default: const held = 7; }\n{ var below = 4; }\nif (held) { list = [held]; }",
    );
    assert.ok(!Array.isArray(own), JSON.stringify(own));
    const kept: Record<string, unknown> = {};
    new Function("exports", "__luvit_define", own.code!)(kept, () => {});
    assert.deepEqual([kept.held, kept.list, kept.Shape, kept.below], [1, [1], 3, 4]);
  });
});

describe("help", () => {
  it("completes the word around the cursor, those first that begin as it does, in the letters that it has", () => {
    run("const alphaOne = 1, AlphaTwo = 2, betaAlpha = 3;");
    assert.equal(completed("alph|aXX")[0], "alphaXX");
    assert.deepEqual(completed("alpha|"), ["alpha", "alphaOne", "AlphaTwo", "betaAlpha"]);
    assert.deepEqual(completed("Alpha|"), ["Alpha", "AlphaTwo", "alphaOne", "betaAlpha"]);
    assert.deepEqual(completed("[1].flatM|"), ["flatM", "flatMap"]);
    assert.deepEqual(completed('const d: Extract<"left", string> = "l|"'), ["l", "left"]);
    assert.deepEqual(completed("class A { #secret = 1; m() { this.#sec| } }"), ["#sec", "#secret"]);
    assert.deepEqual(completed('import { x } from "lu|"'), ["lu", "luvit"]);
    assert.deepEqual(completed('require("ts|")').slice(0, 2), ["ts", "tslab"]);
  });

  it("shows what a name is, of a property that is wanted too, and of a call the function with its overloads", () => {
    run(
      "function take(options: { count?: number }) {}\nclass Made { constructor(readonly size: number) {} }",
    );
    assert.equal(known("ta|ke"), "function take(options: {\n    count?: number;\n}): void");
    assert.equal(known("take({ cou|nt: 1 })"), "(property) count?: number");
    assert.equal(known("new Ma|de(1)"), "constructor Made(size: number): Made");
    assert.equal(known("new Made(|"), "Made(size: number): Made");
    assert.equal(known("nobodyKn|ows"), "");
    assert.equal(known("const a = 1|"), "");
    run(
      `${Array.from({ length: 7 }, (_, i) => `function many(a${i}: ${i}): void;`).join("\n")}\nfunction many(a: any) {}`,
    );
    const lines = known("many(3, |").split("\n");
    assert.equal(lines.length, 6);
    assert.equal(lines[5], "… and 2 more");
    assert.match(known("parseInt(|"), /^parseInt\(string: string, radix\?: number\): number$/);
    assert.match(
      compiler
        .inspect(...at("parseInt(|"))!
        .documentation!.map(({ text }) => text)
        .join(""),
      /Converts a string to an integer/,
    );
  });

  it("says what mends an error: an await, or an import of Node's own name", () => {
    run("const later = async () => [1];");
    const fix = (source: string) => run(source)[0]?.fix;
    assert.equal(
      fix("later().length"),
      "a promise stands where its value is wanted: write `(await later()).length`",
    );
    assert.equal(
      fix("for (const x of later());"),
      "a promise stands where its value is wanted: write `await later()`",
    );
    assert.match(
      fix("createHash('md5')")!,
      /^the name is known elsewhere: import \{ createHash \} from "node:crypto";$/,
    );
    assert.equal(fix("nobodyHasThis()"), undefined);
    const long = `later(${"/* long */".repeat(9)})`;
    assert.match(fix(`for (const x of ${long});`)!, /`await` is missing in front of it$/);
  });
});

test("local files that a cell imports come with it when they are new or have changed, and only then", () => {
  write("inner.ts", "export const inner: number = 1;\n");
  write("outer.ts", 'import { inner } from "./inner";\nexport const outer = inner;\n');
  write("types.d.ts", "export interface T {}\n");
  const cell = 'import { outer } from "./outer";\nimport type { T } from "./types";\nouter';
  const outputs = () => {
    const made = compiler.compile(cell);
    assert.ok(!Array.isArray(made), JSON.stringify(made));
    return made.sideOutputs.map(({ path, source, text }) => [
      path,
      source,
      text === readFileSync(source, "utf8"),
    ]);
  };
  const both = ["outer", "inner"].map((name) => [
    join(folder, `${name}.js`),
    join(folder, `${name}.ts`),
    true,
  ]);
  assert.deepEqual([outputs(), outputs()], [both, []]);
  write("inner.ts", "export const inner: number = 22;\n");
  assert.deepEqual([outputs(), outputs()], [both.slice(1), []]);
  write("inner.ts", "export const inner: string = 22;\n");
  const wrong = compiler.compile(cell) as Diagnostic[];
  assert.deepEqual(
    wrong.map(({ fileName, start }) => [fileName, start.line]),
    [["inner.ts", 0]],
  );
  assert.equal((compiler.compile(cell) as Diagnostic[]).length, 1, "as long as it is wrong");
});

test("what is wrong is worded as who wrote the cell knows it", () => {
  const finding = (messageText: string, code = 1) =>
    ({
      start: { offset: 0, line: 0, character: 0 },
      end: { offset: 0, line: 0, character: 0 },
      messageText,
      code,
    }) as Diagnostic;
  const root = packageRoot().replaceAll("\\", "/");
  const typed = finding(`Type 'import("${root}/dist/index").A' and import("${root}/dist/nn/b").B`);
  assert.match(firstDiagnostic([typed]), /1:1 - Type 'import\("luvit"\)\.A' and import\("luvit\/nn\/b"\)\.B/);
  const hints = (...findings: Diagnostic[]) =>
    diagnosticLines(findings, "x", "cell [1]").filter((line) => line.startsWith("hint"));
  for (const [python, typescript] of [
    ...[
      ["print", "console.log"],
      ["len", ".length"],
      ["range", "for (let i"],
      ["True", "`true`"],
      ["False", "`false`"],
    ],
    ...[
      ["None", "`null`"],
      ["def", "function name"],
      ["elif", "else if"],
    ],
  ] as const) {
    const [hint, ...more] = hints(
      finding(`Cannot find name '${python}'.`),
      finding(`Cannot find name '${python}'. Did you mean?`),
    );
    assert.ok(
      hint!.includes(`${python} of Python is`) && hint!.includes(typescript) && more.length === 0,
      hint,
    );
  }
  for (const code of [4020, 4094, 2527, 2742, 7056])
    assert.match(hints(finding("m", code))[0]!, /this one's type has no name there/, `${code}`);
  for (const code of [4019, 4095, 2526]) assert.deepEqual(hints(finding("m", code)), [], `${code}`);
  for (const message of [
    "Property 'a' does not exist on type 'Promise<number>'.",
    "Type 'Promise<number>' is not assignable to type 'number'.",
    "Argument of type 'Promise<A>' is not assignable to parameter of type 'A'.",
    "Operator '+' cannot be applied to types 'Promise<number>' and 'number'.",
    "Operator '+' cannot be applied to types 'number' and 'Promise<number>'.",
  ])
    assert.match(hints(finding(message))[0]!, /a promise stands where its value is wanted/, message);
  assert.deepEqual(hints(finding("Type 'number' is not assignable to type 'Promise<number>'.")), []);
  assert.deepEqual(
    hints({ ...finding("Cannot find name 'print'."), fix: "import print" }).length,
    1,
    "Python's is the better word",
  );
  assert.deepEqual(hints({ ...finding("a"), fix: "do" }, { ...finding("b"), fix: "do" }), ["hint: do"]);
});

test("npm: names a package, a range and a path of it, and nothing else", () => {
  for (const [specifier, name, range, path] of [
    ["npm:a", "a", "", ""],
    ["npm:/a", "a", "", ""],
    ["npm:a@1.2/sub/x.js", "a", "1.2", "/sub/x.js"],
    ["npm:@s/n", "@s/n", "", ""],
    ["npm:@s/n@^2 || 3/p", "@s/n", "^2 || 3", "/p"],
    ["npm:a/p@1", "a", "", "/p@1"],
    ["npm:a@", "a", "", ""],
    ["npm:a.b~c-d", "a.b~c-d", "", ""],
  ] as const)
    assert.deepEqual(parseNpmSpecifier(specifier), { name, range, path }, specifier);
  for (const wrong of ["npm:", "npm://a", "npm:@s", "npm:@/n", "npm:.a", "npm:@s/.n", "a", "npm:a b"])
    assert.equal(parseNpmSpecifier(wrong), undefined, wrong);
  for (const [wanted, word] of [
    ["a@1", "a@1"],
    ["@s/n@^2", "@s/n@^2"],
    ["a@>=1", '"a@>=1"'],
    ["a@1 || 2", '"a@1 || 2"'],
    ["~a", '"~a"'],
  ] as const)
    assert.equal(installing(wanted), `run \`!npm install ${word}\` in a cell, in ${process.cwd()}`);
  write("node_modules/bare/package.json", "{}");
  write("node_modules/@s/n/package.json", '{ "version": "2.1.0" }');
  const inner = join(folder, "deep", "er");
  assert.deepEqual(resolveNpm("npm:bare@0/x", inner), { module: "bare/x" }, "without a version it is 0.0.0");
  assert.deepEqual(resolveNpm("npm:@s/n@~2.1/p", inner), { module: "@s/n/p" });
  assert.match(
    (resolveNpm("npm:@s/n@~2.2", inner) as { problem: string }).problem,
    /installed is @s\/n 2\.1\.0, in .*node_modules\/@s\/n: run `!npm install @s\/n@~2\.2`/,
  );
  assert.match((resolveNpm("npm:luvit@999", "/") as { problem: string }).problem, /installed is luvit/);
});

test("files that tslab watches are told of once for each change: that they came, changed or went", () => {
  const files = new EditedFiles();
  const told: [string, number][] = [];
  const path = join(folder, "watched.ts");
  const watcher = files.watchFile(path, (name, kind) => told.push([name, kind]));
  const other = files.watchFile(path, () => assert.fail("closed"));
  other.close();
  const check = () => {
    files.check();
    return told.splice(0).map(([name, kind]) => name === path && kind);
  };
  assert.deepEqual(check(), []);
  write("watched.ts", "1");
  assert.deepEqual([check(), check()], [[0], []]);
  write("watched.ts", "22");
  assert.deepEqual([check(), check()], [[1], []]);
  utimesSync(path, 1, 1);
  assert.deepEqual(check(), [1]);
  rmSync(path);
  assert.deepEqual([check(), check()], [[2], []]);
  watcher.close();
  write("watched.ts", "3");
  assert.deepEqual(check(), []);
});
