// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are texts with templates in them
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { LiveCompiler } from "../../../../src/kernel/compiler/live/liveCompiler";
import { loadTypeScript } from "../../../../src/kernel/compiler/typescript";
import { currentExecution, Execution, interrupted } from "../../../../src/kernel/executor/execution";
import { actionTypes, magicActions } from "../../../../src/kernel/magics/actions";
import { change } from "../../../../src/kernel/magics/changeFolder";
import { completeMagic } from "../../../../src/kernel/magics/completeMagic";
import { findMagics, mayHaveMagics } from "../../../../src/kernel/magics/find";
import { leftHint } from "../../../../src/kernel/magics/hints";
import { MagicCompiler } from "../../../../src/kernel/magics/magicCompiler";
import { reservedNames } from "../../../../src/kernel/magics/reserved";
import { rewrite } from "../../../../src/kernel/magics/rewrite";
import { shell } from "../../../../src/kernel/magics/shell";
import { listed, magicHelp, magicOf, magics } from "../../../../src/kernel/magics/table";
import { now, since } from "../../../../src/kernel/magics/timing";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { printing, taken, written } from "../support";

// What the user's environment has of these names is not in the texts.
for (const name of Object.keys(process.env)) if (name.startsWith("LUVIT_")) delete process.env[name];

const compiler = loadTypeScript();
const folder = realpathSync(temporaryFolder("magics"));
const parse = (source: string) =>
  compiler.createSourceFile("cell.ts", source, compiler.ScriptTarget.ES2022, true);

/** Cells, by line ends `|`. */
const cells = [
  "",
  "1 + 1",
  "!ls",
  "  !ls -l  ",
  "\t!ls",
  "!",
  "!  ",
  "!known",
  "!known.x",
  "!unknown",
  "!unknown.x()",
  "! unknown",
  "!über",
  "!true",
  "!await x",
  "!typeof x",
  "!function () {}()",
  "!known x",
  "!x = 3",
  "!!x",
  "!(x)",
  "!ls \\\n -l\nlet a = 1",
  "!ls \\\r\n -l\r\nlet a = 1",
  "!ls\r\n!pwd\r\n",
  "!echo `x`",
  "!echo 'it\nlet s = `\n!ls\n`;",
  "let a = 1\n!ls\nlet b = a",
  "let x = 1;\n!x",
  "!x\nlet x = 1;",
  "let a =\n!b",
  "if (true) {\n  !ls\n}",
  "switch (1) {\n!ls\n}",
  "namespace N {\n!ls\n}",
  "let a = b\n% c",
  "let a = 7\n%time a",
  "let a = 7;\n%time a",
  "%time 1 + 2",
  "%time const a = 1; const b = 2; c(a)",
  "%time",
  "%time ;",
  "%time f(\n  1,\n)\nlet z = 2",
  "%time {\n  f()\n}",
  "%time !ls",
  "%time x; y",
  "%%time\nlet a = 1",
  "\n\n  %%time\nlet a = 1",
  "let a = 1;\n%%time",
  "%%time x",
  "%%sh\necho a\necho b",
  "%%sh\r\necho a\r\necho b\r\n",
  "%%sh",
  "%%sh x\necho",
  "%%sh?\necho",
  "%%nothing\nlet a = 1",
  "%%env A=1",
  "%sh ls",
  "%env",
  "%env A",
  "%env A=1",
  '%env A = "b c"  ',
  "%cd",
  "%cd ..",
  "%cd a\\ b",
  "%lsmagic",
  "%lsmagic x",
  "%help",
  "%help time",
  "%help %time",
  "%env?",
  "%env ?",
  "%time?",
  "%lsmagc",
  "%tiem 1",
  "%qwertyuiop",
  "%",
  "%%",
  "% x",
  "/** @jsx h */\n!ls\nlet a = <b>!x</b>",
  "// !ls\n/*\n!ls\n*/",
  "`\n!ls\n${\n!x}`",
  "!ls\nlet a = ;",
  "let a = ;\n!ls",
  "𝒳;\n!ls 𝒳",
];

/** What a cell is read as, in few words. */
function read(source: string, known: readonly string[]): object {
  const { found, rest, left } = findMagics(compiler, source, (name) => known.includes(name));
  return {
    found: found.map(({ sign, name, start, argument, end, doubt }) => [
      `${sign}${name}`,
      start,
      source.slice(argument, end),
      ...(doubt === undefined ? [] : [doubt]),
    ]),
    rest: rest.text,
    left,
  };
}

describe("magics", () => {
  const startedIn = process.cwd();
  before(() => {
    process.chdir(folder);
    for (const name of ["data", "data set", ".hidden", "data/inner"]) mkdirSync(join(folder, name));
    for (const name of ["data.csv", "dämon.txt", "a'b", "data/one.txt", "local.ts", "$x y"])
      writeFileSync(join(folder, name), "export const one = 1;\n");
  });
  after(() => process.chdir(startedIn));

  it("are found and turned into calls as approved", async () => {
    const calls = new Calls({ folder });
    for (const source of cells) {
      await calls.of(mayHaveMagics, source);
      calls.note("  read", read(source, ["known", "x"]));
      const cell = findMagics(compiler, source, (name) => ["known", "x"].includes(name));
      calls.note("  made", rewrite(compiler, source, cell));
    }
    for (const source of [
      "let __luvit_a = 1",
      "x.__luvit_b",
      "'__luvit_c'",
      "// __luvit_d",
      "__luvit",
      "ü;\n__luvit_é(__luvit_)",
    ])
      await calls.does(`reserved ${JSON.stringify(source)}`, () =>
        reservedNames(compiler, source, parse(source)),
      );
    calls.approve("kernel/magics");
  });

  it("left in code are explained as approved", async () => {
    const calls = new Calls({ folder });
    const sources = [
      "if (true) {\n  !ls -l\n}",
      "let a = b\n% c",
      "let a = b\n%time c",
      "%time !ls",
      "%time a",
      "let a =\n!b",
    ];
    for (const source of sources)
      for (const code of [1109, 1999, 2000, 2304, 2552])
        for (const offset of [0, source.search(/[!%]/), source.search(/[!%]/) + 1, source.length - 1]) {
          const cell = findMagics(compiler, source, () => false);
          const place = { offset, line: 0, character: 0 };
          const hint = leftHint(source, cell, { start: place, end: place, code, messageText: "" });
          if (hint !== undefined) calls.note(`${JSON.stringify(source)} ${code} at ${offset}`, hint);
        }
    calls.approve("kernel/magicHints");
  });

  it("are completed as approved", async () => {
    const calls = new Calls({ folder });
    const marked = [
      "!l|s",
      "!da|",
      "!cat da|",
      "!cat data/|",
      "!cat data/o|ne",
      "!cat data\\ s|",
      "!cat dä|",
      "!cat a|",
      "!cat $|",
      "!cat \\$|",
      "!cat .|",
      "! da|",
      "!cat x;da|",
      "!x.|",
      "!a/|",
      "%|",
      "%t|ime x",
      "%time| x",
      "%%|",
      "let a;\n%|",
      "let a;\n%%|",
      "%ti|",
      "%cd |",
      "%cd da|",
      "%cd data/|",
      "%env LUVIT_APPROVED_|",
      "%env LUVIT_|APPROVED_B=1",
      "%env LUVIT_APPROVED_A=|",
      "%help |",
      "%help %l|smagic",
      "%lsmagic |",
      "%%sh\ncat da|",
      "%%sh\nda|",
      "%%time\n|",
      "%nothing x|",
      "%%sh|",
    ];
    process.env.LUVIT_APPROVED_A = "1";
    process.env.LUVIT_APPROVED_B = "2";
    for (const one of marked) {
      const offset = one.indexOf("|");
      const source = one.replace("|", "");
      const { found } = findMagics(compiler, source, () => false);
      const magic = found.find(({ start, end, name }) => start <= offset && (offset <= end || name === "sh"));
      await calls.does(JSON.stringify(one), () =>
        magic ? completeMagic(source, offset, magic) : "no magic",
      );
    }
    delete process.env.LUVIT_APPROVED_A;
    delete process.env.LUVIT_APPROVED_B;
    calls.approve("kernel/magicCompletion");
  });

  it("do and say what is approved", async () => {
    const calls = new Calls({ folder });
    calls.note("table", magics);
    calls.note("types", actionTypes.split("\n"));
    await calls.of(listed);
    for (const name of [undefined, "!", "%time", "time", "%%time", "%time2", "", "%", "TIME"]) {
      await calls.of(magicHelp, name);
      await calls.of(magicOf, String(name));
    }
    const before = process.cwd();
    const home = process.env.HOME;
    process.env.HOME = join(folder, "data");
    for (const [text, from] of [
      ["data", folder],
      ["..", folder],
      ["", folder],
      ["~", folder],
      ["~/inner", folder],
      ["-", join(folder, "data set")],
      ["..", ""],
      ["data\\ set", ""],
      ["..", ""],
      ['"data set"', ""],
      ["..", ""],
      ["'data set'", ""],
      ["..", ""],
      ["'data", ""],
      ["nowhere", ""],
      ["data.csv", ""],
      ["~x", ""],
      [" data", ""],
      ["data/./inner/", ""],
    ] as const) {
      await calls.once(
        `change ${JSON.stringify(text)} before ${JSON.stringify(from === "" ? "" : from.slice(folder.length))}`,
        () => change(text, from),
      );
      calls.note("  then in", process.cwd());
    }
    process.env.HOME = home;
    await calls.once("change to a whole path", () => change(folder, ""));
    process.chdir(before);
    const moves: string[] = [];
    const actions = magicActions((to) => void moves.push(to));
    delete process.env.LUVIT_APPROVED;
    for (const text of [
      "LUVIT_APPROVED",
      "LUVIT_APPROVED=",
      "LUVIT_APPROVED",
      "LUVIT_APPROVED = a=b\n c ",
      "LUVIT_APPROVED",
      "=",
      " x",
      "LUVIT APPROVED",
      "LUVIT_APPROVED=ü",
    ])
      await calls.does(`env ${JSON.stringify(text)}`, () => printing(() => actions.env(text)).printed);
    calls.note("variable", process.env.LUVIT_APPROVED);
    process.env.LUVIT_TOKEN = "hidden";
    const all = printing(() => actions.env("")).printed.split("\n");
    calls.note(
      "listed",
      all.filter((line) => line.startsWith("LUVIT_")),
    );
    calls.note(
      "as many as there are",
      all.length - 1 === Object.values(process.env).join("\n").split("\n").length,
    );
    delete process.env.LUVIT_APPROVED;
    delete process.env.LUVIT_TOKEN;
    for (const text of ["data", "inner", "-", "-", "nowhere", "-", "../"])
      await calls.once(`cd ${text}`, () => printing(() => actions.cd(text)).printed);
    calls.note("moves", moves);
    await calls.does("help time", () => printing(() => actions.help("time")));
    await calls.does("help", () => printing(() => actions.help()).printed.split("\n").length);
    calls.approve("kernel/magicActions");
  });

  it("time what is approved", async () => {
    const calls = new Calls({ folder });
    const walls = (text: string) => text.replace(/CPU.*/g, "CPU").trim().split("\n");
    const ago = (milliseconds: number) => ({ ...now(), at: performance.now() - milliseconds });
    const spent = (milliseconds: number, user: number, system: number) => {
      const [clock, usage] = [performance.now, process.cpuUsage];
      performance.now = () => 1000 + milliseconds;
      process.cpuUsage = (() => ({ user, system })) as typeof usage;
      try {
        return since({ at: 1000, cpu: { user: 0, system: 0 } });
      } finally {
        performance.now = clock;
        process.cpuUsage = usage;
      }
    };
    for (const given of [
      [0, 0, 0],
      [0.0123, 5, 3],
      [0.9994, 999, 1],
      [1, 1000, 0],
      [12.345, 12_345, 600],
      [999.4, 999_499, 2],
      [1000, 1_000_000, 4],
      [12_345, 59_994_000, 7],
      [59_949, 1, 2],
      [59_999, 1, 2],
      [119_600, 0.4, 2],
      [0.9996, 999.6, 0],
      [999.6, 5, 6],
      [60_000, 60_000_000, 0],
      [125_400, 3_600_000_000, 11],
    ] as const)
      await calls.of(spent, ...given);
    calls.note("since", walls(since(ago(3_600_000))));
    const actions = magicActions(() => {});
    const clock = performance.now;
    let time = 0;
    performance.now = () => time;
    const at = (milliseconds: number, act: () => unknown) => {
      time = milliseconds;
      const { printed, value } = printing(act);
      return [walls(printed), value];
    };
    try {
      await calls.once("an end without a beginning", () => at(5, () => actions.end(7)));
      await calls.once("begin", () => at(1000, () => actions.begin()));
      await calls.once("begin within", () => at(3000, () => actions.begin()));
      await calls.once("end within", () => at(4000, () => actions.end("inner")));
      await calls.once("begin again", () => at(5000, () => actions.begin()));
      await calls.once("end of it", () => at(7500, () => actions.end()));
      await calls.once("end of all", () => at(11_000, () => actions.end(null)));
      await calls.once("one more", () => at(12_000, () => actions.end(3)));
      await calls.once("begin of what throws", () => at(20_000, () => actions.begin()));
      await calls.once("begin after it", () => at(30_000, () => actions.begin()));
      await calls.once("end after it", () => at(32_000, () => actions.end(1)));
      const { outputs } = written();
      const execution = new Execution("cell [1]", outputs);
      await calls.once("a timed cell", () =>
        at(40_000, () => currentExecution.run(execution, () => actions.timeCell())),
      );
      await calls.once("ends", () => at(42_000, () => execution.ends.map((end) => end()).length));
      await calls.once("a timed cell outside one", () => at(43_000, () => actions.timeCell()));
    } finally {
      performance.now = clock;
    }
    calls.approve("kernel/magicTimes");
  });

  it("run commands as approved", async () => {
    const calls = new Calls({ folder });
    const run = async (command: string, doubt?: string) => {
      const log: string[] = [];
      const stream = (name: string, text: string) => {
        if (log.at(-2) === name) log.push(log.pop()! + text);
        else log.push(name, text);
      };
      const execution = new Execution("cell [1]", { ...written().outputs, stream });
      await currentExecution.run(execution, () => shell(command, doubt));
      return log;
    };
    await calls.does("echo", () => run("echo a; echo ü"));
    await calls.does("both", () => run("echo a; sleep 0.05; echo b >&2; sleep 0.05; echo c"));
    await calls.does("input", () => run("cat; echo end"));
    await calls.does("folder", () => run("pwd"));
    await calls.does("exit 3", () => run("exit 3", "nothing is called exit"));
    await calls.does("exit 2", () => run("exit 2", "nothing is called exit"));
    await calls.does("exit 2 without doubt", () => run("exit 2"));
    await calls.does("exit 126", () => run("exit 126", "why"));
    await calls.does("exit 127", () => run("exit 127", "why"));
    await calls.does("signal", () => run("kill -USR1 $$", "why"));
    const left = async () => {
      const started = Date.now();
      const log = await run("(sleep 2; echo late) & echo now");
      return [log, Date.now() - started < 1800 ? "goes on without it" : "waited"];
    };
    calls.note("left running", await left());
    const stopped = async () => {
      const { outputs, log } = written();
      const execution = new Execution("cell [1]", outputs);
      const ran = currentExecution.run(execution, () => shell("sleep 20; echo no"));
      setTimeout(() => {
        execution.interruption = interrupted();
        execution.fail(execution.interruption);
      }, 50);
      await ran;
      return taken(log);
    };
    await calls.once("interrupted", stopped);
    calls.approve("kernel/magicCommands");
  });

  it("and the cells that they stand in are compiled as approved", async () => {
    const calls = new Calls({ folder });
    const inner = new LiveCompiler(folder, "typescript", actionTypes);
    const made = new MagicCompiler(inner, (name) => name === "known");
    const compiled = (source: string) => {
      const found = made.compile(source);
      if (Array.isArray(found))
        return found.map(({ start, end, messageText, code, fix }) => [
          code,
          messageText,
          `${start.line}:${start.character}-${end.line}:${end.character}`,
          ...(fix ? [fix] : []),
        ]);
      return {
        code: found.code,
        awaits: found.awaits,
        imports: found.imports,
        last: found.lastExpression,
        places: [found.locate(2, 3), found.locate(3, 8)],
      };
    };
    const more = [
      "/** @module m */\n!ls",
      "import x from 'npm:nothing-of-this-name'",
      "__luvit_magics.cd('x')",
      "let n: number = 'a'\n!ls",
      "!ls\n  let n: number = 'a'",
      "let a = 1\n% missing",
      "{\n!missing\n}",
      "import { one } from './local';\n!ls\none",
    ];
    for (const source of [...cells, ...more]) {
      await calls.does(`compile ${JSON.stringify(source)}`, () => compiled(source));
      if (!/^%(?:sh|time\?)/.test(source)) await calls.does("  whole", () => made.completeness(source));
    }
    for (const source of [
      "%%t",
      "%%time ",
      "let a;\n!ls \\",
      "!ls \\\n",
      "%%sh\nls\n",
      "%%sh\nls\n\n",
      "%time f(",
      "%time f(\n",
      "if (a) {\n!ls",
      "!ls\nlet a = [",
    ])
      await calls.does(`whole ${JSON.stringify(source)}`, () => made.completeness(source));
    for (const one of [
      "%ti|me 1",
      "%time par|seInt",
      "!parse|",
      "!ls\nparseI|nt",
      "%time 1;\nconst zebra = 1; zeb|",
      "!ls da|",
      "__luvit_m|",
      "%%time\nparseFl|",
    ]) {
      const source = one.replace("|", "");
      await calls.does(`complete ${JSON.stringify(one)}`, () => {
        const { start, end, candidates } = made.complete(source, one.indexOf("|"));
        return { start, end, candidates: candidates.slice(0, 8) };
      });
      await calls.does(`inspect ${JSON.stringify(one)}`, () => {
        const info = made.inspect(source, one.indexOf("|"));
        return info && [info.kind, info.textSpan, info.displayParts?.map(({ text }) => text).join("")];
      });
    }
    made.moveTo(join(folder, "data"));
    await calls.does("complete elsewhere", () => made.complete('f("./o', 6).candidates);
    made.close();
    calls.approve("kernel/magicCells");
  });
});
