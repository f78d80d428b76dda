import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import * as ts from "typescript";
import * as luvit from "../../../src";
import { packageRoot } from "../../../src/core/packageRoot";
import { startBackend } from "../../../src/core/tf";

before(async () => void (await startBackend({ backend: "wasm" })));

const folder = join(packageRoot(), "notebooks", "course");
const notebooks = readdirSync(folder).filter((name) => name.endsWith(".ipynb"));

/** Cells of a notebook: what they are, and their text. */
function cellsOf(name: string): { cell_type: string; source: string }[] {
  const { cells } = JSON.parse(readFileSync(join(folder, name), "utf8")) as {
    cells: { cell_type: string; source: string[] }[];
  };
  return cells.map(({ cell_type, source }) => ({ cell_type, source: source.join("") }));
}

/** The exercises of a notebook, in order: name, variable of the answer, code of the folded solution. */
function exercisesOf(name: string): { id: string; variable: string; solution: string }[] {
  const cells = cellsOf(name);
  return cells.flatMap(({ cell_type, source }, i) => {
    const asked = /check\.exercise\("([^"]+)", (\w+)\)/.exec(source);
    if (cell_type !== "code" || !asked) return [];
    const solution = /<details><summary>Solution<\/summary>\n\n```ts\n([\s\S]*?)```/.exec(
      cells[i + 1]?.source ?? "",
    );
    assert.ok(solution, `${name}: ${asked[1]} has its solution folded below`);
    return [{ id: asked[1], variable: asked[2], solution: solution[1] }];
  });
}

/** What the code of a solution gives the variable. */
function answerOf(code: string, variable: string): unknown {
  const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2022 } });
  return new Function("luvit", "tf", `${outputText}\nreturn ${variable};`)(luvit, luvit.tf);
}

const withoutTexts = (source: string) => source.replace(/"[^"]*"/g, '""');

describe("the course", () => {
  it("has eight to ten notebooks with three exercises each, which are all there are, in order", () => {
    assert.ok(notebooks.length >= 8 && notebooks.length <= 10, `${notebooks.length}`);
    const asked = notebooks.map((name) => exercisesOf(name).map(({ id }) => id));
    for (const [i, ids] of asked.entries()) assert.equal(ids.length, 3, notebooks[i]);
    assert.deepEqual(asked.flat(), [...luvit.check.names]);
  });

  for (const name of notebooks) {
    it(`${name}: it asks one question and has one picture that answers it`, () => {
      const text = cellsOf(name)
        .filter(({ cell_type }) => cell_type === "markdown")
        .map(({ source }) => source)
        .join("\n");
      assert.equal(text.match(/\*\*Question: /g)?.length, 1);
      assert.equal(text.match(/^## The picture: /gm)?.length, 1);
      assert.match(text, /^## What to take along/m);
    });

    for (const { id, variable, solution } of exercisesOf(name))
      it(`${name}: the solution of ${id} is accepted`, () => {
        const verdict = luvit.check.exercise(id, answerOf(solution, variable));
        assert.equal(verdict.kind, "right", String(verdict));
      });

    it(`${name}: its code fits a page`, () => {
      const lines = cellsOf(name).flatMap(({ cell_type, source }) =>
        cell_type === "code" ? source.split("\n") : [],
      );
      assert.deepEqual(
        lines.filter((line) => line.length > 88),
        [],
      );
    });

    it(`${name}: no number that is asked for stands in an earlier cell`, () => {
      const cells = cellsOf(name);
      for (const { id, variable, solution } of exercisesOf(name)) {
        const answer = answerOf(solution, variable);
        const own = cells.findIndex(({ source }) => source.includes(`check.exercise("${id}"`));
        const code = cells.slice(0, own).filter(({ cell_type }) => cell_type === "code");
        const numbers = code.flatMap(({ source }) => source.match(/\b\d[\d_]*(\.\d+)?(e-?\d+)?\b/g) ?? []);
        assert.ok(!numbers.some((one) => Number(one.replaceAll("_", "")) === answer), id);
      }
    });

    it(`${name}: no later cell needs an answer`, () => {
      const code = cellsOf(name).filter(({ cell_type }) => cell_type === "code");
      for (const { id, variable } of exercisesOf(name)) {
        const own = code.findIndex(({ source }) => source.includes(`check.exercise("${id}"`));
        const uses = new RegExp(`\\b${variable}\\b`);
        const after = code.slice(own + 1).filter(({ source }) => uses.test(withoutTexts(source)));
        assert.deepEqual(
          after.map(({ source }) => source),
          [],
          variable,
        );
      }
    });
  }
});
