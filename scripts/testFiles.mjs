// Runs jobs of tests, each under a time limit and with a temporary folder of its own, and counts what came of them.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Seconds one file, the golden cases or one notebook may take; LUVIT_TEST_LIMIT sets another number. */
const limit = Number(process.env.LUVIT_TEST_LIMIT ?? 1200);
/** Jobs at once. */
const LANES = 2;
/** Jobs that may fail and are asked again. */
const FEW = 3;
if (!(limit > 0)) throw new Error(`LUVIT_TEST_LIMIT=${process.env.LUVIT_TEST_LIMIT}: expected seconds`);

/** What came of a run: numbers of tests, `failures` and `skips` by name with the reason. */
export class Tally {
  passed = 0;
  failed = 0;
  /** Whether the one job that was counted was killed at the limit. */
  hung = false;
  failures = [];
  /** What failed beside other jobs and passed alone. */
  unsteady = [];
  skips = [];

  fail(name, reason, count = 1) {
    this.failed += count;
    this.failures.push(`${name}: ${reason}`);
  }

  skip(name, reason) {
    this.skips.push(`${name}: ${reason}`);
  }

  /** Counts what came of one job as well. */
  add({ passed, failed, failures, skips }) {
    this.passed += passed;
    this.failed += failed;
    this.failures.push(...failures);
    this.skips.push(...skips);
  }

  /** Names what failed, what did so only once and what was skipped, then says the three numbers. */
  close() {
    for (const line of this.skips) console.log(`SKIPPED ${line}`);
    for (const line of this.unsteady) console.log(`UNSTEADY ${line}`);
    for (const line of this.failures) console.log(`FAILED ${line}`);
    console.log(`\n${this.passed} passed, ${this.failed} failed, ${this.skips.length} skipped`);
    return this.failed > 0 || this.passed === 0 ? 1 : 0;
  }
}

/**
 * Runs jobs in their order, a few at once. A job has a `name`, `words`: the arguments of `node`, made with the job's
 * temporary folder, and `count`, which says to a tally what came of it. Where no more than `FEW` jobs fail, each is asked
 * once more with nothing beside it, but for those that hung: what waits for a clock fails on a machine that is busy. What passes then is named as
 * unsteady, with what it failed over at first.
 */
export async function runJobs(jobs, tally) {
  const waiting = [...jobs];
  const failed = [];
  const lane = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      const came = await tallied(job);
      if (came.failed > 0) failed.push({ job, came });
      else tally.add(came);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  for (const { job, came } of failed) {
    const alone = failed.length > FEW || came.hung ? came : await tallied(job);
    if (alone.failed === 0) tally.unsteady.push(...came.failures);
    tally.add(alone);
  }
}

/** What comes of one job. */
async function tallied(job) {
  const tally = new Tally();
  const ran = await run(job);
  console.log(`\n> ${job.name}\n${ran.output}`);
  tally.hung = ran.ended === "at the limit";
  if (tally.hung) tally.fail(job.name, `did not end within ${limit} s and was killed`);
  else job.count(ran, tally);
  return tally;
}

/** The job that runs one file of tests (node:test). */
export const testFile = (file) => ({
  name: file,
  words: () => ["--test-reporter=spec", file],
  count: (ran, tally) => countTests(file, ran, tally),
});

function countTests(file, { output, ended }, tally) {
  for (const [, name, reason] of output.matchAll(/^ *﹣ (.*) \([\d.]+m?s\)(?: # (.*))?$/gm))
    tally.skip(`${file}: ${name}`, reason && reason !== "SKIP" ? reason : "no reason given");
  const count = (word) => Number(new RegExp(`^ℹ ${word} (\\d+)$`, "m").exec(output)?.[1] ?? Number.NaN);
  const [good, ...bad] = ["pass", "fail", "cancelled"].map(count);
  const failed = bad[0] + bad[1];
  if (Number.isNaN(good + failed))
    tally.fail(file, ended === 0 ? "holds no test" : `ended (${ended}) without a summary`);
  else {
    tally.passed += good;
    if (failed > 0) tally.fail(file, `${failed} of ${good + failed}${told(output)}`, failed);
    else if (ended !== 0) tally.fail(file, `ended with ${ended} though no test failed`);
  }
}

/** What node:test says at its end of each test that failed, with its first lines. */
function told(output) {
  const end = output.slice(output.indexOf("✖ failing tests:"));
  const tests = end.split(/^test at /m).slice(1);
  return tests.map((test) => `\n  ${test.split("\n").slice(0, 12).join("\n  ")}`).join("");
}

/** Stops each job that is going on, with all that it has started. */
const stops = new Set();
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => {
    for (const stop of stops) stop();
    process.exit(130);
  });

/** `ended` is the job's exit code, its signal or "at the limit". */
function run({ words }) {
  // Whatever a test is killed over goes with this folder.
  const folder = mkdtempSync(join(tmpdir(), "luvit-test-"));
  // Inside a test, node:test would write for the process above it.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Promise((resolve) => {
    const options = { stdio: ["ignore", "pipe", "pipe"], detached: true, env: { ...env, TMPDIR: folder } };
    const child = spawn("node", words(folder), options);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    let isLate = false;
    const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    const kill = () => {
      // The whole group: what the test started hangs on to its pipes.
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    };
    const stop = () => {
      kill();
      remove();
    };
    const timer = setTimeout(() => {
      isLate = true;
      kill();
    }, limit * 1000);
    stops.add(stop);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      stops.delete(stop);
      remove();
      resolve({ output, ended: isLate ? "at the limit" : (status ?? signal) });
    });
  });
}
