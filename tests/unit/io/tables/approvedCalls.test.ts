import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  Float32,
  Int32,
  Table,
  tableFromArrays,
  tableToIPC,
  type Vector,
  vectorFromArray,
} from "apache-arrow";
import { codeVersion } from "../../../../src/core/commit";
import { checkOptions } from "../../../../src/core/options";
import * as options from "../../../../src/io/options";
import * as tables from "../../../../src/io/tables";
import { bytes, readTokenizer } from "../../../../src/io/tokenizer";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { repository } from "../support";

const columns = (table: Table) =>
  table.schema.fields.map(({ name, type, nullable }) =>
    [
      name,
      `${type}`,
      nullable,
      table.getChild(name)!.toArray === undefined ? [] : Array.from(table.getChild(name)!),
    ].map((one) => (one === codeVersion() ? "commit" : one)),
  );

describe("of tables, tokenizers and options of files", () => {
  it("what tables hold is approved", async () => {
    const tmp = temporaryFolder("tables");
    const calls = new Calls({ tmp });
    const given: Record<string, tables.ResultColumn> = {
      text: ["b", null, "a", "b"],
      number: [1.5, null, Number.NaN, -3],
      none: [null, null, null, null],
      vector: vectorFromArray([1, 2, 3, 4], new Int32()),
      mixed: [null, "x", null, "x"],
    };
    calls.note("tableOf", columns(tables.tableOf(given)));
    calls.note(
      "vectorsOf",
      Object.entries(tables.vectorsOf(given)).map(([name, vector]) => [
        name,
        `${vector.type}`,
        vector.length,
        vector === given.vector,
      ]),
    );
    calls.note("no rows", columns(tables.tableOf({ a: [], b: [] })));
    calls.note("textColumn", [
      `${tables.textColumn(["a", null, "b", "a"]).type}`,
      Array.from(tables.textColumn(["a", null, "b", "a"])),
      [...(tables.textColumn(["b", "a", "b"]).data[0].dictionary as Vector)],
    ]);
    const commitless = (table: Table) =>
      columns(table).map((column) =>
        JSON.stringify(column).replaceAll(JSON.stringify(codeVersion()), '"the version"'),
      );
    for (const provenance of [{}, { model: "m", data: "d", recipe: "r", seed: 7 }, { seed: 0 }])
      calls.note(
        `resultTable ${JSON.stringify(provenance)}`,
        commitless(tables.resultTable({ x: [1, 2], name: ["p", "q"] }, provenance)),
      );
    calls.note(
      "a given column counts",
      commitless(tables.resultTable({ seed: [1.5, 2], model: ["a", "b"] }, { seed: 9, model: "c" })),
    );
    calls.note("no columns", commitless(tables.resultTable({}, { model: "m" })));
    await calls.of(
      tables.columnsOf,
      [
        { a: 1, b: "x", c: 3 },
        { a: 2, b: "y", c: 4 },
      ],
      ["b", "a"],
    );
    await calls.of(tables.columnsOf, [], ["b"]);
    calls.title("files");
    const path = join(tmp, "deep", "t.arrow");
    await calls.does("writeTable", () => tables.writeTable(path, tables.tableOf(given)));
    await calls.does("readTable", async () => columns(await tables.readTable(path)));
    calls.note("it begins with", readFileSync(path).subarray(0, 8).toString("latin1"));
    writeFileSync(
      join(tmp, "stream"),
      tableToIPC(new Table({ x: vectorFromArray([1, 2.5], new Float32()) }), "stream"),
    );
    writeFileSync(join(tmp, "none.arrow"), tableToIPC(tableFromArrays({}), "file"));
    for (const [name, content] of Object.entries({
      empty: "",
      seven: "1234567",
      eight: "12345678",
      text: "not an arrow file at all",
      magic: "ARROW1\0\0",
      cut: readFileSync(path).subarray(0, 100),
    }))
      writeFileSync(join(tmp, name), content);
    for (const name of ["stream", "none.arrow", "empty", "seven", "text", "cut", "nowhere", "deep"])
      await calls.does(`readTable ${name}`, () =>
        tables
          .readTable(join(tmp, name))
          .then(columns, (error) =>
            error.cause ? [error.code, error.message.replace(/ \(.*/s, "")] : Promise.reject(error),
          ),
      );
    await calls.does("writeTable without a path", () => tables.writeTable("", tables.tableOf({})));
    await calls.does("writeTable of no table", () => tables.writeTable(path, {} as never));
    await calls.does("writeTable over a folder", () =>
      tables.writeTable(join(tmp, "deep"), tables.tableOf({ a: [1] })),
    );
    calls.note("left", readdirSync(join(tmp, "deep")));
    calls.approve("io/tables");
  });

  it("what tokenizers and options of files say is approved", async () => {
    const tmp = temporaryFolder("tokenizers");
    const calls = new Calls({ tmp });
    calls.note("bytes", [bytes.source, bytes.size, bytes.begin]);
    for (const text of ["", "aZ", "ä日😀", "\r\n", "\ud800"])
      await calls.does(`bytes of ${JSON.stringify(text)}`, () => [
        bytes.encode(text),
        bytes.decode(bytes.encode(text)),
      ]);
    await calls.does("of other tokens", () => bytes.decode([104, 256, 300, 105, 0xff, 0xc3]));
    for (const family of ["llama", "qwen"]) {
      const folder = join(repository, "tests", "unit", "io", "tokenizer", "fixtures", family);
      const tokenizer = await readTokenizer(folder);
      calls.note(family, [tokenizer.source.slice(folder.length), tokenizer.size, tokenizer.begin]);
      for (const text of [
        "",
        "Hello, world!",
        "  two  blanks ",
        "ä日😀\r\n",
        "<s>a</s>",
        "<|im_start|>x<|endoftext|>",
        "a",
      ]) {
        await calls.does(`encode ${JSON.stringify(text)}`, () => tokenizer.encode(text));
        await calls.does("  and back", () => tokenizer.decode(tokenizer.encode(text)));
      }
      await calls.does("decode none, and specials", () => [
        tokenizer.decode([]),
        tokenizer.decode([...tokenizer.begin]),
        tokenizer.decode([1, 2, 0]),
      ]);
      await calls.does("by its file", async () => (await readTokenizer(join(folder, "tokenizer.json"))).size);
    }
    const beside = join(tmp, "beside");
    mkdirSync(beside);
    const qwen = join(repository, "tests", "unit", "io", "tokenizer", "fixtures", "qwen", "tokenizer.json");
    copyFileSync(qwen, join(beside, "tokenizer.json"));
    for (const config of ["{}", "[]"]) {
      writeFileSync(join(beside, "tokenizer_config.json"), config);
      await calls.does(`with a config ${config}`, async () => (await readTokenizer(beside)).encode("Hello"));
    }
    for (const [name, content] of Object.entries({
      "empty.json": "",
      "list.json": "[]",
      "object.json": "{}",
      "model.json": '{"model":{"type":"Nothing"}}',
    }))
      writeFileSync(join(tmp, name), content);
    for (const name of ["list.json", "nowhere", ""])
      await calls.does(`readTokenizer ${name}`, () => readTokenizer(join(tmp, name)));
    for (const name of ["object.json", "model.json"])
      await calls.does(`readTokenizer ${name}`, () =>
        readTokenizer(join(tmp, name)).catch((error) => [
          error.code,
          error.message.slice(0, error.message.indexOf(" used:") + 6),
        ]),
      );
    calls.title("options");
    const values = [
      undefined,
      null,
      "",
      "F32",
      "F8",
      {},
      [],
      new Map(),
      { path: "a" },
      { path: "" },
      0,
      1,
      1.5,
      10000,
      10001,
      tables.tableOf({}),
    ];
    for (const [name, field] of Object.entries(options)) {
      const one = typeof field === "function" ? field<object>("a thing") : field;
      calls.note(name, one.expected);
      calls.note(
        "  takes",
        values.map((value) => {
          try {
            checkOptions("f", one as never, value);
            return true;
          } catch {
            return false;
          }
        }),
      );
    }
    calls.approve("io/tokenizers");
  });
});
