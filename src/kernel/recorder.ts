import { metadataOf } from "../notebook/mime";
import type { CellOutput, DisplayOutput, MimeBundle } from "../notebook/nbformat";
import { type DisplayMessage, StreamText } from "../notebook/outputs";
import type { CellFailure, CellOutputs } from "./executor/outputs";

/** Called with each line of text a cell produces, for progress on the terminal. */
export type LineListener = (line: string) => void;

/** Collects what cells print and show, as Jupyter would store it. Updates change the output they belong to in place. */
export class OutputRecorder {
  private readonly displays = new Map<string, DisplayOutput>();

  constructor(private readonly onLine: LineListener = () => {}) {}

  /** The outputs of one cell, stored into `outputs`. */
  cell(outputs: CellOutput[], executionCount: number): CellOutputs {
    let clearing = false;
    let printed = new StreamText();
    const add = (output: CellOutput) => {
      if (clearing) outputs.length = 0;
      clearing = false;
      printed = new StreamText();
      outputs.push(output);
    };
    return {
      stream: (name, text) => {
        lastLine(text, this.onLine);
        const last = clearing ? undefined : outputs[outputs.length - 1];
        if (last?.output_type === "stream" && last.name === name) last.text = printed.add(text);
        else {
          const output: CellOutput = { output_type: "stream", name, text: "" };
          add(output);
          output.text = printed.add(text);
        }
      },
      display: (message, update = false) => {
        const label = /aria-label="([^"]*)"/.exec(String(message.data["text/html"] ?? ""));
        if (label) this.onLine(label[1]!);
        if (!this.changes(message, update)) add(this.shown(message));
      },
      clear: (wait) => {
        clearing = wait;
        if (!wait) outputs.length = 0;
      },
      result: (data: MimeBundle) => {
        add({
          output_type: "execute_result",
          execution_count: executionCount,
          data,
          metadata: metadataOf(data),
        });
      },
      error: (failure: CellFailure) => add({ output_type: "error", ...failure }),
    };
  }

  /** Replaces the content of an earlier display with the same id, whichever cell it is in. */
  private changes({ data, metadata = {}, transient }: DisplayMessage, update: boolean): boolean {
    const shown = update ? this.displays.get(transient?.display_id ?? "") : undefined;
    if (shown) Object.assign(shown, { data, metadata });
    return shown !== undefined;
  }

  private shown({ data, metadata = {}, transient }: DisplayMessage): DisplayOutput {
    const output: DisplayOutput = { output_type: "display_data", data, metadata };
    const id = transient?.display_id;
    if (id !== undefined) this.displays.set(id, output);
    return output;
  }
}

function lastLine(text: string, onLine: LineListener): void {
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  if (lines.length > 0) onLine(lines[lines.length - 1]!);
}
