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
  return text
    .replace(/\r+\n/g, "\n")
    .split("\n")
    .map((line) => line.replace(/^.*\r(?!$)/, ""))
    .join("\n");
}
