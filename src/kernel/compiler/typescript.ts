import { dirname, join } from "node:path";
import type * as ts from "typescript";
import { packageRoot } from "../../core/packageRoot";
import { requireCached } from "./codeCache";

export type TypeScript = typeof ts;

/** The version that cells are written in; the last whose compiler is a library of JavaScript. */
export const typescriptVersion = "6.0.3";

/** The compiler of cells, as scripts/compiler.mjs makes it of its package. */
export function loadTypeScript(): TypeScript {
  return requireCached(
    join(packageRoot(), "dist", "typescript", "compiler.js"),
    typescriptVersion,
  ) as TypeScript;
}

/** Where the compiler's declarations of the language's own library lie. */
export function librariesFolder(): string {
  return dirname(require.resolve("typescript-for-cells"));
}

/** The declarations of Node that come with this package, for folders that have none; undefined where they are missing. */
export function ownTypesFolder(): string | undefined {
  try {
    return join(dirname(require.resolve("@types/node/package.json")), "..");
  } catch {
    return undefined;
  }
}
