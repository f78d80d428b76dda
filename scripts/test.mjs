// Runs every test of the project and ends with one line `N passed, N failed, N skipped`, after the names of what
// failed, of what passed only when asked again alone, and of what was skipped, with the reasons.
//   node scripts/test.mjs [--no-notebooks]
//   node scripts/test.mjs --only build/tests/unit/nn     the test files of one folder and nothing else
//   node scripts/test.mjs --only notebooks               every notebook and nothing else; with LUVIT_COMPILER=tslab
//                                                        in the environment, by the older compiler of cells
// Test files (node:test) under build/tests, the golden cases, and every notebook in notebooks/, cell by cell: a few at once,
// first what scripts/longTests.json names.
// LUVIT_TEST_LIMIT: seconds that a file, the golden cases or a notebook may take. LUVIT_SEED: of tests that draw.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runJobs, Tally, testFile } from "./testFiles.mjs";

const readJson = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
/** What is given to notebooks that train for minutes as they stand. */
const parameters = readJson("shortNotebooks.json");

const tally = new Tally();
const only = process.argv.indexOf("--only");
if (only > 0) {
  const what = process.argv[only + 1];
  await runJobs(what === "notebooks" ? notebooks() : testFiles(what), tally);
} else await runJobs(longestFirst([...testFiles("build/tests"), goldenCases(), ...notebooks()]), tally);
process.exitCode = tally.close();

/** The longest begin first, so that no lane works alone at the end. */
function longestFirst(jobs) {
  const byName = new Map(jobs.map((job) => [job.name, job]));
  const long = readJson("longTests.json");
  const gone = long.filter((name) => !byName.has(name));
  if (gone.length > 0) throw new Error(`scripts/longTests.json names what is not there: ${gone.join(", ")}`);
  return [...long.map((name) => byName.get(name)), ...jobs.filter(({ name }) => !long.includes(name))];
}

function goldenCases() {
  const name = "golden cases";
  const count = ({ output, ended }, tally) => {
    const last = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(output);
    if (!last) return tally.fail(name, `ended (${ended}) without a summary`);
    tally.passed += Number(last[1]);
    if (Number(last[2]) > 0) tally.fail(name, last[0], Number(last[2]));
    for (const [, one] of output.matchAll(/^SKIPPED (.*), not covered by this version$/gm))
      tally.skip(`golden case ${one}`, "not covered by this version");
  };
  return { name, words: () => ["build/tests/golden/run.js"], count };
}

function notebooks() {
  const course = readdirSync("notebooks/course").map((file) => `course/${file}`);
  const all = [...readdirSync("notebooks"), ...course].filter((file) => file.endsWith(".ipynb"));
  if (!process.argv.includes("--no-notebooks")) return all.map(notebook);
  for (const name of all) tally.skip(`notebook ${name}`, "asked for by --no-notebooks");
  return [];
}

function notebook(file) {
  const name = `notebook ${file}`;
  const given = Object.entries(parameters[file] ?? {}).flatMap(([key, value]) => ["-p", `${key}=${value}`]);
  const words = (folder) => [
    "dist/cli.js",
    "run",
    join("notebooks", file),
    "--out",
    join(folder, "out"),
    ...given,
  ];
  const count = ({ ended }, tally) => {
    if (ended === 0) tally.passed++;
    else tally.fail(name, `ended: ${ended}`);
  };
  return { name, words, count };
}

function testFiles(folder) {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".test.js"))
    .map((file) => join(folder, file))
    .sort()
    .map(testFile);
}
