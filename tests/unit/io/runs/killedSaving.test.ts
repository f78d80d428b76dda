import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readMetrics } from "../../../../src/io/runs/metricsLog";
import {
  latestTrainingCheckpoint,
  pruneTrainingCheckpoints,
} from "../../../../src/io/runs/trainingCheckpoint";
import { seededRng } from "../../../support/seededRng";
import { temporaryFolder } from "../support";

/** LUVIT_KILLS=50 for the full count. */
const kills = Number(process.env.LUVIT_KILLS ?? 12);

const root = temporaryFolder();

/** Saves until it is killed, `delay` milliseconds after it says so. */
async function saveAndKill(
  folder: string,
  says: "saving" | "saved",
  delay: number,
): Promise<{ from: number; saved: number }> {
  const child = spawn(process.execPath, [join(__dirname, "savingChild.js"), folder]);
  let [stdout, stderr] = ["", ""];
  let aimed = false;
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
    if (aimed || !stdout.includes(says)) return;
    aimed = true;
    setTimeout(() => child.kill("SIGKILL"), delay);
  });
  const signal = await new Promise((resolve) => child.on("close", (_, by) => resolve(by)));
  assert.equal(signal, "SIGKILL", stderr);
  const numbers = (word: string) =>
    [...stdout.matchAll(new RegExp(`^${word} (\\d+)$`, "gm"))].map(([, n]) => +n);
  const [from] = numbers("from");
  return { from, saved: numbers("saved").at(-1) ?? from };
}

test(`killed ${kills} times at any moment of saving, a run always goes on from what was saved last`, async () => {
  const folder = join(root, "killed");
  const rng = seededRng();
  let saved = 0;
  const moments = new Set<string>();
  for (let kill = 0; kill < kills; kill++) {
    const says = kill % 3 === 0 ? "saved" : "saving"; // a busy machine may save nothing in the time of the others
    const life = await saveAndKill(folder, says, 200 * rng.uniform() ** 2);
    assert.ok(
      life.from >= saved && life.from <= saved + 1,
      `step ${saved} was saved, went on from ${life.from}`,
    );
    saved = life.saved;
    for (const name of readdirSync(folder)) moments.add(name.replace(/\d+/g, "N"));
  }
  assert.ok(saved > 0);
  const { step, notes } = (await latestTrainingCheckpoint(folder))!;
  assert.ok(step >= saved);
  assert.deepEqual(notes, []);
  assert.ok(moments.has("checkpoint-N.tmp-N"), `no kill fell into a write: ${[...moments].join(", ")}`);
  await pruneTrainingCheckpoints(folder, 1);
  const left = readdirSync(folder).map((name) => name.replace(/\d+/g, "N"));
  assert.deepEqual(left.sort(), ["checkpoint-N", "metrics.jsonl"], "nothing of the dead is left");
  const records = await readMetrics(join(folder, "metrics.jsonl"));
  assert.deepEqual(
    records.map((record) => record.step),
    records.map((_, i) => i + 1),
  );
});

/** Runs the child under a shell command that limits what it can write. */
function saveUnder(command: string, folder: string) {
  const script = command.replace(
    "CHILD",
    `"${process.execPath}" "${join(__dirname, "savingChild.js")}" "${folder}"`,
  );
  return spawnSync("bash", ["-c", script], { encoding: "utf8", timeout: 60000 });
}

test("a limit on file sizes ends saving with the file and the reason, and leaves what was saved", async () => {
  const folder = join(root, "limited");
  const { status, stderr } = saveUnder("ulimit -f 100; exec CHILD", folder);
  assert.equal(status, 1);
  assert.match(stderr, /\[bad-file\]: .*checkpoint-000001.*model\.safetensors: cannot be written \(EFBIG/);
  assert.deepEqual(readdirSync(folder), ["metrics.jsonl"]);
});

test("a full disk ends saving, says so, and leaves the last checkpoint to go on from", async (t) => {
  const [disk, kept] = ["disk", "kept"].map((name) => join(root, name));
  if (spawnSync("unshare", ["-rm", "true"]).status !== 0) {
    t.skip("NOT CHECKED: a small file system cannot be mounted here (unshare -rm)");
    return;
  }
  mkdirSync(disk);
  const inside = `mount -t tmpfs -o size=1500k none "${disk}" && { CHILD; code=$?; cp -r "${disk}/run" "${kept}"; exit $code; }`;
  const { status, stdout, stderr } = saveUnder(`unshare -rm bash -c '${inside}'`, join(disk, "run"));
  assert.equal(status, 1, stderr);
  assert.match(stderr, /cannot be written \(ENOSPC[^)]*\); the disk is full: make room, or write elsewhere/);
  const saved = Number([...stdout.matchAll(/^saved (\d+)$/gm)].at(-1)![1]);
  const { step, notes } = (await latestTrainingCheckpoint(kept))!;
  assert.ok(step === saved || step === saved + 1, `step ${saved} was saved, ${step} is there`);
  assert.deepEqual(notes, []);
  const unfinished = readdirSync(kept).filter((name) => name.includes(".tmp-"));
  assert.deepEqual(unfinished, [], "the unfinished one is removed");
});
