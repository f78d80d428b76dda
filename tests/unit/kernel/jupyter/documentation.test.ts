import assert from "node:assert/strict";
import { test } from "node:test";
import type * as ts from "typescript";
import { documentation } from "../../../../src/kernel/jupyter/documentation";

const part = (text: string) => [{ text, kind: "text" }] as ts.SymbolDisplayPart[];
const described = (...tags: [name: string, text: string][]) =>
  documentation({
    displayParts: part("f(a: number): number"),
    documentation: part("Halves."),
    tags: tags.map(([name, text]) => ({ name, text: part(text) })),
  } as unknown as ts.QuickInfo);

test("tags of one kind stand together, parameters with their names as code", () => {
  const found = described(["param", "a - what is halved"], ["param", "b"], ["returns", "half of it"]);
  assert.equal(
    found["text/markdown"],
    "```typescript\nf(a: number): number\n```\nHalves.\n\n- *@param* `a` what is halved\n- *@param* `b`\n\n- *@returns* half of it",
  );
  assert.equal(
    found["text/plain"],
    "f(a: number): number\n\nHalves.\n\n@param a - what is halved\n@param b\n@returns half of it",
  );
});

test("an example is fenced once, whether or not it brings its own fences", () => {
  const fenced = "```ts\nf(2)\n```";
  assert.ok(
    String(described(["example", "f(2)"])["text/markdown"])
      .trimEnd()
      .endsWith("```typescript\nf(2)\n```"),
  );
  const own = String(described(["example", fenced])["text/markdown"]);
  assert.ok(own.trimEnd().endsWith(`*@example*\n\n${fenced}`), own);
});
