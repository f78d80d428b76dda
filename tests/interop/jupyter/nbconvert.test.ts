import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
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
  // It runs in full by the quickstart command and in JupyterLab.
  "00-quickstart.ipynb": { epochs: 2 },
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

for (const name of readdirSync(join(packageRoot(), "notebooks")).filter((file) => file.endsWith(".ipynb")))
  test(`nbconvert executes ${name}: no cell is skipped, no idle lost, everything shown`, { skip }, () => {
    const env = jupyterEnvironment();
    const folder = join(env.folder, "notebooks");
    mkdirSync(folder);
    const shipped = join(packageRoot(), "notebooks", name);
    if (name in shortened)
      writeFileSync(
        join(folder, name),
        JSON.stringify(setParameters(readNotebook(shipped), shortened[name])),
      );
    else cpSync(shipped, join(folder, name));
    symlinkSync(join(packageRoot(), "data"), join(env.folder, "data"));
    const nbconvert = (...args: string[]) =>
      execFileSync(python, ["-m", "nbconvert", ...args], {
        env,
        cwd: folder,
        stdio: "pipe",
        timeout: 600_000,
      });
    const executed = `executed-${name}`;
    const execution = ["kernel_name=luvit", "timeout=300", "raise_on_iopub_timeout=True"];
    const options = execution.map((option) => `--ExecutePreprocessor.${option}`);
    nbconvert("--to", "notebook", "--execute", ...options, "--output", executed, name);

    const { cells } = JSON.parse(readFileSync(join(folder, executed), "utf8")) as Notebook;
    const code = cells
      .map((cell) => ({ ...cell, source: joinLines(cell.source) }))
      .filter(({ cell_type, source }) => cell_type === "code" && source.trim() !== "");
    assert.deepEqual(code.flatMap(problems), []);
    assert.deepEqual(
      code.map(({ execution_count }) => execution_count),
      code.map((_, index) => index + 1),
    );

    const images = code.flatMap(({ outputs }) => bundles(outputs ?? [])).filter(onlyImage).length;
    nbconvert("--to", "html", executed);
    const page = readFileSync(join(folder, executed.replace(".ipynb", ".html")), "utf8");
    assert.ok((page.match(/<img[^>]*src="data:image\//g) ?? []).length >= images);
    nbconvert("--to", "markdown", executed);
    const besides = join(folder, `${basename(executed, ".ipynb")}_files`);
    const files = existsSync(besides) ? readdirSync(besides) : [];
    assert.ok(files.length >= images, `${images} images became ${files.join(", ")}`);
    assert.ok(files.every((file) => statSync(join(besides, file)).size > 0));
  });
