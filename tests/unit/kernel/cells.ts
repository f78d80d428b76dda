import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CellOutcome, CellRunner } from "../../../src/kernel/executor/cellRunner";
import type { ExecutorOptions } from "../../../src/kernel/executor/options";
import { OutputRecorder } from "../../../src/kernel/recorder";
import type { CellOutput } from "../../../src/notebook/nbformat";
import { temporaryFolder } from "../../support/temporaryFolder";

/** What one cell left behind. */
export interface RanCell {
  outcome: CellOutcome;
  outputs: CellOutput[];
  /** What it wrote to stdout. */
  text: string;
  /** Its value as text. */
  value: string | undefined;
}

/** A notebook without a file: runs cells in this process, in a folder of its own. */
export class Cells {
  readonly folder = temporaryFolder("cells");
  readonly executor: CellRunner;
  private readonly recorder = new OutputRecorder();
  private readonly startedIn = process.cwd();
  private count = 0;

  /** `files`: what is in the folder from the start, by name. */
  constructor(options: Partial<ExecutorOptions> = {}, files: Readonly<Record<string, string>> = {}) {
    process.chdir(this.folder);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.folder, name), text);
    this.executor = new CellRunner({
      folder: this.folder,
      language: "typescript",
      stray: "process",
      ...options,
    });
  }

  async run(source: string): Promise<RanCell> {
    const outputs: CellOutput[] = [];
    const count = ++this.count;
    const recorded = this.recorder.cell(outputs, count);
    const outcome = await this.executor.execute(source, `cell [${count}]`, recorded);
    const text = outputs
      .map((output) => (output.output_type === "stream" && output.name === "stdout" ? output.text : ""))
      .join("");
    const result = outputs.find((output) => output.output_type === "execute_result");
    const value = result?.output_type === "execute_result" ? String(result.data["text/plain"]) : undefined;
    return { outcome, outputs, text, value };
  }

  close(): void {
    this.executor.close();
    process.chdir(this.startedIn);
  }
}
