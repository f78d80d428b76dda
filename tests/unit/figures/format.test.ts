import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBar, formatNumber, formatRange } from "../../../src/figures/format";

test("numbers are written out from a thousandth to a thousand million, with exponents beyond", () => {
  const written = [0.00099, 0.001, 0.123456, 999.96, 1234.5, 1_234_567.8, 999_999_999.5, 1.5e9 + 0.5].map(
    formatNumber,
  );
  assert.deepEqual(written, [
    ...["9.90e-4", "0.001", "0.1235", "1000", "1,235", "1,234,568", "1,000,000,000", "1.50e+9"],
  ]);
  assert.equal(formatNumber(3e9), "3,000,000,000", "whole numbers have all their digits");
});

test("a bar is never fuller than full, nor emptier than empty", () => {
  assert.equal(formatBar(1.5, 4), "[████]");
  assert.equal(formatBar(-1, 4), "[░░░░]");
  assert.equal(formatBar(0.5, 4), "[██░░]");
});

test("the ends of a scale are told apart, however close they are", () => {
  assert.deepEqual(formatRange(4.1659, 4.17439), ["4.1659", "4.1744"]);
  assert.deepEqual(formatRange(-0.123456, 1), ["-0.123", "1"]);
  assert.deepEqual(formatRange(0, 3.98765), ["0", "3.99"]);
  assert.deepEqual(formatRange(2, 2), ["2", "2"]);
});
