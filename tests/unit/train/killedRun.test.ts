import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { seededRng } from "../../support/seededRng";
import { assertSameCheckpoint, readLines, temporaryFolder, writeImages } from "./support";

/** LUVIT_KILLS=50 for the full count. */
const kills = Number(process.env.LUVIT_KILLS ?? 3);

/** Enough for every kill to find the run still going. */
const steps = 10 + 6 * kills;

/** A run whose every step is saved; killed `delay` milliseconds after its first step, or left to its end. */
async function life(images: string, out: string, delay?: number) {
  const child = spawn(process.execPath, [
    join(__dirname, "childRun.js"),
    "saving",
    images,
    out,
    String(steps),
  ]);
  let [stdout, stderr, aimed] = ["", "", false];
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
    if (aimed || delay === undefined || !stdout.includes("step ")) return;
    aimed = true;
    setTimeout(() => child.kill("SIGKILL"), delay);
  });
  await new Promise((resolve) => child.on("close", resolve));
  const numbers = (word: string) =>
    [...stdout.matchAll(new RegExp(`^${word} (\\d+)$`, "gm"))].map(([, n]) => +n);
  const [from] = numbers("from");
  const last = stdout.trimEnd().split("\n").at(-1)!;
  const end = last.startsWith("{") ? JSON.parse(last) : undefined;
  return { from, reached: numbers("step").at(-1) ?? from, end, stderr };
}

test(`a run killed ${kills} times while it saves ends as one that never was, bit for bit`, async () => {
  const images = await writeImages(temporaryFolder());
  const folder = temporaryFolder();
  const out = join(folder, "killed");
  const rng = seededRng();
  let [reached, killed] = [0, 0];
  for (let kill = 0; kill < kills; kill++) {
    const { end, stderr, ...one } = await life(images, out, 40 * rng.uniform());
    assert.equal(stderr, "");
    if (end) break;
    killed++;
    assert.ok(one.from >= reached - 1, `step ${reached} was made, went on from ${one.from}`);
    reached = one.reached;
  }
  assert.ok(process.env.LUVIT_KILLS ? killed === kills : killed > 0, `killed ${killed} times before the end`);
  const rest = await life(images, out);
  const whole = await life(images, join(folder, "whole"));
  assert.deepEqual([rest.end.steps, rest.end.notes, whole.end.steps], [steps, [], steps]);
  await assertSameCheckpoint(rest.end.checkpoint, whole.end.checkpoint);
  const losses = (name: string) => readLines(join(folder, name)).map(({ step, loss }) => [step, loss]);
  assert.deepEqual(losses("killed"), losses("whole"));
});
