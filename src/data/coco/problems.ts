import { LuvitError, listOffenders } from "../../core/errors";

/** Lines that are kept for the message; the others are counted. */
const MOST_LINES = 40;

/** What is wrong with the entries of a file, counted; the first are kept in words. */
export class Problems {
  count = 0;
  readonly lines: string[] = [];

  add(line: string): void {
    this.count++;
    if (this.lines.length < MOST_LINES) this.lines.push(line);
  }

  /** @throws LuvitError("bad-dataset") that names them, where there are any. */
  expectNone(path: string, advice = ""): void {
    if (this.count > 0) throw new LuvitError("bad-dataset", `${path}: ${this.describe()}${advice}`);
  }

  describe(): string {
    const entries =
      this.count === 1 ? "1 entry is not as COCO has it" : `${this.count} entries are not as COCO has them`;
    return `${entries}:\n${this.list()}`;
  }

  /** The first ones, a line each, and how many more there are. */
  list(): string {
    const rest = Array.from({ length: this.count - this.lines.length }, () => "");
    return listOffenders([...this.lines, ...rest], MOST_LINES);
  }
}
