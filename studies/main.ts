import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeMachine } from "../bench/core/machine";
import { ready } from "../src";
import { codeVersion } from "../src/core/commit";
import { LuvitError } from "../src/core/errors";
import { makeFolder } from "../src/core/makeFolder";
import { packageRoot } from "../src/core/packageRoot";
import { writeTable } from "../src/io/tables";
import { ablationsStudy } from "./ablations";
import { agreement } from "./core/agreement";
import { claimsText, readClaims } from "./core/claims";
import { keptAfter, readResults } from "./core/kept";
import { type Result, resultsOf, resultsTable, resultsText } from "./core/results";
import { type Done, finished, runStudy } from "./core/run";
import type { Study } from "./core/study";
import { detectStudy } from "./detect";
import { distillStudy } from "./distill";
import { languageStudy } from "./language";
import { llavitStudy } from "./llavit";
import { signStudy } from "./sign";

/** Every study, by name. */
const studies: Readonly<Record<string, Study>> = {
  ablations: ablationsStudy,
  detect: detectStudy,
  distill: distillStudy,
  language: languageStudy,
  llavit: llavitStudy,
  sign: signStudy,
};

const usage = `npm run study -- <name> [options]

  <name>          ${Object.keys(studies).join(", ")}
  --seeds N       default the study's own
  --epochs N      default the study's own
  --out FOLDER    trials and runs; default out/studies/<name>
  --only TRIAL    one trial and what it needs ("luvit-0"), beside the numbers kept in data/studies
  --so-far        runs nothing, takes the trials that are done
  --save          writes them into data/studies/<name>.arrow, which notebooks read; what was not run now stays there

A study that was stopped or killed goes on with the same command; started twice, two processes share its trials.`;

const flags = {
  seeds: { type: "string" },
  epochs: { type: "string" },
  out: { type: "string" },
  only: { type: "string" },
  save: { type: "boolean" },
  "so-far": { type: "boolean" },
  help: { type: "boolean" },
} as const;

function count(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new LuvitError("bad-argument", `--${name} takes a whole number from 1, got ${text}`);
}

/** A file in a folder that is made where it is missing. */
function within(folder: string, file: string): string {
  makeFolder(folder);
  return join(folder, file);
}

const keptFolder = join(packageRoot(), "data", "studies");

/** Into the table that notebooks read, with what else trials left where all of them were run; returns what is in it now. */
async function save(study: Study, done: readonly Done[], known: readonly Result[], out: string) {
  const { results, isWhole } = keptAfter(study, done, known);
  await writeTable(within(keptFolder, `${study.name}.arrow`), resultsTable(results));
  const tables = isWhole ? await study.tables?.(out) : undefined;
  for (const [folder, found] of Object.entries(tables ?? {}))
    await writeTable(within(join(keptFolder, folder), `${study.name}.arrow`), found);
  return results;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: flags, allowPositionals: true });
  const study = studies[positionals[0] ?? ""];
  if (values.help || !study || positionals.length > 1) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const size = {
    seeds: count("seeds", values.seeds, study.size.seeds),
    epochs: count("epochs", values.epochs, study.size.epochs),
  };
  const out = values.out ?? join(packageRoot(), "out", "studies", study.name);
  console.log(String(await ready()));
  const { cpu, cores } = describeMachine();
  const about = { commit: codeVersion(), machine: `${cpu}, ${cores} cores` };
  const { only } = values;
  const options = { size, out, ...about, only, print: (line: string) => console.log(line) };
  const done = values["so-far"] ? finished(study, options) : await runStudy(study, options);
  if (!done) return 130;
  const results = resultsOf(done);
  const known = await readResults(join(keptFolder, `${study.name}.arrow`));
  const shown = values.save ? await save(study, done, known, out) : results;
  if (only !== undefined) {
    console.log(agreement(results, known));
    return 0;
  }
  await writeTable(join(out, "results.arrow"), resultsTable(results));
  console.log(resultsText(shown, study.baseline));
  const claims = join(keptFolder, `${study.name}.claims.json`);
  if (existsSync(claims)) console.log(`\n${claimsText(shown, readClaims(claims))}`);
  console.log(join(out, "results.arrow"));
  return 0;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    console.error(error instanceof LuvitError ? error.message : error);
    process.exitCode = 1;
  },
);
