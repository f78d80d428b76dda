import { LuvitError } from "../errors";
import { expectWhole, type Rle } from "./rle";

/*
 * Runs as a text of printable characters: from the fourth on each as its difference from the one two before, five bits a
 * character, low ones first, with a bit that says that more follow; the highest bit of the last one is the sign.
 */

/** The first of 64 characters. */
const FIRST = 48;
const MORE = 0x20;
const SIGN = 0x10;
/** Characters of a number of 33 bits and a sign. */
const MOST_CHARACTERS = 7;

/** COCO's compressed text of a mask. */
export function rleText({ counts }: Rle): string {
  const characters: number[] = [];
  for (let run = 0; run < counts.length; run++) {
    let rest = counts[run] - (run > 2 ? counts[run - 2] : 0);
    for (let more = true; more; ) {
      const bits = ((rest % 32) + 32) % 32;
      rest = (rest - bits) / 32;
      more = bits & SIGN ? rest !== -1 : rest !== 0;
      characters.push(FIRST + bits + (more ? MORE : 0));
    }
  }
  return Buffer.from(characters).toString("latin1");
}

/**
 * The mask of a compressed text.
 *
 * @throws LuvitError("bad-argument") for a text that no mask of this size has.
 */
export function rleFromText(text: string, height: number, width: number): Rle {
  const counts: number[] = [];
  for (let at = 0; at < text.length; ) {
    const { value, end } = numberAt(text, at);
    const run = counts.length > 2 ? value + counts[counts.length - 2] : value;
    if (!(run >= 0 && run <= height * width)) {
      const found = `a run of ${run} pixels in a mask of ${height} x ${width}`;
      throw new LuvitError("bad-argument", `run lengths: ${found}, at character ${at + 1}`);
    }
    counts.push(run);
    at = end;
  }
  const rle = { height, width, counts: Uint32Array.from(counts) };
  expectWhole(rle);
  return rle;
}

function numberAt(text: string, start: number): { value: number; end: number } {
  let value = 0;
  let scale = 1;
  for (let at = start; at < text.length && at < start + MOST_CHARACTERS; at++) {
    const code = text.charCodeAt(at) - FIRST;
    if (!(code >= 0 && code < 64)) {
      const found = JSON.stringify(text[at]);
      throw new LuvitError(
        "bad-argument",
        `run lengths: character ${at + 1} is ${found}, not one of "0" to "o"`,
      );
    }
    value += scale * (code & 31);
    scale *= 32;
    if (!(code & MORE)) return { value: code & SIGN ? value - scale : value, end: at + 1 };
  }
  const found = start + MOST_CHARACTERS <= text.length ? "too long" : "cut off";
  throw new LuvitError("bad-argument", `run lengths: the number at character ${start + 1} is ${found}`);
}
