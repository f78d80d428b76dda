// Runs every test of the project and ends with one line `N passed, N failed, N skipped`, after the names of what
// failed and of what was skipped, with the reasons.
//   node scripts/test.mjs [--no-notebooks]
//   node scripts/test.mjs --only build/tests/unit/nn     the test files of one folder and nothing else
// 1. test files (node:test) under build/tests   2. golden cases   3. every notebook in notebooks/, cell by cell
// LUVIT_TEST_LIMIT: seconds that a file, the golden cases or a notebook may take. LUVIT_SEED: of tests that draw.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, runTestFiles, Tally } from "./testFiles.mjs";

/** What is given to notebooks that train for minutes as they stand. */
const parameters = JSON.parse(readFileSync(new URL("shortNotebooks.json", import.meta.url), "utf8"));

const tally = new Tally();
const only = process.argv.indexOf("--only");
if (only > 0) await runTestFiles(testFiles(process.argv[only + 1]), tally);
else {
  await runTestFiles(testFiles("build/tests"), tally);
  await runGoldenCases();
  await runNotebooks();
}
process.exitCode = tally.close();

async function runGoldenCases() {
  console.log("\n> golden cases");
  const { output, ended } = await run("node", ["build/tests/golden/run.js"], { shown: true });
  const last = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(output);
  if (!last) return tally.fail("golden cases", `ended (${ended}) without a summary`);
  tally.passed += Number(last[1]);
  if (Number(last[2]) > 0) tally.fail("golden cases", last[0], Number(last[2]));
  for (const [, name] of output.matchAll(/^SKIPPED (.*), not covered by this version$/gm))
    tally.skip(`golden case ${name}`, "not covered by this version");
}

async function runNotebooks() {
  const course = readdirSync("notebooks/course").map((file) => `course/${file}`);
  const all = [...readdirSync("notebooks"), ...course];
  for (const name of all.filter((file) => file.endsWith(".ipynb"))) {
    if (process.argv.includes("--no-notebooks")) {
      tally.skip(`notebook ${name}`, "asked for by --no-notebooks");
      continue;
    }
    console.log(`\n> notebook ${name}`);
    const out = mkdtempSync(join(tmpdir(), "luvit-notebook-"));
    const given = Object.entries(parameters[name] ?? {}).flatMap(([key, value]) => ["-p", `${key}=${value}`]);
    const { ended } = await run(
      "node",
      ["dist/cli.js", "run", join("notebooks", name), "--out", out, ...given],
      { shown: true },
    );
    rmSync(out, { recursive: true, force: true });
    if (ended === 0) tally.passed++;
    else tally.fail(`notebook ${name}`, `ended: ${ended}`);
  }
}

function testFiles(folder) {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".test.js"))
    .map((file) => join(folder, file))
    .sort();
}
