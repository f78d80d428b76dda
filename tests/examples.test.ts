import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as ts from "typescript";
import { packageRoot } from "../src/core/packageRoot";

/*
 * Every @example of a comment is compiled against the package's own types and run, all in one process, in a folder of
 * their own in which `data` and the package lie as in a project. `import * as luvit from "luvit"` goes without saying.
 */

/** Functions whose comments have to have one. */
const shown = [
  ...["ready", "show", "table", "progress", "live", "classify", "compile"],
  ...[
    "imageFolder",
    "imageNetS",
    "preview",
    "shard",
    "transforms.mae",
    "transforms.finetune",
    "transforms.none",
  ].map((name) => `data.${name}`),
  ...["mae.create", "classifier.create", "classifier.fromPretrained", "llama.loadBlock"],
  ...["lora.attach", "lora.adapters", "lora.merge", "baselines.randomBlock", "fusion.through"],
  ...["train.pretrain", "train.finetune", "train.evaluate", "benchmark.suite", "optim.clipGradNorm"],
  ...[
    "attentionEntropy",
    "patchMaps",
    "summarizeEntropy",
    "attentionMaps",
    "backgroundReliance",
    "reconstruct",
  ].map((name) => `analysis.${name}`),
  ...[
    "attentionViewer",
    "barComparison",
    "heatmapGrid",
    "historyCurves",
    "imageGrid",
    "entropyMaps",
    "overlays",
  ].map((name) => `figures.${name}`),
  ...["nn.patchify", "nn.unpatchify"],
];

interface Example {
  /** "src/models/mae.ts:210". */
  place: string;
  code: string;
}

const root = packageRoot();
const folder = mkdtempSync(join(tmpdir(), "luvit-examples-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function examples(): Example[] {
  const files = readdirSync(join(root, "src"), { recursive: true }).map(String);
  return files
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => {
      const text = readFileSync(join(root, "src", name), "utf8");
      return [...text.matchAll(/^ *\* @example\n((?: *\*(?!\/).*\n)+)/gm)].map(({ index, 1: lines }) => {
        const line = text.slice(0, index).split("\n").length;
        const code = lines.replace(/^ *\* ?/gm, "").split(/^@/m)[0];
        return { place: `src/${name}:${line}`, code };
      });
    });
}

/** The example as a module with a function that does it. */
function moduleOf({ code }: Example): string {
  const statements = code.replace(/^import .*luvit.*\n/m, "");
  return `import * as luvit from "luvit";\nexport async function run(): Promise<void> {\n${statements}}\n`;
}

function compiled(all: readonly Example[]): string[] {
  const files = all.map((example, i) => {
    const file = join(folder, `example${i}.ts`);
    writeFileSync(file, moduleOf(example));
    return file;
  });
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    strict: true,
    skipLibCheck: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
  });
  program.emit();
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const index = files.indexOf(file?.fileName ?? "");
    return `${all[index]?.place ?? file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}

/** Does one after the other and says what came of it. */
const runner = `
(async () => {
  const failures = [];
  for (let i = 0; i < Number(process.argv[2]); i++) {
    try { await require("./example" + i).run(); }
    catch (error) { failures.push([i, String(error && error.stack)]); }
  }
  require("fs").writeFileSync("failures.json", JSON.stringify(failures));
  process.exit();
})();
`;

test("every example of a comment compiles against the package's types and runs", () => {
  const all = examples();
  assert.ok(all.length >= shown.length, `${all.length} examples were found`);
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "luvit"), "dir");
  symlinkSync(join(root, "data"), join(folder, "data"), "dir");
  assert.deepEqual(compiled(all), []);
  writeFileSync(join(folder, "runner.js"), runner);
  const { stderr } = spawnSync(process.execPath, ["runner.js", `${all.length}`], {
    cwd: folder,
    encoding: "utf8",
  });
  let failures: [number, string][];
  try {
    failures = JSON.parse(readFileSync(join(folder, "failures.json"), "utf8"));
  } catch {
    assert.fail(`the examples were not run to the end: ${stderr}`);
  }
  assert.deepEqual(
    failures.map(([i, error]) => `${all[i].place}: ${error}`),
    [],
  );
});

test("the functions that notebooks call have an example", () => {
  const entry = join(root, "src", "index.ts");
  const program = ts.createProgram([entry], { noLib: true, types: [], module: ts.ModuleKind.CommonJS });
  const checker = program.getTypeChecker();
  const resolved = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const library = checker.getSymbolAtLocation(program.getSourceFile(entry)!)!;
  const isShown = (path: string): boolean => {
    let symbol: ts.Symbol | undefined = library;
    for (const name of path.split("."))
      symbol = symbol && checker.getExportsOfModule(resolved(symbol)).find((one) => one.name === name);
    if (!symbol) return false;
    return resolved(symbol)
      .getJsDocTags(checker)
      .some(({ name }) => name === "example");
  };
  assert.deepEqual(
    shown.filter((path) => !isShown(path)),
    [],
  );
});
