// Runs commands and files of tests, each under a time limit of its own, and counts what came of them.
import { spawn } from "node:child_process";

/** Seconds one file, the golden cases or one notebook may take; LUVIT_TEST_LIMIT sets another number. */
const limit = Number(process.env.LUVIT_TEST_LIMIT ?? 1200);
/** Files at once. */
const LANES = 2;
if (!(limit > 0)) throw new Error(`LUVIT_TEST_LIMIT=${process.env.LUVIT_TEST_LIMIT}: expected seconds`);

/** What came of a run: numbers of tests, `failures` and `skips` by name with the reason. */
export class Tally {
  passed = 0;
  failed = 0;
  failures = [];
  skips = [];

  fail(name, reason, count = 1) {
    this.failed += count;
    this.failures.push(`${name}: ${reason}`);
  }

  skip(name, reason) {
    this.skips.push(`${name}: ${reason}`);
  }

  /** Names what failed and what was skipped, then says the three numbers. */
  close() {
    for (const line of this.skips) console.log(`SKIPPED ${line}`);
    for (const line of this.failures) console.log(`FAILED ${line}`);
    console.log(`\n${this.passed} passed, ${this.failed} failed, ${this.skips.length} skipped`);
    return this.failed > 0 || this.passed === 0 ? 1 : 0;
  }
}

/** Test files (node:test), a few at once, each in a process of its own. */
export async function runTestFiles(files, tally) {
  const waiting = [...files];
  const lane = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const ran = await run("node", ["--test", "--test-reporter=spec", file]);
      console.log(`\n> ${file}\n${ran.output}`);
      countTests(file, ran, tally);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

function countTests(file, { output, ended }, tally) {
  for (const [, name, reason] of output.matchAll(/^ *﹣ (.*) \([\d.]+m?s\)(?: # (.*))?$/gm))
    tally.skip(`${file}: ${name}`, reason && reason !== "SKIP" ? reason : "no reason given");
  const count = (word) => Number(new RegExp(`^ℹ ${word} (\\d+)$`, "m").exec(output)?.[1] ?? Number.NaN);
  const [good, ...bad] = ["pass", "fail", "cancelled"].map(count);
  const failed = bad[0] + bad[1];
  if (ended === "at the limit") tally.fail(file, `did not end within ${limit} s and was killed`);
  else if (Number.isNaN(good + failed)) tally.fail(file, `ended (${ended}) without a summary`);
  // node:test counts a file that holds no test as one that passed.
  else if (good === 1 && isOnlyFile(output, file)) tally.fail(file, "holds no test");
  else {
    tally.passed += good;
    if (failed > 0) tally.fail(file, `${failed} of ${good + failed}`, failed);
    else if (ended !== 0) tally.fail(file, `ended with ${ended} though no test failed`);
  }
}

const isOnlyFile = (output, file) => {
  const names = [...output.matchAll(/^ *✔ (.*) \([\d.]+m?s\)/gm)].map(([, name]) => name);
  return names.length === 1 && names[0].endsWith(file.replace(/^(\.\/)+/, ""));
};

/** Runs a command; `shown` passes its words on as they come. `ended` is its exit code, its signal or "at the limit". */
export function run(command, args, { shown = false } = {}) {
  // Inside a test, node --test would run nothing at all.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, env });
    let output = "";
    for (const [stream, out] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ])
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
        if (shown) out.write(text);
      });
    let isLate = false;
    const kill = () => {
      // The whole group: what the test started hangs on to its pipes.
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    };
    const timer = setTimeout(() => {
      isLate = true;
      kill();
    }, limit * 1000);
    const interrupted = () => {
      kill();
      process.exit(130);
    };
    process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
      resolve({ output, ended: isLate ? "at the limit" : (status ?? signal) });
    });
  });
}
