import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { compilerNames } from "../../../../src/kernel/compiler/createCompiler";
import { stripAnsi } from "../../../../src/notebook/html";
import { Cells, type RanCell } from "../cells";

const timed = /^wall [\d.]+ (?:µs|ms|s), CPU of this process [\d.]+ (?:µs|ms|s) \(user .*, system .*\)\n$/;

function failed({ outcome }: RanCell): string {
  assert.equal(outcome.status, "error");
  return stripAnsi(outcome.status === "error" ? outcome.traceback.join("\n") : "");
}

const stderr = ({ outputs }: RanCell) =>
  outputs.map((one) => (one.output_type === "stream" && one.name === "stderr" ? one.text : "")).join("");

for (const compiler of compilerNames)
  describe(`magics of cells compiled by ${compiler}`, () => {
    let cells: Cells;
    const run = (source: string) => cells.run(source);

    before(() => {
      cells = new Cells({ compiler });
      mkdirSync(join(cells.folder, "lib"));
      writeFileSync(join(cells.folder, "lib", "part.ts"), "export const part: number = 5;\n");
      writeFileSync(join(cells.folder, "lib", "other.ts"), "export const other = 'o';\n");
    });
    after(() => cells.close());

    it("! runs a command of the shell and says its exit code where it is not 0", async () => {
      assert.equal((await run("!echo one; echo two")).text, "one\ntwo\n");
      assert.equal((await run("!ls")).text, "lib\n");
      assert.equal((await run("  !ls -a lib")).text, ".\n..\nother.ts\npart.ts\n");
      const ran = await run("!echo bad >&2; exit 3\nconst after = 1;\nafter");
      assert.equal(stderr(ran), "bad\nexit code 3\n");
      assert.equal(ran.value, "1");
      assert.equal((await run("!echo one \\\n  two\n'x'")).text, "one two\n");
      assert.equal((await run("const x = 5\n!echo $((x + 2))\nx")).value, "5");
    });

    it("! goes on behind a backslash, however lines end", async () => {
      assert.equal((await run("!echo one \\\r\n  two\r\n!echo three\r\n3")).text, "one two\nthree\n");
    });

    it("%%sh runs the rest of the cell in the shell", async () => {
      assert.equal((await run('%%sh\r\nif true; then\r\n  echo "so"\r\nfi\r\n')).text, "so\n");
      assert.equal((await run("%%sh\nfor i in 1 2; do\n  echo $i\ndone")).text, "1\n2\n");
    });

    it("%time says how long code took and keeps its value", async () => {
      const ran = await run("%time 1 + 1");
      assert.equal(ran.value, "2");
      assert.match(ran.text, timed);
      assert.match((await run("%time const made = [1, 2].map((one) => one + 1); made.length")).text, timed);
      assert.equal((await run("made")).value, "[ 2, 3 ]");
      assert.equal((await run("%time await Promise.resolve('later')")).value, "later");
      assert.equal((await run("const y = 5;\n%time [\n  y,\n  6,\n].length")).value, "2");
      assert.match((await run("%time for (const one of [1]) String(one)")).text, timed);
    });

    it("%%time says how long the cell took, also where it fails", async () => {
      const ran = await run("%%time\nconst cell = 1;\ncell + 1");
      assert.equal(ran.value, "2");
      assert.match(ran.text, timed);
      const wrong = await run("%%time\nthrow new Error('x')");
      assert.match(failed(wrong), /Error: x/);
      assert.match(wrong.text, timed);
    });

    it("%env lists, shows and sets variables", async () => {
      process.env.LUVIT_TEST_TOKEN = "hush";
      assert.equal((await run("%env LUVIT_TEST=a b")).text, "LUVIT_TEST=a b\n");
      assert.equal((await run("process.env.LUVIT_TEST")).value, "a b");
      assert.equal((await run("!echo $LUVIT_TEST")).text, "a b\n");
      assert.equal((await run("%env LUVIT_TEST")).text, "LUVIT_TEST=a b\n");
      const { text } = await run("%env");
      assert.match(text, /^LUVIT_TEST=a b$/m);
      assert.match(text, /^LUVIT_TEST_TOKEN=<hidden>$/m);
      assert.match(failed(await run("%env LUVIT_NOT_THERE")), /no such variable/);
    });

    it("%cd makes another folder the current one, for paths, imports and the declarations there are", async () => {
      assert.equal((await run('import { part } from "./lib/part";\npart')).value, "5");
      assert.equal((await run("%cd lib")).text, `${join(cells.folder, "lib")}\n`);
      assert.equal((await run('import { other } from "./other";\nother')).value, "o");
      assert.equal((await run("part + 1")).value, "6");
      assert.match(failed(await run("part.length")), /'length' does not exist on type 'number'/);
      assert.match(failed(await run('import { x } from "./lib/part";')), /Cannot find module '.\/lib\/part'/);
      assert.equal(
        (await run("require('./other').other + __dirname")).value,
        `o${join(cells.folder, "lib")}`,
      );
      assert.equal((await run("%cd ..")).text, `${cells.folder}\n`);
      assert.equal((await run("%cd -")).text, `${join(cells.folder, "lib")}\n`);
      assert.equal((await run("%cd")).text, `${homedir()}\n`);
      assert.equal((await run(`%cd ${cells.folder}`)).text, `${cells.folder}\n`);
      assert.equal((await run('import { part } from "./lib/part";\npart')).value, "5");
      assert.match(failed(await run("%cd nowhere")), /%cd nowhere: \/.*\/nowhere: no such folder/);
      assert.match(failed(await run("%cd lib/part.ts")), /no folder/);
    });

    it("%cd takes a folder as shells let one write it", async () => {
      const spaced = join(cells.folder, "two words");
      mkdirSync(spaced, { recursive: true });
      for (const written of ["two words", '"two words"', "'two words'", "two\\ words"]) {
        assert.equal((await run(`%cd ${written}`)).text, `${spaced}\n`, written);
        await run("%cd ..");
      }
      assert.equal((await run("%cd ~/")).text, `${homedir()}\n`);
      assert.equal((await run("%cd -")).text, `${cells.folder}\n`);
      assert.match(failed(await run("%cd ~nobody")), /%cd ~nobody: \/.*\/~nobody: no such folder/);
    });

    it("%lsmagic and %help list them, %name? shows one", async () => {
      const { text } = await run("%lsmagic");
      for (const name of ["!command", "%%sh", "%time code", "%%time", "%env", "%cd", "%help"])
        assert.ok(text.includes(name), name);
      assert.equal((await run("%help")).text, text);
      assert.match((await run("%time?")).text, /^%time code\nSays how long/);
      assert.match((await run("%help cd")).text, /^%cd folder\n/);
    });

    it("unknown ones and wrong uses are refused by name, and nothing of the cell runs", async () => {
      for (const [source, why] of [
        [
          "console.log('ran');\n%tiem f()",
          /^cell \[\d+\]:2:1 - error: no magic is called %tiem; the nearest is %time/,
        ],
        ["%matplotlib inline", /no magic is called %matplotlib \(%lsmagic lists them\)/],
        ["%%bash\nls", /no magic is called %%bash; the nearest is %%sh/],
        ["%sh ls", /%sh is for a whole cell: write %%sh at its top/],
        ["%%cd lib", /%%cd is for one line: write %cd/],
        ["console.log('ran');\n%%time\n1", /%%time is for a whole cell: it stands at the top of one/],
        ["%time", /expected code behind %time, on the same line/],
        ["%lsmagic x", /%lsmagic takes nothing, got x/],
        ["!", /expected a command behind !/],
        ["%%sh\n\n", /:1:1 - error: expected commands below %%sh/],
        ["/** @module here */\n!ls", /a cell that is a module for others has no magics/],
      ] as const) {
        const ran = await run(source);
        assert.match(failed(ran), why);
        assert.equal(ran.text, "");
      }
    });

    it("what is TypeScript stays TypeScript", async () => {
      await run("const flag = false, a = 7, b = 4, time = 3;");
      for (const [source, value] of [
        ["!flag", "true"],
        ["!flag && a", "7"],
        ["!flag\n  && a", "7"],
        ["a\n% b", "3"],
        ["a\n%time", "1"],
        ["const t = `\n%time x\n!ls\n%%sh\n`;\nt.length", "18"],
        ["/*\n!ls\n%nope\n*/\n1", "1"],
        ["!(function () {\n  return true;\n})()", "false"],
        ["!!a", "true"],
        ["const own = 1;\n!own", "false"],
        ["!(0 as number)", "true"],
        ["[\n!flag,\n!a,\n].length", "2"],
        ["await Promise.resolve(5)\n% 3", "2"],
        ["`\n!ls\n`.length\n!echo x", undefined],
      ] as const)
        assert.equal((await run(source)).value, value, source);
      assert.match(
        failed(await run("a\n%lsmagic")),
        /Cannot find name 'lsmagic'[\s\S]*hint: %lsmagic goes on with the expression above it: end that with ;/,
      );
      assert.equal((await run("function ok() { return 1 }\n!echo kept\nok()")).text, "kept\n");
    });

    it("within braces and behind %time they are none, and the error says so", async () => {
      for (const source of [
        "if (true) {\n  !ls\n}",
        "function f() {\n  !echo hi there\n}",
        "for (const i of [1]) {\n  %time i\n}",
      ])
        assert.match(
          failed(await run(source)),
          /\nhint: [!%].* stands within \{ \}, and magics stand only between the statements of a cell$/,
          source,
        );
      assert.match(
        failed(await run("%time !ls")),
        /\nhint: %time takes TypeScript; for a command write %%time/,
      );
      assert.doesNotMatch(failed(await run("if (true) {\n  !process.nothing\n}")), /hint: /);
    });

    it("names by which cells reach the kernel are refused, and magics go on", async () => {
      for (const source of [
        "const __luvit_magics = 1;",
        "await __luvit_magics.shell('ls')",
        "let __luvit_stop;",
      ])
        assert.match(
          failed(await run(source)),
          /__luvit_\w+: names that begin with __luvit_ are the kernel's own/,
        );
      assert.equal((await run("// __luvit_magics\n'__luvit_stop'")).value, "__luvit_stop");
      assert.equal((await run("!echo on")).text, "on\n");
    });

    it("a command that was meant as TypeScript says why it was read as one", async () => {
      assert.match(
        stderr(await run("!flga && f()")),
        /exit code \d+: `!flga && f\(\)` was read as a command, since nothing is called flga\n$/,
      );
      assert.match(
        stderr(await run("const flig = 1;\n!flig && f(")),
        /since as TypeScript it has an error of syntax\n$/,
      );
    });

    it("errors name the lines and columns as they are written", async () => {
      const source = "!echo one \\\n  two\n%time 1\nconst bad: number = 'x';";
      assert.match(failed(await run(source)), /cell \[\d+\]:4:7 - error TS2322/);
      assert.match(failed(await run("%time const bad: number = 'x'")), /:1:13 - error TS2322/);
      assert.match(
        failed(await run("!echo\n%time (() => {\n  throw new Error('here');\n})()")),
        /cell \[\d+\]:3:9/,
      );
      assert.match(failed(await run("%time missing()\n")), /:1:7 - error TS2304/);
    });
  });
