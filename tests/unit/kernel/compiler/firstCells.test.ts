import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { LiveCompiler } from "../../../../src/kernel/compiler/live/liveCompiler";
import type { LiveProgram } from "../../../../src/kernel/compiler/live/program";

const folder = mkdtempSync(join(tmpdir(), "luvit-first-cells-"));
let compiler: LiveCompiler;

beforeEach(() => {
  compiler?.close();
  compiler = new LiveCompiler(folder, "typescript");
});
after(() => {
  compiler.close();
  rmSync(folder, { recursive: true });
});

/** Files of Node's declarations in the program. */
function nodeFiles(): number {
  const { live } = compiler as unknown as { live: LiveProgram };
  const names = live.current.getSourceFiles().map(({ fileName }) => fileName);
  return names.filter((name) => name.includes("/@types/node/")).length;
}

/** Runs a cell as far as a compiler can; what it objects to. */
function messages(cell: string): string[] {
  const compiled = compiler.compile(cell);
  if (Array.isArray(compiled)) return compiled.map(({ messageText }) => messageText);
  compiled.commit();
  return [];
}

test("cells that name nothing of Node do not wait for its declarations", () => {
  assert.deepEqual(messages("const kept = [1, 2].map((x) => x + 1);"), []);
  assert.equal(nodeFiles(), 1);
  assert.deepEqual(messages("kept.lenght"), [
    "Property 'lenght' does not exist on type 'number[]'. Did you mean 'length'?",
  ]);
});

test("the first cell that names something of Node is judged by all of its declarations", () => {
  assert.deepEqual(messages("const kept = 1;"), []);
  assert.deepEqual(messages("process.stdout.nothing"), [
    "Property 'nothing' does not exist on type 'WriteStream & { fd: 1; }'.",
  ]);
  assert.ok(nodeFiles() > 50);
  assert.deepEqual(messages("const more: number = kept + process.pid;"), []);
});

test("a first cell that imports has the types of what it imports", () => {
  assert.deepEqual(messages('import { basename } from "node:path";\nconst name: number = basename("a");'), [
    "Type 'string' is not assignable to type 'number'.",
  ]);
});

test("help about a name of Node is there from the first", () => {
  const text = "console.lo";
  assert.ok(compiler.complete(text, text.length).candidates.includes("log"));
});
