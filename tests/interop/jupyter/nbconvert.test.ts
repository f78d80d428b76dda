import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { packageRoot } from "../../../src/core/packageRoot";
import { setParameters } from "../../../src/kernel/parameters";
import {
  type CellOutput,
  joinLines,
  type Notebook,
  type NotebookCell,
  readNotebook,
} from "../../../src/notebook/nbformat";
import { jupyterEnvironment, pythonWith } from "./python";

const { python, skip } = pythonWith("notebooks under nbconvert", "nbclient, nbconvert", [
  "LUVIT_JUPYTER_PYTHON",
  "LUVIT_PYTHON",
]);

/** What a cell shows, by what it calls. */
const shown: [RegExp, readonly string[]][] = [
  [/figures\.(historyCurves|entropyScatter)\(/, ["application/vnd.plotly.v1+json", "text/html", "image/png"]],
  [/figures\.(imageGrid|reconstructionGrid|entropyMaps)\(/, ["image/png"]],
  [/figures\.attentionViewer\(/, ["text/html", "image/png"]],
  [/\btable\(\[|table\(results\)|\.parts\(\)/, ["text/html"]],
  [/luvit\.live\(/, ["text/html"]],
];

/** Notebooks that train for minutes as they are shipped. */
const shortened: Readonly<Record<string, Record<string, number>>> = {
  ...JSON.parse(readFileSync(join(packageRoot(), "scripts", "shortNotebooks.json"), "utf8")),
  // They run in full among all notebooks, by `luvit run`.
  "00-quickstart.ipynb": { epochs: 2 },
  "05-what-does-a-head-do.ipynb": { epochs: 1, others: 4 },
  "06-a-teacher-for-a-plain-vit.ipynb": { epochs: 1 },
};

const bundles = (outputs: readonly CellOutput[]) =>
  outputs.flatMap((output) => ("data" in output ? [output.data as Record<string, unknown>] : []));

/** Whether exports have nothing to show but an image. */
const onlyImage = (bundle: Record<string, unknown>) =>
  "image/png" in bundle && !("text/html" in bundle) && !("text/markdown" in bundle);

/** Everything wrong with an executed code cell. */
function problems({ source, execution_count, outputs = [] }: NotebookCell): string[] {
  const found: string[] = [];
  const types = new Set(bundles(outputs).flatMap((bundle) => Object.keys(bundle)));
  if (typeof execution_count !== "number") found.push("was not executed");
  for (const output of outputs) {
    if (output.output_type === "error") found.push(`failed: ${output.ename} ${output.evalue}`);
    if (output.output_type === "stream" && output.name === "stderr") found.push(`stderr: ${output.text}`);
  }
  for (const bundle of bundles(outputs)) if (!("text/plain" in bundle)) found.push("shows nothing as text");
  for (const [call, expected] of shown)
    if (call.test(source)) for (const type of expected) if (!types.has(type)) found.push(`shows no ${type}`);
  return found.map((problem) => `${source.split("\n")[0]}: ${problem}`);
}

const names = readdirSync(join(packageRoot(), "notebooks")).filter((file) => file.endsWith(".ipynb"));
let executed: string;

/* One nbconvert executes all notebooks, each in a kernel of its own, and one each exports them all. */
before(() => {
  if (skip) return;
  const env = jupyterEnvironment();
  const folder = join(env.folder, "notebooks");
  executed = join(env.folder, "executed");
  mkdirSync(folder);
  symlinkSync(join(packageRoot(), "data"), join(env.folder, "data"));
  for (const name of names) {
    const shipped = readNotebook(join(packageRoot(), "notebooks", name));
    writeFileSync(join(folder, name), JSON.stringify(setParameters(shipped, shortened[name] ?? {})));
  }
  const nbconvert = (...args: string[]) =>
    execFileSync(python, ["-m", "nbconvert", ...args, "--output-dir", executed], {
      ...{ env, cwd: folder, stdio: "pipe", timeout: 1_100_000 },
    });
  const execution = ["kernel_name=luvit", "timeout=300", "raise_on_iopub_timeout=True"];
  const options = execution.map((option) => `--ExecutePreprocessor.${option}`);
  nbconvert("--to", "notebook", "--execute", "--allow-errors", ...options, ...names);
  const paths = names.map((name) => join(executed, name));
  nbconvert("--to", "html", ...paths);
  nbconvert("--to", "markdown", ...paths);
});

for (const name of names)
  test(`nbconvert executes ${name}: no cell is skipped, no idle lost, everything shown`, { skip }, () => {
    const { cells } = JSON.parse(readFileSync(join(executed, name), "utf8")) as Notebook;
    const code = cells
      .map((cell) => ({ ...cell, source: joinLines(cell.source) }))
      .filter(({ cell_type, source }) => cell_type === "code" && source.trim() !== "");
    assert.deepEqual(code.flatMap(problems), []);
    assert.deepEqual(
      code.map(({ execution_count }) => execution_count),
      code.map((_, index) => index + 1),
    );

    const images = code.flatMap(({ outputs }) => bundles(outputs ?? [])).filter(onlyImage).length;
    const page = readFileSync(join(executed, name.replace(".ipynb", ".html")), "utf8");
    assert.ok((page.match(/<img[^>]*src="data:image\//g) ?? []).length >= images);
    const besides = join(executed, `${basename(name, ".ipynb")}_files`);
    const files = existsSync(besides) ? readdirSync(besides) : [];
    assert.ok(files.length >= images, `${images} images became ${files.join(", ")}`);
    assert.ok(files.every((file) => statSync(join(besides, file)).size > 0));
  });
