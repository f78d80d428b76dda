import { type Edit, EditedText } from "../../textEdits";

/**
 * Two characters that side by side are something else: of words, of those beyond ASCII any may be; a point behind a digit
 * is the number's; two strokes are a comment.
 */
const areOne = /^(?:[\w$\u0080-\uffff]{2}|\d\.|\/\/)$/;

/** Changes of a cell's text on its way to JavaScript, made from its front to its end. */
export class Edits {
  private readonly list: Edit[] = [];
  /** Whether the cell has something in it that only the compiler itself turns into JavaScript. */
  isBeyond = false;

  /** Where statements come from that nobody has written: behind the text and a line's end. */
  readonly nowhere: number;

  constructor(readonly text: string) {
    this.nowhere = text.length + 1;
  }

  /** `from`: the place that the text comes from, where it is not there. */
  insert(at: number, insert: string, from = at): void {
    this.list.push({ at, remove: 0, insert, from });
  }

  replace(start: number, end: number, insert: string): void {
    this.list.push({ at: start, remove: end - start, insert });
  }

  /** Leaves nothing in the place of a range but its lines, and what keeps words apart. */
  blank(start: number, end: number): void {
    if (end <= start) return;
    const { text } = this;
    const lines = text.slice(start, end).replace(/[^\n\r\u2028\u2029]/g, "");
    const touches = lines === "" && areOne.test(`${this.before(start)}${text[end] ?? ""}`);
    this.replace(start, end, touches ? " " : lines);
  }

  /** What stands before a place once what ends there is taken out. */
  private before(place: number): string {
    const last = this.list.at(-1);
    const isAdjacent = last !== undefined && last.remove > 0 && last.at + last.remove === place;
    if (!isAdjacent) return this.text[place - 1] ?? "";
    return last.insert.at(-1) ?? this.text[last.at - 1] ?? "";
  }

  hasLines(start: number, end: number): boolean {
    return /[\n\r\u2028\u2029]/.test(this.text.slice(start, end));
  }

  beyond(): void {
    this.isBeyond = true;
  }

  /** The text with all its changes. */
  made(): EditedText {
    return new EditedText(`${this.text}\n`, this.list); // `nowhere` is behind the line's end
  }
}
