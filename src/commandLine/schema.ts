import { inspect } from "node:util";

/** A value that a configuration may hold: how it is checked, and how it is described. */
export interface Field<T> {
  /** What is expected, for messages: "a whole number from 1". */
  readonly expected: string;
  /** Checks a value; what is wrong with it, and with everything in it, is added to `problems`. */
  check(value: unknown, path: string, problems: string[]): void;
  /** The field as JSON Schema. */
  json(): Record<string, unknown>;
  /** Only for its type. */
  readonly type?: T;
}

/** The type of the values of a field. */
export type ValueOf<F> = F extends Field<infer T> ? T : never;

/** An entry of an object: its field, what it is for, and an example for a commented start. */
export interface Entry<T> {
  readonly field: Field<T>;
  readonly about: string;
  /** JSON. Left out for objects, which are printed with their own entries. */
  readonly example?: unknown;
}

export function entry<T>(field: Field<T>, about: string, example?: unknown): Entry<T> {
  return { field, about, example };
}

function simple<T>(
  expected: string,
  test: (value: unknown) => boolean,
  json: Record<string, unknown>,
): Field<T> {
  return {
    expected,
    json: () => json,
    check(value, path, problems) {
      if (!test(value)) problems.push(`${path}: expected ${expected}, got ${inspect(value, { depth: 0 })}`);
    },
  };
}

export const text = simple<string>("a text", (x) => typeof x === "string" && x !== "", { type: "string" });
export const flag = simple<boolean>("true or false", (x) => typeof x === "boolean", { type: "boolean" });

/** A number from `least` (or above it) to `most`. */
export function number(least = 0, most = Number.POSITIVE_INFINITY, aboveLeast = false): Field<number> {
  const range = `${aboveLeast ? "above" : "of at least"} ${least}${most === Number.POSITIVE_INFINITY ? "" : `, at most ${most}`}`;
  const test = (x: unknown) =>
    typeof x === "number" && (aboveLeast ? x > least : x >= least) && x <= most && Number.isFinite(x);
  return simple(`a number ${range}`, test, {
    type: "number",
    [aboveLeast ? "exclusiveMinimum" : "minimum"]: least,
    ...(most === Number.POSITIVE_INFINITY ? {} : { maximum: most }),
  });
}

export function whole(least = 1): Field<number> {
  const test = (x: unknown) => Number.isInteger(x) && (x as number) >= least;
  return simple(`a whole number from ${least}`, test, { type: "integer", minimum: least });
}

export function oneOf<const T extends string>(values: readonly T[]): Field<T> {
  const test = (x: unknown) => (values as readonly unknown[]).includes(x);
  return simple(
    values
      .map((x) => `"${x}"`)
      .join(", ")
      .replace(/, ([^,]*)$/, " or $1"),
    test,
    { enum: values },
  );
}

/** A list of values of one kind. */
export function list<T>(item: Field<T>): Field<readonly T[]> {
  return listOf(item, `a list of ${item.expected}`, () => true, {});
}

/** Two values of one kind. */
export function pair<T>(item: Field<T>): Field<readonly [T, T]> {
  const sizes = { minItems: 2, maxItems: 2 };
  return listOf(item, `a list of two, each ${item.expected}`, (values) => values.length === 2, sizes);
}

function listOf<T, List>(
  item: Field<T>,
  expected: string,
  fits: (values: readonly unknown[]) => boolean,
  json: Record<string, unknown>,
): Field<List> {
  return {
    expected,
    json: () => ({ type: "array", items: item.json(), ...json }),
    check(value, path, problems) {
      if (!Array.isArray(value) || !fits(value)) {
        problems.push(`${path}: expected ${expected}, got ${inspect(value, { depth: 0 })}`);
        return;
      }
      for (const [i, one] of value.entries()) item.check(one, `${path}[${i}]`, problems);
    },
  };
}

/** Any number of values of one kind under names of one's own. */
export function named<T>(item: Field<T>): Field<Readonly<Record<string, T>>> {
  return {
    expected: `an object of ${item.expected}`,
    json: () => ({ type: "object", additionalProperties: item.json() }),
    check(value, path, problems) {
      if (!isObject(value)) problems.push(`${path}: expected an object, got ${inspect(value, { depth: 0 })}`);
      else for (const [key, one] of Object.entries(value)) item.check(one, `${path}.${key}`, problems);
    },
  };
}

/** A text that names something, or an object that describes it. */
export function either<A, B>(name: Field<A>, described: Field<B>): Field<A | B> {
  return {
    expected: `${name.expected}, or ${described.expected}`,
    json: () => ({ anyOf: [name.json(), described.json()] }),
    check: (value, path, problems) => (isObject(value) ? described : name).check(value, path, problems),
  };
}

type Entries = Readonly<Record<string, Entry<unknown>>>;
type Values<E extends Entries> = { [Key in keyof E]: ValueOf<E[Key]["field"]> };

/** An object with known entries. */
export interface ObjectField<T> extends Field<T> {
  readonly required: Entries;
  readonly optional: Entries;
}

export function object<R extends Entries, O extends Entries>(
  required: R,
  optional: O,
): ObjectField<Values<R> & Partial<Values<O>>> {
  const known: Entries = { ...required, ...optional };
  return {
    required,
    optional,
    expected: "an object",
    json: () => ({
      type: "object",
      required: Object.keys(required),
      additionalProperties: false,
      properties: Object.fromEntries(
        Object.entries(known).map(([key, { field, about }]) => [
          key,
          { description: about, ...field.json() },
        ]),
      ),
    }),
    check(value, path, problems) {
      if (!isObject(value)) {
        problems.push(`${path || "the file"}: expected an object, got ${inspect(value, { depth: 0 })}`);
        return;
      }
      const at = (key: string) => (path ? `${path}.${key}` : key);
      for (const key of Object.keys(value)) {
        if (key in known) known[key].field.check(value[key], at(key), problems);
        else problems.push(`${at(key)}: unknown; there ${are(Object.keys(known))}`);
      }
      for (const [key, { field }] of Object.entries(required)) {
        if (!(key in value)) problems.push(`${at(key)}: missing, expected ${field.expected}`);
      }
    },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function are(keys: readonly string[]): string {
  return `${keys.length === 1 ? "is" : "are"} ${keys.join(", ")}`;
}

/** An object as commented JSON to start from: what is required is filled in, the rest stands there as comments. */
export function commentedStart(field: ObjectField<unknown>): string {
  return startLines(field).join("\n");
}

function startLines({ required, optional }: ObjectField<unknown>): string[] {
  const lines = (entries: Entries, mark: string) =>
    Object.entries(entries).flatMap(([key, one]) => [
      `  // ${one.about}`,
      ...valueLines(key, one).map((line) => `  ${mark}${line}`),
    ]);
  return ["{", ...lines(required, ""), ...lines(optional, "// "), "}"];
}

function valueLines(key: string, { field, example }: Entry<unknown>): string[] {
  const isObjectField = "required" in field && example === undefined;
  const lines = isObjectField ? startLines(field as ObjectField<unknown>) : [JSON.stringify(example)];
  return lines.map((line, i) => `${i === 0 ? `"${key}": ` : ""}${line}${i === lines.length - 1 ? "," : ""}`);
}
