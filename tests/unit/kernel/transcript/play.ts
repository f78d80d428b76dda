import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CompilerName } from "../../../../src/kernel/compiler/createCompiler";
import { stripAnsi } from "../../../../src/notebook/html";
import { Cells } from "../cells";

/** What a cell does: shows a value, prints, or fails with a traceback like this. */
export interface Expected {
  value?: string;
  text?: string;
  fails?: RegExp;
}

/** A cell and what it does; a file to be written before it, by name. */
export type Step = readonly [source: string, expected: Expected, files?: Readonly<Record<string, string>>];

/** A notebook, cell by cell. */
export type Transcript = readonly Step[];

/** Runs a transcript in a folder of its own. */
export async function play(transcript: Transcript, compiler: CompilerName): Promise<void> {
  const cells = new Cells({ compiler }, transcript[0]![2]);
  try {
    for (const [source, { value, text = "", fails }, files = {}] of transcript) {
      for (const [name, content] of Object.entries(files)) writeFileSync(join(cells.folder, name), content);
      const ran = await cells.run(source);
      const { outcome } = ran;
      const traceback = outcome.status === "error" ? stripAnsi(outcome.traceback.join("\n")) : undefined;
      if (fails) assert.match(traceback ?? "it ran", fails, source);
      else assert.equal(traceback, undefined, source);
      assert.equal(ran.value, value, source);
      assert.equal(ran.text, text, source);
    }
  } finally {
    cells.close();
  }
}
