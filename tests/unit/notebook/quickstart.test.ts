import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setParameters } from "../../../src/kernel/parameters";
import { type NotebookCell, readNotebook } from "../../../src/notebook/nbformat";

const path = join(__dirname, "../../../..", "notebooks", "00-quickstart.ipynb");
const notebook = readNotebook(path);
const isTagged = (tag: string) => (cell: NotebookCell) => cell.metadata.tags?.includes(tag) ?? false;

describe("the quickstart", () => {
  const at = notebook.cells.findIndex(isTagged("parameters"));
  const [declared, later] = [notebook.cells[at]!, notebook.cells.slice(at + 1)];

  it("declares epochs, seed and folder in its cell of parameters", () => {
    const names = [...declared.source.matchAll(/^let (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(names, ["epochs", "seed", "folder"]);
  });

  it("uses each of them wherever it trains, makes a model or reads images", () => {
    const code = later.map((cell) => cell.source).join("\n");
    assert.doesNotMatch(code, /\b(const|let) (epochs|seed|folder)\b|data\/shapes/);
    for (const [call, name] of [
      [/train\.(pretrain|finetune)\([^;]*?\}\)/gs, "epochs:"],
      [/train\.(pretrain|finetune)\([^;]*?\}\)/gs, "seed,"],
      [/fromPretrained\([^;]*?\)/gs, "seed"],
      [/lora\.attach\([^;]*?\)/gs, "seed"],
    ] as const) {
      const calls = code.match(call) ?? [];
      assert.ok(calls.length > 0 && calls.every((one) => one.includes(name)), `${call} without ${name}`);
    }
  });

  it("takes those given to a run instead, before anything uses them", () => {
    const { cells } = setParameters(notebook, { epochs: 1 });
    assert.match(cells[at + 1]!.source, /^let epochs = 1;$/m);
    assert.doesNotMatch(
      cells
        .slice(0, at)
        .map((cell) => cell.source)
        .join("\n"),
      /\bepochs\b(?! )/,
    );
  });
});
