import { test } from "node:test";
import * as luvit from "../../../src";
import { isPlain } from "../../../src/core/options";
import { approve } from "../../support/approved";

/*
 * Every number, text and preset that the library gives out under a name of its own.
 */

function lines(path: string, value: unknown, depth = 0): string[] {
  if (path === "tf" || depth > 4) return [];
  if (typeof value === "number" || typeof value === "string" || typeof value === "boolean")
    return [`${path}: ${JSON.stringify(value)}`];
  if (Array.isArray(value)) return [`${path}: ${JSON.stringify(value)}`];
  if (!isPlain(value)) {
    const isNamespace = typeof value === "object" && value !== null && "__esModule" in value;
    return isNamespace ? entries(path, value, depth) : [];
  }
  const isData = Object.values(value).every(
    (entry) =>
      typeof entry !== "function" &&
      !(typeof entry === "object" && entry !== null && !Array.isArray(entry) && !isPlain(entry)),
  );
  return isData && !("__esModule" in value) && depth > 1
    ? [`${path}: ${JSON.stringify(value)}`]
    : entries(path, value, depth);
}

const entries = (path: string, value: object, depth: number) =>
  Object.entries(value)
    .filter(([name]) => name !== "default" && name !== "version")
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, entry]) => lines(path === "" ? name : `${path}.${name}`, entry, depth + 1));

test("presets and recipes are what they were", () => {
  approve("presets", entries("", luvit, 0), { exact: true });
});
