import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient } from "./client";

let kernel: KernelClient;

before(async () => {
  kernel = await KernelClient.start();
  for (const folder of ["data", "lib"]) mkdirSync(join(kernel.folder, folder));
  for (const file of ["data/a.csv", "data/b c.csv", "data/.hidden", 'data/"quoted"', "lib/part.ts"])
    writeFileSync(join(kernel.folder, file), "");
  await kernel.run(`/**
 * Adds two numbers.
 * @param a the first one
 * @param b - the second one
 * @returns their sum
 * @example
 * add(1, 2) // 3
 */
function add(a: number, b: number): number { return a + b; }
function pick(a: string): string;
function pick(a: number, b: number): number;
function pick(a: any): any { return a; }`);
});
after(() => kernel.close());

/** `|` is the cursor. */
async function inspected(marked: string): Promise<Record<string, string> | undefined> {
  const cursor_pos = Array.from(marked.slice(0, marked.indexOf("|"))).length;
  const code = marked.replace("|", "");
  const { reply } = await kernel.ask("inspect_request", { code, cursor_pos, detail_level: 0 });
  return reply.found ? reply.data : undefined;
}

async function completed(marked: string): Promise<string[]> {
  const cursor_pos = Array.from(marked.slice(0, marked.indexOf("|"))).length;
  const code = marked.replace("|", "");
  const { reply } = await kernel.ask("complete_request", { code, cursor_pos });
  const [start, end] = [reply.cursor_start, reply.cursor_end];
  const characters = Array.from(code);
  return reply.matches.map((match: string) =>
    [...characters.slice(0, start), match, ...characters.slice(end)].join(""),
  );
}

describe("Shift+Tab", () => {
  it("between the brackets of a call shows the signature, wherever the cursor is there", async () => {
    for (const code of [
      "add(|",
      "add(|)",
      "add(1, |",
      "add(1, |)",
      "console.log(add(1, |))",
      "'🐑'; add(|",
    ]) {
      const data = await inspected(code);
      assert.match(data!["text/plain"]!, /^add\(a: number, b: number\): number\n\nAdds two numbers\./, code);
      assert.match(data!["text/markdown"]!, /^```typescript\nadd\(a: number, b: number\): number\n```/, code);
    }
    assert.match((await inspected("[1].map(|"))!["text/plain"]!, /^map\(callbackfn: /);
    assert.match((await inspected("Math.max(|"))!["text/plain"]!, /^max\(\.\.\.values: number\[\]\): number/);
    assert.equal(await inspected("nowhere(|"), undefined);
    assert.equal(await inspected("1 + 1|"), undefined);
  });

  it("shows every overload, the fitting one first", async () => {
    const [first, second] = (await inspected("pick(1, |"))!["text/plain"]!.split("\n");
    assert.equal(first, "pick(a: number, b: number): number");
    assert.equal(second, "pick(a: string): string");
  });

  it("shows parameters, result and examples of the comment, as text and as Markdown", async () => {
    for (const code of ["add|", "add(|"]) {
      const data = await inspected(code);
      assert.match(
        data!["text/plain"]!,
        /Adds two numbers\.\n\n@param a the first one\n@param b - the second one\n@returns their sum\n@example add\(1, 2\) \/\/ 3$/,
      );
      assert.match(
        data!["text/markdown"]!,
        /- \*@param\* `a` the first one\n- \*@param\* `b` the second one\n\n- \*@returns\* their sum\n\n\*@example\*\n\n```typescript\nadd\(1, 2\) \/\/ 3\n```/,
      );
    }
  });
});

describe("Tab within a text", () => {
  it("goes on with files and folders, seen from the notebook's folder", async () => {
    for (const [code, found] of [
      ['f("./da|")', ['f("./data/")']],
      ['f("./data/|")', ['f("./data/a.csv")', 'f("./data/b c.csv")']],
      ['f("./data/|', ['f("./data/a.csv', 'f("./data/b c.csv']],
      ["f('data/b|', 1)", ["f('data/b c.csv', 1)"]],
      ["f(`./data/.|`)", ["f(`./data/.hidden`)"]],
      ['f("./lib/../da|")', ['f("./lib/../data/")']],
      ['f("./d|ta/x.csv")', ['f("./data/x.csv")']],
      ["'🐑'; f('./da|')", ["'🐑'; f('./data/')"]],
      ['f("./nosuch/|")', []],
      ['f("./data/a.csv/|")', []],
    ] as const)
      assert.deepEqual(await completed(code), found, code);
    // Begun, as the folder of temporary files may hold more than are offered.
    const name = basename(kernel.folder);
    const above = await completed(`f("../${name.slice(0, -2)}|")`);
    assert.ok(above.includes(`f("../${name}/")`));
    assert.deepEqual(await completed(`f("${kernel.folder}/da|")`), [`f("${kernel.folder}/data/")`]);
  });

  it("goes on with packages, Node's modules and what they export", async () => {
    assert.deepEqual(await completed('import { x } from "luv|"'), ['import { x } from "luvit"']);
    assert.deepEqual(await completed('import { x } from "node:f|"'), [
      'import { x } from "node:fs"',
      'import { x } from "node:fs/promises"',
    ]);
    assert.ok(
      (await completed('import { jo| } from "node:path"')).includes('import { join } from "node:path"'),
    );
  });

  it("names modules without their ending in imports", async () => {
    for (const code of ['"./lib/|"', '"./lib/pa|"', '"./lib/p|art"'])
      assert.deepEqual(
        await completed(`import { x } from ${code}`),
        ['import { x } from "./lib/part"'],
        code,
      );
  });

  it("offers no paths where the compiler knows the values, nor in comments and code", async () => {
    await kernel.run('type Side = "left" | "right";');
    assert.deepEqual(await completed('const side: Side = "|'), [
      'const side: Side = "left',
      'const side: Side = "right',
    ]);
    assert.deepEqual(await completed('// "./da|'), []);
    assert.ok((await completed("ad|")).includes("add"));
  });

  it("says that they are paths", async () => {
    const { reply } = await kernel.ask("complete_request", { code: '"./da', cursor_pos: 5 });
    assert.deepEqual(reply.metadata._jupyter_types_experimental, [
      { text: "data/", type: "path", start: 3, end: 5 },
    ]);
  });
});

describe("Tab after a name that nothing has brought", () => {
  async function offered(marked: string): Promise<{ match: string; text: string; type: string }[]> {
    const code = marked.replace("|", "");
    const { reply } = await kernel.ask("complete_request", { code, cursor_pos: marked.indexOf("|") });
    assert.equal(reply.cursor_end, marked.indexOf("|"));
    const types = reply.metadata._jupyter_types_experimental as { text: string; type: string }[];
    const all = types.map(({ text, type }, index) => ({ match: reply.matches[index], text, type }));
    return all.filter(({ type }) => type.startsWith("from "));
  }

  /** Asks until what is read between requests has been. */
  async function first(marked: string): Promise<{ match: string; text: string; type: string }> {
    for (let tries = 0; tries < 500; tries++) {
      const [found] = await offered(marked);
      if (found) return found;
      await sleep(20);
    }
    throw new Error(`nothing is offered for ${marked}`);
  }

  it("lists the name, and puts it in with its import: of Node, luvit, a local file, a package", async () => {
    writeFileSync(
      join(kernel.folder, "near.ts"),
      "export const nearValue = 1;\nexport const nearOther = 3;\nexport interface NearType {}\n",
    );
    const modules = join(kernel.folder, "node_modules", "afar");
    mkdirSync(modules, { recursive: true });
    writeFileSync(join(kernel.folder, "package.json"), '{ "dependencies": { "afar": "1" } }');
    writeFileSync(join(modules, "package.json"), '{ "name": "afar", "version": "1.0.0", "types": "i.d.ts" }');
    const others =
      'export * from "./more";\nexport { farShown } from "./part";\nexport type * from "./kinds";\n';
    writeFileSync(join(modules, "i.d.ts"), others);
    writeFileSync(join(modules, "more.d.ts"), "export declare function farAway(): number;\n");
    writeFileSync(
      join(modules, "part.d.ts"),
      "export declare const farShown: 1;\nexport declare const farHid: 1;\n",
    );
    writeFileSync(join(modules, "kinds.d.ts"), "export declare const farKind: 1;\n");
    for (const [begun, name, module] of [
      ["readFileSy", "readFileSync", "node:fs"],
      ["jupyterDis", "jupyterDisplay", "luvit"],
      ["nearV", "nearValue", "./near"],
      ["farA", "farAway", "afar"],
      ["farSh", "farShown", "afar"],
    ] as const) {
      const statement = `import { ${name} } from "${module}";\n${name}`;
      assert.deepEqual(await first(`${begun}|`), { match: name, text: statement, type: `from ${module}` });
      assert.equal((await first(`const x = 1;\n  ${begun}|(1)`)).text, statement);
      assert.equal((await first(`f(${begun}|)`)).text, `(await import("${module}")).${name}`);
    }
    for (const hidden of ["farHi|", "farKi|"]) assert.deepEqual(await offered(hidden), [], hidden);
    const ran = await kernel.run((await first("nearVal|")).text);
    assert.equal(
      ran.published.find(({ type }) => type === "execute_result")?.content.data["text/plain"],
      "1",
    );
    const within = (await first("[nearOth|]")).text;
    const value = await kernel.run(`[${within} + 1]`);
    assert.equal(
      value.published.find(({ type }) => type === "execute_result")?.content.data["text/plain"],
      "[ 4 ]",
    );
  });

  it("is left alone where no import fits, or the name is there", async () => {
    await first("readFileSy|");
    for (const code of [
      "x.readFileSy|",
      "const readFileSy|",
      "let y: readFileSy|",
      "function f() { readFileSy| }",
      "NearTy|",
      "Mat|",
      "'readFileSy|'",
      "re|",
    ])
      assert.deepEqual(await offered(code), [], code);
    await kernel.run('import { readFileSync } from "node:fs";');
    assert.deepEqual(await offered("readFileSy|"), []);
  });
});

describe("an error names what mends it", () => {
  async function hint(code: string): Promise<string | undefined> {
    const { reply } = await kernel.run(code);
    assert.equal(reply.status, "error", code);
    return (reply.traceback as string[]).find((line) => line.startsWith("hint:"));
  }

  it("a missing await, with the code that has it", async () => {
    await kernel.run("const later = async () => [1, 2];");
    assert.match((await hint("later().length"))!, /write `\(await later\(\)\)\.length`$/);
    assert.match((await hint("for (const x of later()) console.log(x);"))!, /write `await later\(\)`$/);
    assert.match((await hint("const numbers: number[] = later();"))!, /await/);
  });

  it("an import that brings the name", async () => {
    assert.match((await hint("createHash('md5')"))!, /import \{ createHash \} from "node:crypto";$/);
    assert.equal(await hint("nobodyKnowsThis(1)"), undefined);
    assert.match((await hint("print(1)"))!, /print of Python/);
  });
});
