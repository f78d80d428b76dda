import assert from "node:assert/strict";
import { test } from "node:test";
import { firstDiagnostic } from "../../../../src/kernel/compiler/diagnostics";

test("the first finding is one line with its place, counted from 1", () => {
  const finding = (line: number, character: number, messageText: string) =>
    ({ start: { line, character, offset: 0 }, messageText }) as never;
  assert.equal(firstDiagnostic([finding(0, 0, "no"), finding(1, 1, "nor")]), "1:1 - no");
  assert.equal(firstDiagnostic([finding(4, 7, "no")]), "5:8 - no");
  assert.equal(firstDiagnostic([]), "");
});
