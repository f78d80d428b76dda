import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { packageRoot } from "../../src/core/packageRoot";

/*
 * Texts that were read and found right, kept in tests/approved: what a figure consists of, what a graph becomes, what a
 * command says. UPDATE_APPROVED=1 writes them anew; what changed is then read in the diff.
 */

/** Numbers of a text, with how far each may be off: those after "≈" (means of pixels) by 2, whole ones not at all. */
const NUMBER = /(≈?)(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)/g;

/**
 * The text agrees with the approved one: word for word, numbers with decimals to a hundredth or a thousandth of them,
 * or to the share of them that `tolerance` says; `exact`: to the last digit.
 */
export function approve(
  name: string,
  lines: readonly string[],
  { exact = false, tolerance }: { exact?: boolean; tolerance?: number } = {},
): void {
  const path = join(packageRoot(), "tests", "approved", `${name}.txt`);
  const text = `${lines.join("\n")}\n`;
  if (process.env.UPDATE_APPROVED === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  assert.ok(existsSync(path), `${path} is missing; UPDATE_APPROVED=1 writes it`);
  const approved = readFileSync(path, "utf8").slice(0, -1).split("\n");
  const written = lines.join("\n").split("\n");
  const wrong = written
    .map((line, i) => ({ line: i + 1, came: line, approved: approved[i] ?? "(nothing)" }))
    .filter(({ came, approved }) => (exact ? came !== approved : !agrees(came, approved, tolerance)));
  assert.deepEqual(
    wrong.slice(0, 3),
    [],
    `${path}: ${wrong.length} lines differ; UPDATE_APPROVED=1 writes it anew`,
  );
  assert.equal(written.length, approved.length, `lines of ${path}`);
}

/** Quoted texts of a line, which say numbers with as many decimals as people are to see. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g;
const quoted = (line: string) => line.match(QUOTED)?.filter((text) => !text.includes("≈")) ?? [];

function agrees(came: string, approved: string, share: number | undefined): boolean {
  if (came === approved) return true;
  if (share !== undefined && quoted(came).join() !== quoted(approved).join()) return false;
  if (came.replace(NUMBER, "#") !== approved.replace(NUMBER, "#")) return false;
  const expected = [...approved.matchAll(NUMBER)];
  return [...came.matchAll(NUMBER)].every(([, about, number], i) => {
    const other = expected[i][2];
    if (about === "" && /^-?\d+$/.test(number) && /^-?\d+$/.test(other)) return number === other;
    const size = Math.abs(Number(other));
    const rough = about === "" ? Math.max(size > 0.05 ? 0.0101 : 1e-5, 1e-3 * size) : 2;
    const tolerance = share === undefined ? rough : share * size + 1e-9;
    return Math.abs(Number(number) - Number(other)) <= tolerance;
  });
}

/** An image's size and the mean colors of its cells, at most 6 in a row. */
export async function pixelsInWords(bytes: Uint8Array): Promise<string> {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const columns = Math.min(6, info.width);
  const rows = Math.min(6, info.height);
  const cells = Array.from({ length: rows * columns }, (_, cell) => {
    const [top, left] = [Math.floor(cell / columns), cell % columns];
    const sums = [0, 0, 0];
    let count = 0;
    for (
      let y = Math.floor((top * info.height) / rows);
      y < Math.floor(((top + 1) * info.height) / rows);
      y++
    )
      for (
        let x = Math.floor((left * info.width) / columns);
        x < Math.floor(((left + 1) * info.width) / columns);
        x++
      ) {
        count++;
        for (const channel of [0, 1, 2])
          sums[channel] += data[info.channels * (y * info.width + x) + channel];
      }
    return sums.map((sum) => `≈${Math.round(sum / count)}`).join(" ");
  });
  return `${info.width} x ${info.height}: ${cells.join(", ")}`;
}

/** SVG or HTML, an element a line, with images in words. */
export async function markupLines(markup: string): Promise<string[]> {
  const lines: string[] = [];
  for (const line of markup.replace(/></g, ">\n<").split("\n")) {
    const [, before, bytes, after] = /^(.*?)data:image\/\w+;base64,([A-Za-z0-9+/=]+)(.*)$/s.exec(line) ?? [];
    lines.push(bytes ? `${before}${await pixelsInWords(Buffer.from(bytes, "base64"))}${after}` : line);
  }
  return lines;
}

/** A value as JSON, a line for each entry of the two outer levels. */
export function valueLines(value: object): string[] {
  return Object.entries(value).flatMap(([key, entry]) =>
    typeof entry === "object" && entry !== null && !Array.isArray(entry)
      ? Object.entries(entry).map(([inner, deep]) => `${key}.${inner}: ${JSON.stringify(deep)}`)
      : [`${key}: ${JSON.stringify(entry)}`],
  );
}
