import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import * as options from "../../../../src/core/options";
import { rngField } from "../../../../src/core/options/rng";
import { Rng } from "../../../../src/core/rng";
import { Calls } from "../../../support/calls";

const { number, whole } = options;
type AnyField = options.Field<unknown>;
class Own {
  constructor(readonly a = 1) {}
}

const values: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  -0,
  1,
  -1,
  2,
  3,
  1.5,
  0.5,
  0.999,
  10,
  11,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53 - 1,
  2 ** 53,
  1n,
  "",
  " ",
  "a",
  "b",
  "A",
  "1",
  [],
  [1],
  [1, 2],
  [1, "x"],
  [1, 2, 3],
  new Float32Array(2),
  new DataView(new ArrayBuffer(1)),
  {},
  { a: 1 },
  { a: "x" },
  { a: 1, b: 2 },
  { "a/b": 1, A: 1, a: 1 },
  new Own(),
  new Date(0),
  new Map(),
  Promise.resolve(1),
  () => 1,
  Own,
  Symbol("s"),
  new AbortController().signal,
  new Rng(5),
];
const shown = (value: unknown) =>
  typeof value === "symbol"
    ? "a symbol"
    : value instanceof Rng
      ? "an Rng"
      : value instanceof AbortSignal
        ? "a signal"
        : value;

describe("of options", () => {
  it("what every kind of field takes and refuses is approved", async () => {
    const calls = new Calls();
    const fields: Record<string, AnyField> = {
      text: options.text,
      flag: options.flag,
      share: options.share,
      shareBelowOne: options.shareBelowOne,
      seed: options.seed,
      path: options.path,
      signal: options.signal,
      rngField,
      "number()": number(),
      "number(-1)": number(-1),
      "number(1, 10)": number(1, 10),
      "number(1, 10, true)": number(1, 10, true),
      "number(0, undefined, true)": number(0, undefined, true),
      "number(12345, 1e15)": number(12345, 1e15),
      "whole()": whole(),
      "whole(0)": whole(0),
      "whole(2, 10)": whole(2, 10),
      "whole(-3, 9999)": whole(-3, 9999),
      "whole(0, 10000)": whole(0, 10000),
      'oneOf "a"': options.oneOf(["a"]),
      'oneOf "a" "b"': options.oneOf(["a", "b"]),
      "oneOf three": options.oneOf(["a", "b", "c d"]),
      "exactly 1": options.exactly(1),
      "exactly null": options.exactly(null),
      "exactly a": options.exactly("a"),
      "exactly false": options.exactly(false),
      "list of whole": options.list(whole()),
      "list, 1": options.list(whole(), 1),
      "list, 2": options.list(number(), 2),
      "list of texts": options.list(options.text),
      pair: options.pair(whole()),
      named: options.named(whole()),
      namedFolders: options.namedFolders(whole()),
      "either text or list": options.either(options.text, options.list(whole())),
      "either number or object": options.either(whole(), options.object({ a: whole() }, {})),
      such: options.such("a number above 9", (value) => typeof value === "number" && value > 9),
      'shaped "a"': options.shaped("something with a", "a"),
      'partsWith "a" "b"': options.partsWith("a", "b"),
      row: options.row("numbers"),
      instance: options.instance(Own, "an Own"),
      callback: options.callback(),
      "callback named": options.callback("a function of a step"),
      object: options.object({ a: whole() }, { b: whole() }),
      "object without entries": options.object({}, {}),
    };
    for (const [name, field] of Object.entries(fields)) {
      calls.note(`# ${name}`, field.expected);
      calls.note("takes", values.filter((value) => options.problemsOf(field, value).length === 0).map(shown));
      if (field.holds) calls.note("holds", values.filter((value) => field.holds!(value)).map(shown));
      calls.note(
        "says of 1.5, a text, nothing and lists",
        [1.5, "no", undefined, null, [1.5, -1], { a: -1, c: 1 }].map((value) =>
          options.problemsOf(field, value),
        ),
      );
      await calls.does("JSON Schema", () => options.jsonSchemaOf(field));
    }
    calls.approve("core/options fields");
  });

  it("what is said of objects is approved", async () => {
    const calls = new Calls();
    const inner = options.object(
      { size: whole(1, 9) },
      {
        name: options.entry(options.text, "its name", "n"),
        when: options.either(whole(), options.object({ hour: whole(0, 23) }, {})),
      },
    );
    const outer = options.optionsOf<{
      epochs: number;
      lr?: number;
      batchSize?: number;
      inner?: object;
      list?: readonly object[];
    }>(
      { epochs: options.entry(whole(), "how often", 3) },
      { lr: options.entry(number(), "learning rate"), batchSize: whole(), inner, list: options.list(inner) },
      ({ epochs, batchSize }) =>
        epochs === 7
          ? [
              ["epochs", "anything but 7"],
              ...(batchSize === 7 ? [["batchSize", "another than epochs"] as const] : []),
            ]
          : [],
      ({ lr }) => ((lr ?? 0) > 1 ? [["lr", `at most 1, ${lr!.toFixed(1)} is more`]] : []),
    );
    const given: unknown[] = [
      { epochs: 1 },
      {},
      undefined,
      null,
      3,
      "x",
      [],
      { epochs: "1" },
      { epochs: 0, lr: -1 },
      { epochs: 1, epoch: 2 },
      { epochs: 1, Lr: 2, batchsize: 3, zzzzzzzzz: 1 },
      { epochs: 7 },
      { epochs: 7, batchSize: 7 },
      { epochs: 7, batchSize: "7" },
      { epochs: 7, lr: "x" },
      { epochs: 1, lr: 2 },
      { epochs: 1, lr: "x" },
      { epochs: 1, lr: undefined },
      { epochs: 1, inner: {} },
      { epochs: 1, inner: { size: 10, name: "", naem: 1 } },
      { epochs: 1, inner: { size: 1, when: { hour: 24 } } },
      { epochs: 1, inner: { size: 1, when: { hour: 1, hours: 2 } } },
      { epochs: 1, inner: { size: 1, when: { hour: "x", hours: 2 } } },
      { epochs: 1, inner: { size: 1, when: { hours: 2 } } },
      { epochs: 1, inner: { size: 1, when: "x" } },
      { epochs: 1, inner: { size: 1, when: [1] } },
      { epochs: 1, inner: Promise.resolve({ size: 1 }) },
      { epochs: 1, inner: new Own() },
      { epochs: 1, list: [{ size: 1 }, { size: 0 }, 5] },
      { epochs: 1, list: { size: 1 } },
      { epochs: 1, lr: Symbol("s") },
    ];
    for (const value of given) {
      const name =
        typeof value === "object" &&
        value !== null &&
        Object.values(value).some((one) => typeof one === "symbol")
          ? "a symbol"
          : undefined;
      if (name) await calls.does(name, () => options.checkOptions("train", outer, value));
      else
        await calls.does(`checkOptions ${JSON.stringify(value)}`, () =>
          options.checkOptions("train", outer, value),
        );
    }
    const often = () =>
      [
        ["a", "more than b"],
        ["a", "more than b"],
        ["a", "other"],
      ] as const;
    const strict = options.object({ a: whole() }, {}, often, often);
    await calls.does("what two rules say is said once", () => options.checkOptions("w", strict, { a: 1 }));
    const many = Object.fromEntries(Array.from({ length: 45 }, (_, i) => [`key${i}`, i]));
    await calls.does("forty lines at most", () =>
      options.checkOptions("train", options.object({}, {}), many),
    );
    await calls.does("one known name", () =>
      options.checkOptions("w", options.object({}, { only: whole() }), { onyl: 1 }),
    );
    await calls.does("of another realm", () =>
      options.checkOptions("w", options.object({ a: whole() }, {}), runInNewContext("({ a: 1 })")),
    );
    await calls.does("a rule that stumbles, over a good value", () =>
      options.checkOptions(
        "w",
        options.object({ a: whole() }, {}, () => {
          throw new Error("rule");
        }),
        { a: 1 },
      ),
    );
    await calls.does("a rule that stumbles, over a refused one", () =>
      options.checkOptions(
        "w",
        options.object({ a: whole() }, {}, () => {
          throw new Error("rule");
        }),
        { a: 0 },
      ),
    );
    await calls.does("what holds is not looked at further", () =>
      options.checkOptions("w", options.path, "x"),
    );
    calls.note("entries", [
      Object.keys(outer.required),
      Object.keys(outer.optional),
      outer.rules.length,
      outer.required.epochs.about,
      outer.required.epochs.example,
    ]);
    await calls.does("JSON Schema", () => options.jsonSchemaOf(outer));
    const part = options.partly(outer, ["lr"]);
    calls.note("partly", [Object.keys(part.required), Object.keys(part.optional), part.rules.length]);
    for (const value of [{}, { epochs: 7 }, { lr: 1 }, { epochs: 0 }])
      await calls.does(`partly ${JSON.stringify(value)}`, () => options.checkOptions("file", part, value));
    calls.title("isPlain");
    for (const value of [
      {},
      Object.create(null),
      runInNewContext("({})"),
      new Own(),
      [],
      null,
      1,
      "x",
      () => 1,
      new Map(),
      Promise.resolve(),
      Object.create({ a: 1 }),
    ])
      await calls.does(`${Object.prototype.toString.call(value)} ${value?.constructor?.name}`, () =>
        options.isPlain(value),
      );
    calls.title("describeValue");
    const anonymous = (() => () => {})();
    const silent = {
      [Symbol.for("nodejs.util.inspect.custom")]: () => {
        throw new Error("no");
      },
    };
    for (const value of [
      undefined,
      null,
      Number.NaN,
      -0,
      1n,
      "a\nb",
      "'",
      "x".repeat(80),
      "x".repeat(81),
      "x".repeat(200),
      [],
      [1, 2, 3, 4],
      [1, 2, 3, 4, 5],
      {},
      { a: { b: 1 }, c: [1] },
      new Own(),
      Promise.resolve(1),
      Own,
      anonymous,
      new Float32Array(9),
      new Map([[1, 2]]),
      Symbol("s"),
      Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, i])),
      silent,
    ])
      await calls.does("described", () => options.describeValue(value));
    calls.title("nearest");
    const names = ["batchSize", "epochs", "lr", "minLr", "lrs"];
    for (const name of [
      "",
      "l",
      "lr",
      "LR",
      "rl",
      "minlr",
      "mLr",
      "epoch",
      "batch_size",
      "batsize",
      "size",
      "abcdefghi",
      "batchSizzzz",
      "xbatchSizzz",
    ])
      await calls.of(options.nearest, name, names);
    await calls.of(options.nearest, "a", []);
    await calls.of(options.nearest, "abc", ["abd", "abe"]);
    calls.approve("core/options objects");
  });
});
