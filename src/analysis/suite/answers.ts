import { join } from "node:path";
import { Bool, Float32, Int32, Table, vectorFromArray } from "apache-arrow";
import { LuvitError } from "../../core/errors";
import { readTable } from "../../io/tables";
import type { Answer } from "../../train/evaluate";
import type { KeptRange } from "../keptRanges";

/** Answers about one part, by the image's position in it. */
export type PartAnswers = Map<number, Answer>;

/** Where the answers about a part are kept. */
export function answersFolder(out: string, part: string): string {
  return join(out, "answers", part);
}

/** A row per image: index, label, prediction (-1: none of the set's), inTop5, loss (nats). */
export function answersTable(answers: readonly Answer[]): Table {
  const column = <Key extends keyof Answer>(key: Key) => answers.map((answer) => answer[key]);
  return new Table({
    index: vectorFromArray(column("index"), new Int32()),
    label: vectorFromArray(column("label"), new Int32()),
    prediction: vectorFromArray(column("prediction"), new Int32()),
    inTop5: vectorFromArray(column("inTop5"), new Bool()),
    loss: vectorFromArray(column("loss"), new Float32()),
  });
}

/**
 * Adds the answers of a written range.
 * @throws LuvitError("bad-file") where an image is none of the range's, or was answered before and otherwise.
 */
export async function readAnswers({ file, start, end }: KeptRange, into: PartAnswers): Promise<void> {
  const table = await readTable(file);
  for (const row of table.toArray()) {
    const answer = row.toJSON() as Answer;
    if (!(answer.index >= start && answer.index < end)) {
      const range = `images ${start} to ${end - 1}, as its name says`;
      throw new LuvitError("bad-file", `${file}: answers image ${answer.index}, expected ${range}`);
    }
    const known = into.get(answer.index);
    if (known && (known.label !== answer.label || known.prediction !== answer.prediction)) {
      const values = `label ${answer.label} as ${answer.prediction}, elsewhere ${known.label} as ${known.prediction}`;
      throw new LuvitError("bad-file", `${file}: image ${answer.index} is answered twice: ${values}`);
    }
    into.set(answer.index, answer);
  }
}
