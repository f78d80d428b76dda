import type { CellOutput, DisplayOutput, MimeBundle } from "./nbformat";

/** What tslab's display functions send: one MIME bundle, with an id when it may be updated later. */
export interface DisplayMessage {
  data: MimeBundle;
  metadata?: Record<string, unknown>;
  transient?: { display_id?: string };
}

/** Collects what cells print and show, as Jupyter would store it. Updates change the output they belong to in place. */
export class OutputRecorder {
  private outputs: CellOutput[] = [];
  private executionCount = 0;
  private readonly displays = new Map<string, DisplayOutput>();

  /** Directs what follows into the outputs of one cell. */
  startCell(outputs: CellOutput[], executionCount: number): void {
    this.outputs = outputs;
    this.executionCount = executionCount;
  }

  /** Appends text; consecutive pieces of one stream are one output, carriage returns overwrite the line. */
  stream(name: "stdout" | "stderr", text: string): void {
    const last = this.outputs[this.outputs.length - 1];
    if (last?.output_type === "stream" && last.name === name) last.text = overwriteLines(last.text + text);
    else this.outputs.push({ output_type: "stream", name, text: overwriteLines(text) });
  }

  /** Adds a display, or replaces the content of an earlier one with the same id, whichever cell it is in. */
  display(message: DisplayMessage, update = false): void {
    const id = message.transient?.display_id;
    const shown = id === undefined ? undefined : this.displays.get(id);
    const content = { data: message.data, metadata: message.metadata ?? {} };
    if (update && shown) {
      Object.assign(shown, content);
      return;
    }
    const output: DisplayOutput = { output_type: "display_data", ...content };
    this.outputs.push(output);
    if (id !== undefined) this.displays.set(id, output);
  }

  /** The value of the last expression. */
  result(data: MimeBundle): void {
    const execution_count = this.executionCount;
    this.outputs.push({ output_type: "execute_result", execution_count, data, metadata: {} });
  }

  /** Why the cell failed. */
  error(ename: string, evalue: string, traceback: string[]): void {
    this.outputs.push({ output_type: "error", ename, evalue, traceback });
  }
}

/** Applies carriage returns as a terminal would: what follows `\r` replaces its line. A trailing one waits. */
export function overwriteLines(text: string): string {
  if (!text.includes("\r")) return text;
  return text
    .replace(/\r+\n/g, "\n")
    .split("\n")
    .map((line) => line.replace(/^.*\r(?!$)/, ""))
    .join("\n");
}
