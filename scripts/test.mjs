// Runs every test of the project and ends with one line `N passed, N failed`.
//   node scripts/test.mjs [--no-notebooks]
// 1. unit tests (node:test) under build/tests   2. golden cases   3. every notebook in notebooks/, cell by cell
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let passed = 0;
let failed = 0;

await runUnitTests();
await runGoldenCases();
if (process.argv.includes("--no-notebooks")) console.log("SKIPPED: notebooks (asked for by --no-notebooks)");
else await runNotebooks();
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

async function runUnitTests() {
  const files = testFiles("build/tests");
  const { output } = await run("node", ["--test", "--test-reporter=spec", "--test-concurrency=2", ...files]);
  const count = (word) => Number(new RegExp(`^ℹ ${word} (\\d+)$`, "m").exec(output)?.[1] ?? Number.NaN);
  const [good, bad, cancelled] = ["pass", "fail", "cancelled"].map(count);
  if (Number.isNaN(good)) failed++;
  else tally(good, bad + cancelled);
}

async function runGoldenCases() {
  const { output } = await run("node", ["build/tests/golden/run.js"]);
  const last = /^(\d+) passed, (\d+) failed$/m.exec(output);
  if (last) tally(Number(last[1]), Number(last[2]));
  else failed++;
}

async function runNotebooks() {
  for (const name of readdirSync("notebooks").filter((file) => file.endsWith(".ipynb"))) {
    const out = mkdtempSync(join(tmpdir(), "luvit-notebook-"));
    const { status } = await run("node", ["dist/cli.js", "run", join("notebooks", name), "--out", out]);
    rmSync(out, { recursive: true, force: true });
    tally(status === 0 ? 1 : 0, status === 0 ? 0 : 1);
  }
}

function tally(good, bad) {
  passed += good;
  failed += bad;
}

function testFiles(folder) {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".test.js"))
    .map((file) => join(folder, file))
    .sort();
}

function run(command, args) {
  console.log(
    `\n> ${command} ${args.length > 6 ? `${args.slice(0, 4).join(" ")} … ${args.length - 4} files` : args.join(" ")}`,
  );
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on("close", (status) => resolve({ status, output }));
  });
}
