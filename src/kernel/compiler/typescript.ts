import { dirname, join } from "node:path";
import type * as ts from "typescript";
import { requireCached } from "./codeCache";

export type TypeScript = typeof ts;

/** The version that cells are written in; the last whose compiler is a library of JavaScript. */
export const typescriptVersion = "6.0.3";

/** The package of the compiler, beside which its libraries lie. */
const entry = () => require.resolve("typescript-for-cells");

/** The compiler of cells. */
export function loadTypeScript(): TypeScript {
  return requireCached(entry(), typescriptVersion) as TypeScript;
}

/** Where the compiler's declarations of the language's own library lie. */
export function librariesFolder(): string {
  return dirname(entry());
}

/** The declarations of Node that come with this package, for folders that have none; undefined where they are missing. */
export function ownTypesFolder(): string | undefined {
  try {
    return join(dirname(require.resolve("@types/node/package.json")), "..");
  } catch {
    return undefined;
  }
}
