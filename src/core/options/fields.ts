import { FOLDER_NAMES, notFolderNames } from "../folderNames";
import type { Field } from "./field";
import { field } from "./makeField";
import { schemaOf } from "./zod";

/** A text that is not empty. */
export const text = field<string>("a text", (z, error) => z.string({ error }).min(1, { error }));

export const flag = field<boolean>("true or false", (z, error) => z.boolean({ error }));

/** Bounds of a number; both are allowed values unless `above` says that the lower one is not. */
interface Bounds {
  least: number;
  most?: number;
  above?: boolean;
}

/** A number from `least` (or above it) to `most`; never NaN or infinite. */
export function number(least = 0, most?: number, above = false): Field<number> {
  return numeric("a number", { least, most, above });
}

/** A whole number from `least` to `most`. */
export function whole(least = 1, most?: number): Field<number> {
  return numeric("a whole number", { least, most });
}

function numeric(kind: string, { least, most, above = false }: Bounds): Field<number> {
  const lower = above ? `above ${count(least)}` : `from ${count(least)}`;
  const range = most === undefined ? lower : `${lower} ${above ? "and at most" : "to"} ${count(most)}`;
  return field(`${kind} ${range}`, (z, error) => {
    const any = kind === "a number" ? z.number({ error }) : z.int({ error });
    const bounded = above ? any.gt(least, { error }) : any.min(least, { error });
    return most === undefined ? bounded : bounded.max(most, { error });
  });
}

function count(value: number): string {
  if (value >= 1e15) return value.toExponential();
  return value >= 10_000 ? value.toLocaleString("en-US") : String(value);
}

/** From 0 to 1. */
export const share = number(0, 1);

/** From 0, less than 1. */
export const shareBelowOne = field<number>("a number from 0, less than 1", (z, error) =>
  z.number({ error }).min(0, { error }).lt(1, { error }),
);

/** Of random numbers. */
export const seed = whole(0, 2 ** 53 - 1);

/** One of some texts. */
export function oneOf<const T extends string>(values: readonly T[]): Field<T> {
  const named = values.map((value) => `"${value}"`).join(", ");
  return field(named.replace(/, ([^,]*)$/, " or $1"), (z, error) => z.enum(values, { error }));
}

/** Exactly this value. */
export function exactly<const T extends string | number | boolean | null>(value: T): Field<T> {
  return field(JSON.stringify(value), (z, error) => z.literal(value, { error }));
}

/** A list of values of one kind. */
export function list<T>(item: Field<T>, least = 0): Field<readonly T[]> {
  const some = least > 0 ? `, at least ${least} of them` : "";
  return field(`a list, each ${item.expected}${some}`, (z, error) =>
    z.array(schemaOf(item), { error }).min(least, { error }),
  );
}

/** Two values of one kind. */
export function pair<T>(item: Field<T>): Field<readonly [T, T]> {
  return field(`a list of two, each ${item.expected}`, (z, error) =>
    z.tuple([schemaOf(item), schemaOf(item)], { error }),
  );
}

/** Any number of values of one kind under names of one's own. */
export function named<T>(item: Field<T>): Field<Readonly<Record<string, T>>> {
  return field(`an object, each of its entries ${item.expected}`, (z, error) =>
    z.record(z.string(), schemaOf(item), { error }),
  );
}

/** The same where names become folders. */
export function namedFolders<T>(item: Field<T>): Field<Readonly<Record<string, T>>> {
  return field(
    `an object, each of its entries ${item.expected}, under names that can be folders`,
    (z, error) =>
      z.record(z.string(), schemaOf(item), { error }).superRefine((value, { addIssue }) => {
        for (const name of notFolderNames(Object.keys(value)))
          addIssue({ code: "custom", path: [name], message: `${FOLDER_NAMES}, as they become folders` });
      }),
  );
}

/** A field of one kind, or (where the value is an object) of another. */
export function either<A, B>(one: Field<A>, other: Field<B>): Field<A | B> {
  return field(`${one.expected}, or ${other.expected}`, (z, error) =>
    z.union([schemaOf(one), schemaOf(other)], { error }),
  );
}

/** What only a test can tell, e.g. an instance of a class; JSON has no such thing. */
export function such<T>(expected: string, test: (value: unknown) => boolean): Field<T> {
  return { ...field<T>(expected, (z, error) => z.custom<T>(test, { error })), holds: test };
}

/** An object, or an instance of a class, that has these entries. */
export function shaped<T>(expected: string, ...entries: readonly string[]): Field<T> {
  return such(expected, (value) => {
    if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
    return entries.every((name) => (value as Record<string, unknown>)[name] !== undefined);
  });
}

/** What a constructor takes by name: an object that has at least these parts. */
export function partsWith<T>(...entries: string[]): Field<T> {
  return shaped<T>("an object of its parts", ...entries);
}

/** Values one after another: an array of any kind. */
export function row<T>(expected: string): Field<T> {
  const isRow = (value: unknown) => Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);
  return such(expected, isRow);
}

/** A path in the file system; cheaper to ask for than `text`. */
export const path = such<string>("a path", (value) => typeof value === "string" && value !== "");

/** An instance of a class. */
export function instance<T>(type: abstract new (...given: never[]) => T, expected: string): Field<T> {
  return such(expected, (value) => value instanceof type);
}

/** A function. */
export function callback<T>(does = "a function"): Field<T> {
  return such(does, (value) => typeof value === "function");
}

/** An `AbortSignal`, of this realm or another. */
export const signal = such<AbortSignal>(
  "an AbortSignal",
  (value) => typeof (value as AbortSignal | null)?.aborted === "boolean",
);
