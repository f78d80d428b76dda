import { describe, it } from "node:test";
import { compilerNames } from "../../../../src/kernel/compiler/createCompiler";
import { golden } from "./golden";
import { newer } from "./newer";
import { play } from "./play";

for (const compiler of compilerNames)
  describe(`cells compiled by ${compiler}`, () => {
    for (const [fact, transcript] of Object.entries(golden)) it(fact, () => play(transcript, compiler));
  });

describe("cells in TypeScript 6", () => {
  for (const [fact, transcript] of Object.entries(newer)) it(fact, () => play(transcript, "typescript"));
});
