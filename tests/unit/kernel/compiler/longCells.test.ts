import assert from "node:assert/strict";
import { after, test } from "node:test";
import type * as ts from "typescript";
import { LiveCompiler } from "../../../../src/kernel/compiler/live/liveCompiler";
import { LiveProgram } from "../../../../src/kernel/compiler/live/program";
import { loadTypeScript } from "../../../../src/kernel/compiler/typescript";
import { temporaryFolder } from "../../../support/temporaryFolder";

const folder = temporaryFolder("long-cells");
const compiler = new LiveCompiler(folder, "typescript");
after(() => compiler.close());

const constants = Array.from({ length: 2000 }, (_, i) => `const value${i} = Math.sqrt(${i});`).join("\n");

interface Flow {
  antecedent?: Flow | Flow[];
}

/** Steps from the last statement's expression back to the beginning of its file. */
function stepsBack(source: string): number {
  const file = new LiveProgram(loadTypeScript(), folder, "typescript").parse(source);
  const { expression } = file.statements.at(-1) as ts.ExpressionStatement;
  let steps = 0;
  let at: Flow | Flow[] | undefined = (expression as unknown as { flowNode?: Flow }).flowNode;
  for (; at; at = Array.isArray(at) ? at[0] : at.antecedent) steps++;
  return steps;
}

test("what a name is takes as few steps to find out at the end of a long cell as at its beginning", () => {
  assert.equal(stepsBack(`${constants}\nMath`), stepsBack("Math"));
  const assigned = constants.replaceAll("const", "let");
  assert.ok(stepsBack(`${assigned}\nMath`) > 2000, "variables are still followed");
});

test("types narrow in a long cell as in a short one", () => {
  const cell = [
    'const given: string | number = Math.random() > 2 ? "text" : 4;',
    "let open: { name?: string } | undefined = { name: String(given) };",
    constants,
    "class Base { kind = 1 }\nclass Derived extends Base { more = 'more' }",
    "const made: Base = new Derived();\nconst loose = made;",
    'const length = typeof given === "string" ? given.length : given.toFixed(1).length;',
    "if (loose instanceof Derived) loose.more.trim();",
    "const expando = (x: number) => x;\nexpando.label = 'label';\nexpando.label.trim();",
    "for (const one of [1, 'two']) {\n  const part = one;\n  if (typeof part === 'string') part.trim();\n  else part.toFixed();\n}",
    "function later() { return value3 + Number(given); }",
  ];
  const ends = ["given.trim();", "loose.more;", "value1.trim();"];
  const short = cell.map((part) =>
    part === constants ? "const value1 = Math.sqrt(1);\nconst value3 = Math.sqrt(3);" : part,
  );
  assert.deepEqual(messages(cell), []);
  assert.deepEqual(messages([...cell, ...ends]), messages([...short, ...ends]));
  assert.equal(messages([...cell, ...ends]).length, 4); // that of the union has a second line
});

/** What the compiler objects to. */
function messages(lines: readonly string[]): string[] {
  const compiled = compiler.compile(lines.join("\n"));
  return Array.isArray(compiled) ? compiled.map(({ messageText }) => messageText) : [];
}
