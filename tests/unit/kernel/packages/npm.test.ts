import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { compilerNames } from "../../../../src/kernel/compiler/createCompiler";
import { stripAnsi } from "../../../../src/notebook/html";
import { Cells } from "../cells";

/** A package that says its own version, with types, as a CommonJS or an ES module. */
function writePackage(folder: string, name: string, version: string, type: "commonjs" | "module"): void {
  mkdirSync(join(folder, "sub"), { recursive: true });
  const code = (value: string) =>
    type === "module" ? `export const own = ${value};` : `exports.own = ${value};`;
  const files = {
    "package.json": JSON.stringify({ name, version, type, main: "index.js", types: "index.d.ts" }),
    "index.js": code(JSON.stringify(version)),
    "index.d.ts": "export const own: string;",
    "sub/part.js": code("7"),
    "sub/part.d.ts": "export const own: number;",
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
}

for (const compiler of compilerNames)
  describe(`npm: in cells compiled by ${compiler}`, () => {
    let cells: Cells;
    const value = async (source: string) => (await cells.run(source)).value;
    async function failed(source: string): Promise<string> {
      const { outcome } = await cells.run(source);
      assert.equal(outcome.status, "error", source);
      return stripAnsi(outcome.status === "error" ? outcome.traceback.join("\n") : "");
    }

    before(() => {
      cells = new Cells({ compiler });
      const modules = join(cells.folder, "node_modules");
      writePackage(join(modules, "small"), "small", "2.3.1", "commonjs");
      writePackage(join(modules, "@of", "new"), "@of/new", "1.0.0", "module");
      writePackage(join(modules, "early"), "early", "3.0.0-rc.2", "commonjs");
      writePackage(join(modules, "punycode"), "punycode", "2.0.0", "commonjs");
      mkdirSync(join(modules, "broken"));
      writeFileSync(join(modules, "broken", "package.json"), "{");
      writePackage(join(cells.folder, "source"), "comes-later", "0.4.0", "commonjs");
    });
    after(() => cells.close());

    it("means the installed package of that name and version, with its types", async () => {
      assert.equal(await value('import { own } from "npm:small@2";\nown'), "2.3.1");
      assert.equal(await value("import { own as same } from 'npm:small@^2.1';\nsame.length"), "5");
      assert.equal(await value('import { own as sub } from "npm:small@2.3.1/sub/part";\nsub + 1'), "8");
      assert.equal(await value('import * as fresh from "npm:@of/new@1.0.0";\nfresh.own'), "1.0.0");
      assert.equal(await value('(await import("npm:small@latest")).own'), "2.3.1");
      assert.equal(await value('const name = "npm:small@2";\n(await import(name)).own'), "2.3.1");
      assert.match(
        await failed('import { own } from "npm:small";\nconst n: number = own;'),
        /:2:7 - error TS2322: Type 'string'/,
      );
      assert.equal(await value('!echo x\nimport { own } from "npm:small";\n%time own'), "2.3.1");
      assert.equal(
        await value('import { packageVersion } from "npm:luvit";\ntypeof packageVersion'),
        "function",
      );
    });

    it("takes versions ahead of a release where they are named, and packages that share a name with Node", async () => {
      assert.equal(await value('import { own as early } from "npm:early@^3.0.0-rc.1";\nearly'), "3.0.0-rc.2");
      assert.match(await failed('import { own } from "npm:early@3";'), /installed is early 3\.0\.0-rc\.2/);
      assert.equal(await value('import { own as shared } from "npm:punycode@2";\nshared'), "2.0.0");
    });

    it("names no folders and no broken packages", async () => {
      for (const specifier of ["npm:..", "npm:../x", "npm:.small", "npm:@../x", "npm:_x"])
        assert.match(await failed(`import x from "${specifier}";`), /names no package/, specifier);
      assert.match(
        await failed('import x from "npm:broken@1";'),
        /npm:broken@1: \/.*\/broken has no readable package\.json: run `!npm install broken@1`/,
      );
    });

    it("is refused by name where another version is installed, or none, with the command to run", async () => {
      assert.match(
        await failed('1;\nimport { own } from "npm:small@3";'),
        /:2:21 - error: npm:small@3: installed is small 2\.3\.1, in \/.*: run `!npm install small@3` in a cell/,
      );
      assert.match(
        await failed('import x from "npm:not-there@>=1";'),
        /npm:not-there@>=1: the package not-there is not installed: run `!npm install "not-there@>=1"` in a cell/,
      );
      assert.match(
        await failed('const far = "npm:@of/not";\nawait import(far)'),
        /run `!npm install @of\/not` in a cell/,
      );
      assert.match(await failed('import x from "npm:";'), /npm: names no package/);
      assert.match(
        await failed('import x from "jsr:@std/path";'),
        /jsr: is not read here, only npm: and node:/,
      );
      writeFileSync(
        join(cells.folder, "file.ts"),
        'import { own } from "npm:small";\nexport const mine = own;\n',
      );
      assert.match(await failed('import { mine } from "./file";'), /a file names the package without it/);
    });

    it("what the command installs is there for the next cell", async () => {
      assert.match(await failed('import { own } from "comes-later";\nown'), /run `!npm install comes-later`/);
      assert.match(
        await failed('import { own } from "npm:comes-later@0.4";\nown'),
        /!npm install comes-later@0\.4/,
      );
      const ran = await cells.run("!npm install --offline --no-audit --install-links ./source");
      assert.match(ran.text, /added 1 package/);
      assert.equal(await value('import { own } from "npm:comes-later@0.4";\nown'), "0.4.0");
      assert.match(await failed("const wrong: number = own;"), /Type 'string' is not assignable/);
    });
  });
