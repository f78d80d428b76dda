import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext, test } from "node:test";
import { loadTypeScript } from "../../../../src/kernel/compiler/typescript";
import { change } from "../../../../src/kernel/magics/changeFolder";
import { completeMagic } from "../../../../src/kernel/magics/completeMagic";
import { findMagics, mayHaveMagics } from "../../../../src/kernel/magics/find";
import { leftHint } from "../../../../src/kernel/magics/hints";
import { MagicCompiler } from "../../../../src/kernel/magics/magicCompiler";
import { rewrite } from "../../../../src/kernel/magics/rewrite";
import { magicHelp, magics } from "../../../../src/kernel/magics/table";
import { since } from "../../../../src/kernel/magics/timing";
import { stripAnsi } from "../../../../src/notebook/html";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { isLuvitError } from "../../nn/support";
import { Cells } from "../cells";

const found = (source: string, known: readonly string[] = []) =>
  findMagics(loadTypeScript(), source, (name) => known.includes(name));

describe("commands and what they print", () => {
  let cells: Cells;
  before(() => {
    cells = new Cells();
  });
  after(() => cells.close());

  const printed = async (source: string) => {
    const { outputs } = await cells.run(source);
    return outputs.map((one) =>
      one.output_type === "stream" ? `${one.name}: ${one.text}` : one.output_type,
    );
  };

  it("have letters of several bytes whole, however they come", async () => {
    const command = "!printf 'a\\303'; sleep 0.1; printf '\\274b\\360\\237'; sleep 0.1; printf '\\220\\221'";
    assert.deepEqual(await printed(command), ["stdout: aüb🐑"]);
    const errors = "!{ printf '\\303'; sleep 0.1; printf '\\274'; } >&2";
    assert.deepEqual(await printed(errors), ["stderr: ü"]);
  });

  it("say by which signal they were ended, and explain themselves only where a shell has not understood", async () => {
    assert.deepEqual(await printed("!kill -TERM $$"), ["stderr: ended by SIGTERM\n"]);
    assert.deepEqual(await printed("!test"), ["stderr: exit code 1\n"]);
    assert.match(
      (await printed("!nothing_of_this_name && 1")).join(""),
      /exit code 127: .* was read as a command/,
    );
    assert.match((await printed("!nosuch_luvit_command")).join(""), /exit code 127/);
  });

  it("set variables also to nothing, around signs of equality with blanks", async () => {
    assert.deepEqual(await printed("%env LUVIT_PART = a=b c"), ["stdout: LUVIT_PART=a=b c\n"]);
    assert.equal(process.env.LUVIT_PART, "a=b c");
    assert.deepEqual(await printed("%env LUVIT_PART="), ["stdout: LUVIT_PART=\n"]);
    assert.deepEqual(await printed("%env LUVIT_PART"), ["stdout: LUVIT_PART=\n"], "it is there, and empty");
    const { outcome } = await cells.run("%env =x");
    assert.match(JSON.stringify(outcome), /%env =x: expected NAME to show or NAME=value to set/);
  });

  it("hide in the list what is secret, by every word that says so, and show it where it is asked for", async () => {
    const names = ["KEY", "token", "A_SECRET", "Password", "CREDENTIALS", "AUTHOR"].map(
      (one) => `LUVIT_${one}`,
    );
    for (const name of [...names, "LUVIT_OPEN"]) process.env[name] = "value";
    const lines = (await printed("%env")).join("").replace("stdout: ", "").trim().split("\n");
    for (const name of names) assert.ok(lines.includes(`${name}=<hidden>`), name);
    assert.ok(lines.includes("LUVIT_OPEN=value"));
    const order = lines.filter((line) => /^LUVIT_\w+=/.test(line)).map((line) => line.split("=")[0]!);
    assert.deepEqual(order, [...order].sort());
    assert.deepEqual(await printed(`%env ${names[0]}`), [`stdout: ${names[0]}=value\n`]);
    for (const name of [...names, "LUVIT_OPEN", "LUVIT_PART"]) delete process.env[name];
  });

  it("time what stands within what is timed, each by itself", async () => {
    const { text } = await cells.run("%time (() => {\n  for (let i = 0; i < 10; i++);\n})()\n%time 1; 2");
    assert.equal(text.match(/^wall /gm)?.length, 2, stripAnsi(text));
  });
});

test("times are said in the unit that fits them, three digits of them", (t: TestContext) => {
  const cpu = { user: 1500, system: 250 };
  for (const [milliseconds, wall] of [
    [0.0004, "0 µs"],
    [0.9994, "999 µs"],
    [1, "1.00 ms"],
    [12.345, "12.3 ms"],
    [999.4, "999 ms"],
    [1000, "1.00 s"],
    [59_949, "59.9 s"],
    [59_990, "1 min 0 s"],
    [119_600, "2 min 0 s"],
    [60_000, "1 min 0 s"],
    [150_400, "2 min 30 s"],
  ] as const) {
    t.mock.method(performance, "now", () => 5 + milliseconds);
    t.mock.method(process, "cpuUsage", (before?: unknown) => {
      assert.equal(before, cpu, "measured from the same moment");
      return { user: 1_500_000, system: 250 };
    });
    assert.equal(
      since({ at: 5, cpu }),
      `wall ${wall}, CPU of this process 1.50 s (user 1.50 s, system 250 µs)`,
    );
    t.mock.restoreAll();
  }
});

test("behind ! every word of the language begins an expression, and every other name that nothing is called a command", () => {
  for (const word of [
    ...["async", "await", "class", "delete", "false", "function", "import", "new", "null", "super", "this"],
    ...["true", "typeof", "undefined", "void", "yield"],
  ]) {
    const rest =
      { function: "() {}", class: " {}", import: "('x')", new: " Date()", delete: " a.b", super: ".x" }[
        word
      ] ?? "";
    const of = ["await", "typeof", "void"].includes(word) ? " x" : rest;
    assert.deepEqual(found(`!${word}${of}`).found.length, 0, word);
  }
  for (const source of ["!ls", "!truth", "!newer", "! ls", "!$HOME", "!über"])
    assert.deepEqual(
      found(source).found.map(({ sign, start, argument, end }) => [sign, start, argument, end]),
      [["!", 0, 1, source.length]],
      source,
    );
  assert.equal(found("!ls", ["ls"]).found.length, 0, "it has a value");
  assert.deepEqual(
    [mayHaveMagics("a\n \t!x"), mayHaveMagics("%x"), mayHaveMagics("a !x % y"), mayHaveMagics("")],
    [true, true, false, false],
  );
});

test("a cell with a magic keeps its lines, and the call stands where the magic was", () => {
  const compiler = loadTypeScript();
  const edits = (source: string) => {
    const { edits: made, problems } = rewrite(compiler, source, found(source));
    return [
      made.map(({ at, remove, insert }) => [at, remove, insert]),
      problems.map(({ messageText }) => messageText),
    ];
  };
  const call = (code: string) => `;${code.includes("shell") ? "await " : ""}__luvit_magics.${code};`;
  assert.deepEqual(edits("1;\n  !echo a \\\n  b"), [
    [[5, 13, `${call('shell("echo a \\\\\\n  b")')}\n`]],
    [],
  ]);
  assert.deepEqual(edits("%%sh\r\nls\r\npwd\r\n"), [[[0, 15, `${call('shell("ls\\npwd")')}\n\n\n`]], []]);
  assert.deepEqual(edits("%%time\n1"), [[[0, 6, call("timeCell()")]], []]);
  assert.deepEqual(edits('%env A="b"'), [[[0, 10, call('env("A=\\"b\\"")')]], []]);
  assert.deepEqual(edits("%cd"), [[[0, 3, call('cd("")')]], []]);
  assert.deepEqual(edits("%lsmagic"), [[[0, 8, call("help()")]], []]);
  assert.deepEqual(edits("%cd?"), [[[0, 4, call('help("%cd")')]], []]);
  assert.deepEqual(edits("%help cd"), [[[0, 8, call('help("cd")')]], []]);
  const [made, problems] = edits("%nosuchthing a b\n%cd x");
  assert.deepEqual(made, [
    [0, 16, ";"],
    [17, 5, call('cd("x")')],
  ]);
  assert.deepEqual(problems, ["no magic is called %nosuchthing (%lsmagic lists them)"]);
});

test("help names one magic, with or without its sign, and says of others which there are", () => {
  for (const { name, usage, help } of magics) assert.equal(magicHelp(name), `${usage}\n${help}`);
  assert.equal(magicHelp("cd"), magicHelp("%cd"));
  const names = "! %%sh %time %%time %env %cd %lsmagic %help";
  assert.equal(magicHelp("nosuch"), `no magic is called nosuch; there are ${names}`);
  const widths = magicHelp()
    .split("\n")
    .map((line, index) => line.indexOf(magics[index]!.help));
  assert.deepEqual(new Set(widths), new Set(["%env [NAME[=value]]".length + 2]), "one column");
});

test("what is completed is the whole word, by what the magic takes", () => {
  const folder = temporaryFolder("magics");
  const place = process.cwd();
  mkdirSync(join(folder, "data"));
  for (const name of ["data/a b.csv", "data/ü(1).csv", "data/plain-1.csv"])
    writeFileSync(join(folder, name), "");
  process.env.LUVITEST_ONE = process.env.LUVITEST_TWO = "1";
  process.chdir(folder);
  try {
    const completed = (marked: string) => {
      const source = marked.replace("|", "");
      const made = completeMagic(source, marked.indexOf("|"), found(source).found.at(-1)!);
      return made && [source.slice(made.start, made.end), made.candidates];
    };
    assert.deepEqual(completed("%env LUVITEST_T|WO=3"), ["LUVITEST_TWO", ["LUVITEST_TWO"]]);
    assert.deepEqual(completed("%env   LUVITEST_|"), ["LUVITEST_", ["LUVITEST_ONE", "LUVITEST_TWO"]]);
    assert.deepEqual(completed("%l|smagic"), ["%lsmagic", ["%lsmagic"]]);
    assert.deepEqual(completed("%|"), ["%", ["%%sh", "%%time", "%cd", "%env", "%help", "%lsmagic", "%time"]]);
    assert.deepEqual(completed("1;\n%t|"), ["%t", ["%time"]], "a cell's own stand at its top");
    assert.deepEqual(completed("%lsmagic |"), ["", []], "it takes nothing");
    assert.deepEqual(completed("%help %c|d"), ["%cd", ["%cd"]]);
    assert.deepEqual(completed("%cd data/a|"), ["a", ["a b.csv"]], "a folder's name is written as it is");
    assert.deepEqual(completed("!cat data/a|"), ["a", ["a\\ b.csv"]]);
    assert.deepEqual(completed("!cat data/a\\ b|"), ["a\\ b", ["a\\ b.csv"]]);
    assert.deepEqual(completed("!cat data/ü|"), ["ü", ["ü\\(1\\).csv"]]);
    assert.deepEqual(completed("!cat x > data/p|"), ["p", ["plain-1.csv"]]);
    assert.deepEqual(completed("!cat x;data/p|"), ["p", ["plain-1.csv"]]);
    assert.equal(completed("!dat|"), undefined, "it may become an expression");
    assert.deepEqual(completed("! dat|"), undefined);
    assert.deepEqual(completed("%%sh\ndat|"), ["dat", ["data/"]]);
  } finally {
    process.chdir(place);
    delete process.env.LUVITEST_ONE;
    delete process.env.LUVITEST_TWO;
  }
});

test("a folder that cannot be entered is refused with the reason", (t) => {
  const [place, folder] = [process.cwd(), temporaryFolder("cd")];
  t.after(() => process.chdir(place));
  mkdirSync(join(folder, "closed"));
  writeFileSync(join(folder, "file"), "");
  process.chdir(folder);
  const refused = (text: string, why: string) => {
    assert.throws(
      () => change(text, place),
      (error: Error) => {
        isLuvitError("bad-file", `%cd ${text}: ${join(folder, text)}: ${why}`)(error);
        assert.ok(error.cause instanceof Error);
        return true;
      },
    );
    assert.equal(process.cwd(), folder);
  };
  refused("none", "no such folder");
  refused("file", "no folder");
  if (process.getuid?.() !== 0) {
    chmodSync(join(folder, "closed"), 0);
    refused("closed", "EACCES");
  }
  change("-", place);
  assert.equal(process.cwd(), place);
  change("~", folder);
  assert.equal(process.cwd(), homedir());
});

test("a line that looks like a magic has a hint where an error is in it, of syntax or of a name", () => {
  const source = "if (1) {\n  !ls -a\n  %cd x\n}";
  const cell = found(source);
  const hint = (offset: number, code: number) =>
    leftHint(source, cell, { code, start: { offset, line: 0, character: 0 } } as never);
  const within = (written: string) =>
    `${written} stands within { }, and magics stand only between the statements of a cell`;
  assert.equal(hint(source.indexOf("-a"), 1005), within("!ls -a"));
  assert.equal(hint(source.indexOf("ls"), 2304), within("!ls -a"));
  assert.equal(hint(source.indexOf("ls"), 2322), undefined, "of types: it was read as TypeScript");
  assert.equal(hint(source.indexOf("cd"), 2322), within("%cd x"));
  assert.equal(hint(0, 1005), undefined, "elsewhere");
});

test("a compiler behind magics is closed and moved with them, and never shows the name that they call", () => {
  const calls: string[] = [];
  const inner = {
    compile: (text: string) => [
      { messageText: text, fileName: "x.ts", start: { offset: 3 }, end: { offset: 3 }, code: 1 },
    ],
    complete: (_: string, offset: number) => ({
      start: offset - 1,
      end: offset,
      candidates: ["a", "__luvit_magics"],
      imports: [1],
    }),
    inspect: (text: string, offset: number) => ({ text, offset }),
    completeness: (text: string) => ({ status: /^[\s;]*$/.test(text) ? "complete" : "invalid" }),
    moveTo: (folder: string) => calls.push(`moved ${folder}`),
    close: () => calls.push("closed"),
  };
  const compiler = new MagicCompiler(inner as never, () => false);
  compiler.moveTo("/x");
  compiler.close();
  assert.deepEqual(calls, ["moved /x", "closed"]);
  const completed = compiler.complete("!echo\nab", 8);
  assert.deepEqual(completed, { start: 7, end: 8, candidates: ["a"], imports: [1] });
  const [finding] = compiler.compile("!echo\nab") as unknown as { fileName: string; start: object }[];
  assert.deepEqual([finding!.fileName, finding!.start], ["x.ts", { offset: 3 }], "of another file: as it is");
  assert.deepEqual(compiler.inspect("ab", 1), { text: "ab", offset: 1 });
  const info = compiler.inspect("1;\n%cd x", 4)!;
  assert.deepEqual([info.textSpan, info.kind], [{ start: 3, length: 3 }, "keyword"]);
  for (const [source, status] of [
    ["%%time ", "incomplete"],
    ["!a \\\nb", "complete"],
    ["!a\n!b \\ ", "incomplete"],
    ["%%sh\na\n  ", "complete"],
    ["%%sh", "incomplete"],
  ] as const)
    assert.equal(compiler.completeness(source).status, status, source);
});
