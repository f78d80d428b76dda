import assert from "node:assert/strict";
import type { Draws } from "../../../../src/data/corruptions/draws";
import { paintedImage } from "../support";

/** An image of one color. */
export const flat = (r: number, g = r, b = r, width = 32, height = 32) =>
  paintedImage(width, height, () => [r, g, b]);

/** Requires a number to be another one, but for `error`. */
export const close = (found: number, expected: number, what: string, error = 1e-6) =>
  assert.ok(Math.abs(found - expected) <= error, `${what}: ${found}, expected ${expected}`);

/** Draws that are chosen here, noting what was asked for. */
export function drawing(given: Partial<Draws>) {
  const asked: [name: keyof Draws, ...numbers: number[]][] = [];
  const one =
    (name: keyof Draws) =>
    (...numbers: number[]): number => {
      asked.push([name, ...numbers]);
      const draw = given[name] as ((...numbers: number[]) => number) | undefined;
      return draw ? draw(...numbers) : assert.fail(`nobody draws ${name}`);
    };
  const draws: Draws = {
    normal: one("normal"),
    between: one("between"),
    integer: one("integer"),
    poisson: one("poisson"),
  };
  return { draws, asked };
}
