import { LuvitError } from "../../core/errors";
import type { CellCompiler, CellLanguage } from "./cellCompiler";
import { LiveCompiler } from "./live/liveCompiler";

/** Who compiles cells: TypeScript 6, or the older one that comes with tslab. */
export const compilerNames = ["typescript", "tslab"] as const;
export type CompilerName = (typeof compilerNames)[number];

/**
 * The compiler that `LUVIT_COMPILER` names, by default TypeScript 6. `declarations`: names that every cell sees beside
 * Node's.
 * @throws LuvitError("bad-argument") where it names none.
 */
export function createCompiler(
  folder: string,
  language: CellLanguage,
  declarations = "",
  name: string = process.env.LUVIT_COMPILER || "typescript",
): CellCompiler {
  if (name === "typescript") return new LiveCompiler(folder, language, declarations);
  if (name === "tslab") {
    const { TslabCompiler } = require("./tslab/tslabCompiler") as typeof import("./tslab/tslabCompiler"); // few want it
    return new TslabCompiler(folder, language, declarations);
  }
  throw new LuvitError(
    "bad-argument",
    `LUVIT_COMPILER=${name}: expected ${compilerNames.join(" or ")}; without it cells are compiled by typescript`,
  );
}
