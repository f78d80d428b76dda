import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../unit/io/support";

/*
 * Small files that describe huge ones, in a process whose heap has a limit: each is read or refused in this library's
 * words, and none of them all takes memory that its bytes do not justify.
 */

interface Opened {
  what: string;
  ended: "read" | "refused" | "otherwise";
  said: string;
  megabytes: number;
}

/** Megabytes of JavaScript's heap, and how many more than at its start the process may take in all. */
const heap = 512;
const mostMegabytes = 700;

/** Opens all bombs of a kind; the last of a process that died is named. */
async function open(kind: string): Promise<Opened[]> {
  const words = [`--max-old-space-size=${heap}`, join(__dirname, "child.js"), kind, temporaryFolder()];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (piece: string) => {
      text[name] += piece;
    });
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const opened = text.stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Opened);
  assert.equal(status, 0, `after ${opened.at(-1)?.what}: ${text.stderr.slice(0, 2000)}`);
  return opened;
}

for (const [kind, leastRefused] of [
  ["images", 18],
  ["parquet", 300],
  ["arrow", 60],
  ["weights", 150],
  ["texts", 120],
] as const) {
  test(`bombs in ${kind} are read or refused, in bounds`, { timeout: 600_000 }, async () => {
    const opened = await open(kind);
    const otherwise = opened.filter(({ ended }) => ended === "otherwise");
    assert.deepEqual(otherwise.slice(0, 5), []);
    const refused = opened.filter(({ ended }) => ended === "refused");
    assert.ok(refused.length >= leastRefused, `only ${refused.length} of ${opened.length} were refused`);
    for (const { what, said } of refused) {
      assert.ok(said.length > 20, `${what}: ${said}`);
      assert.doesNotMatch(said, /undefined|is not a function|\[object|Cannot read prop/, what);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal obeys
      assert.doesNotMatch(said, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/, what);
    }
    const [first, last] = [opened[0]!, opened.at(-1)!];
    const growth = opened.map(
      (one, i) => [one.megabytes - (opened[i - 1] ?? one).megabytes, one.what] as const,
    );
    const worst = growth.reduce((a, b) => (b[0] > a[0] ? b : a));
    assert.ok(
      last.megabytes - first.megabytes < mostMegabytes,
      `${last.megabytes - first.megabytes} MB, ${worst[0]} of them by ${worst[1]}`,
    );
  });
}
