import type { MimeBundle } from "./nbformat";

/** What tslab's display functions send: one MIME bundle, with an id when it may be updated later. */
export interface DisplayMessage {
  data: MimeBundle;
  metadata?: Record<string, unknown>;
  transient?: { display_id?: string };
}

/** Applies carriage returns as a terminal would: what follows `\r` replaces its line. A trailing one waits. */
export function overwriteLines(text: string): string {
  if (!text.includes("\r")) return text;
  return text.replace(/\r+\n/g, "\n").split("\n").map(overwritten).join("\n");
}

function overwritten(line: string): string {
  const waits = line.endsWith("\r");
  const text = line.replace(/\r+$/, "");
  return text.slice(text.lastIndexOf("\r") + 1) + (waits ? "\r" : "");
}

/** Text that is printed piece by piece, with carriage returns applied. Its lines are looked at once, however many. */
export class StreamText {
  private lines = "";
  private line = "";
  /** Whether the line ends in a carriage return that waits: asked of the line itself, all of it would be copied anew. */
  private waits = false;

  /** Takes a further piece; returns all of the text. */
  add(piece: string): string {
    const plain = !piece.includes("\r") && !this.waits;
    const text = plain ? piece : overwriteLines(this.line + piece);
    if (!plain) this.line = "";
    this.waits = text.endsWith("\r");
    const end = text.lastIndexOf("\n") + 1;
    if (end > 0) {
      this.lines += this.line + text.slice(0, end);
      this.line = "";
    }
    this.line += text.slice(end);
    return this.lines + this.line;
  }
}
