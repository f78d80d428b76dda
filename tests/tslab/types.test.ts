import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { findUp } from "./support";

/** The part of tslab's converter these tests call. */
interface Converter {
  convert(
    declarations: string,
    source: string,
  ): {
    declOutput?: string;
    diagnostics: { messageText: string; start: { line: number } }[];
  };
  close(): void;
}

const repository = findUp(__dirname, "biome.json");
process.chdir(repository); // tslab resolves modules from the current folder
const { createConverter } = require("tslab/dist/converter") as { createConverter(): Converter };
const converter = createConverter();
after(() => converter.close());

const importCell = converter.convert("", 'import * as luvit from "luvit";');

/** Compiles a cell after the importing one. */
const cell = (source: string) => converter.convert(importCell.declOutput!, source);

const messagesOf = (source: string) => cell(source).diagnostics.map(({ messageText }) => messageText);

type Members = Record<string, unknown>;
const entry = require(join(repository, "dist")) as Members;
const isNamespace = (value: unknown) =>
  typeof value === "object" && value !== null && !Object.isFrozen(value);
const namespaces = Object.keys(entry).filter((name) => name !== "tf" && isNamespace(entry[name]));

test("a cell can import the library", () => {
  assert.deepEqual(importCell.diagnostics, []);
  assert.ok(namespaces.includes("train") && namespaces.includes("models") === false);
});

for (const namespace of ["", ...namespaces]) {
  const members = (namespace === "" ? entry : entry[namespace]) as Members;
  const names = Object.keys(members).filter(
    (name) => name !== "tf" && (namespace !== "" || !isNamespace(members[name])),
  );
  test(`${namespace || "top level"}: ${names.length} members keep their types in cells`, () => {
    const path = (name: string) => ["luvit", namespace, name].filter(Boolean).join(".");
    const lines = names.map((name, i) => `const v${i} = ${expression(path(name), members[name])};`);
    const { diagnostics, declOutput = "" } = cell(`${lines.join("\n")}\n`);
    const problems = diagnostics.map(({ messageText, start }) => `${lines[start.line]} ${messageText}`);
    assert.deepEqual(problems, []);
    for (const [i, name] of names.entries()) {
      const type = new RegExp(`declare (?:const|let) v${i}: ([^;]*)`).exec(declOutput)?.[1] ?? "not declared";
      assert.doesNotMatch(type, /\bany\b|^\{\}$|not declared/, `${path(name)} is ${type}`);
    }
  });
}

/** What calling a function, or making a class, gives; the value itself for the rest. */
function expression(path: string, value: unknown): string {
  if (typeof value !== "function") return path;
  const isClass = /^class\b/.test(Function.prototype.toString.call(value));
  if (isClass) return `null as unknown as InstanceType<typeof ${path}>`;
  return `${path}(...(null as unknown as Parameters<typeof ${path}>))`;
}

/** The type that the converter writes down for an expression. */
function typeOf(source: string): string {
  const { diagnostics, declOutput = "" } = cell(`const value = ${source};`);
  assert.deepEqual(diagnostics, []);
  return /declare (?:const|let) value: ([^;]*)/.exec(declOutput)![1];
}

test("the calls of a notebook have the types their documentation names", () => {
  const mae = "luvit.mae.create({ encoder: luvit.vit.toy })";
  const data = "(null as unknown as luvit.data.FolderDataset)";
  const types = {
    [mae]: "luvit.mae.MaskedAutoencoder",
    [`luvit.train.pretrain(${mae}, ${data}, luvit.recipes.pretrainToy)`]:
      "luvit.train.Run<luvit.mae.MaskedAutoencoder>",
    [`luvit.train.pretrain(${mae}, ${data}, luvit.recipes.pretrainToy).latest`]: "luvit.train.StepRecord",
    'luvit.llama.loadBlock("data/llama-toy")': "Promise<luvit.llama.LlamaBlocks>",
    'luvit.data.imageFolder("data/shapes/train", { transform: luvit.data.transforms.evaluation(64) })':
      "Promise<luvit.data.FolderDataset>",
    "luvit.lora.attach(null as unknown as luvit.llama.LlamaBlocks)": "luvit.lora.LoraReport",
    [`luvit.classifier.fromPretrained(${mae}, { classes: 6 })`]: "Promise<luvit.classifier.Classifier>",
    'luvit.analysis.summarizeEntropy(null, "blocks.3").points[0].foreground': "number",
    [`luvit.train.evaluate(null, ${data})`]: "Promise<luvit.train.Evaluation>",
    "luvit.ready()": "Promise<luvit.EngineStatus>",
  };
  for (const [source, type] of Object.entries(types)) assert.equal(typeOf(source), type, source);
});

test("a misspelt option, a missing one and a wrong kind of model are refused before anything runs", () => {
  const [model, data] = [
    "(null as unknown as luvit.mae.MaskedAutoencoder)",
    "(null as unknown as luvit.data.FolderDataset)",
  ];
  const refused = (source: string, pattern: RegExp) =>
    assert.match(messagesOf(source).join("\n"), pattern, source);
  refused(
    `luvit.train.pretrain(${model}, ${data}, { epochs: 1, batchsize: 8 })`,
    /'batchsize' does not exist/,
  );
  refused(`luvit.train.pretrain(${model}, ${data}, { epochs: 1 })`, /'batchSize' is missing/);
  refused(`luvit.train.finetune(${model}, ${data}, { epochs: 1, batchSize: 8 })`, /not assignable/);
  refused("luvit.lora.attach(null, { ranks: 4 })", /'ranks' does not exist/);
  refused('luvit.mae.create({ encoder: "base" })', /not assignable to type 'ViTConfig'/);
  refused("luvit.train.pretrian", /pretrian/);
});

test("what one cell declares keeps its type in the next", () => {
  const first = cell(
    "const run = luvit.train.pretrain(null, null, luvit.recipes.pretrainToy);\nconst { history } = run;",
  );
  assert.deepEqual(first.diagnostics, []);
  const next = converter.convert(
    first.declOutput!,
    "const loss: number = history[0].loss;\nconst text: string = run.name;",
  );
  assert.deepEqual(next.diagnostics, []);
  const wrong = converter.convert(first.declOutput!, "const loss: string = run.latest.loss;");
  assert.match(wrong.diagnostics[0].messageText, /'number' is not assignable to type 'string'/);
});

test("tslab's TypeScript finds no fault in our declarations, library checks switched on", () => {
  // biome-ignore lint/suspicious/noExplicitAny: the API of another TypeScript version than this project's own
  const ts = require("@tslab/typescript-for-tslab") as any;
  const dist = join(repository, "dist");
  const files = readdirSync(dist, { recursive: true })
    .map((file) => join(dist, String(file)))
    .filter((file) => file.endsWith(".d.ts"));
  assert.ok(files.length > 50);
  const options = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.NodeJs,
    lib: ["lib.es2022.d.ts"],
    types: ["node"],
    esModuleInterop: true,
    skipLibCheck: false,
    noEmit: true,
  };
  const program = ts.createProgram(files, options);
  const faults = files.flatMap((file) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  });
  const text = ts.formatDiagnostics(faults, {
    getCanonicalFileName: (name: string) => name,
    getCurrentDirectory: () => repository,
    getNewLine: () => "\n",
  });
  assert.equal(text, "");
});

test("tfjs' chained ops have types in cells, and gradients", () => {
  const source =
    "const sum = luvit.tf.tensor1d([1, 2]).add(1).sum(); const slope = luvit.tf.grad((x) => x.square());";
  assert.deepEqual(messagesOf(source), []);
});
