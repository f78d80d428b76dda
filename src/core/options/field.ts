import { type Schema, zod } from "./zod";

/** A value that options may hold: what is expected of it, its zod schema, and how it is described. */
export interface Field<T> {
  /** What is expected, for messages: "a whole number from 1". */
  readonly expected: string;
  /** Its schema, made when it is first asked for. */
  readonly schema: () => Schema;
  /** Tells good values without the schema, where a test can. */
  readonly holds?: (value: unknown) => boolean;
  /** What it is for, in `--print-config` and JSON Schema. */
  readonly about?: string;
  /** A value to start from, as JSON. Left out for objects, which are printed with their own entries. */
  readonly example?: unknown;
  /** Only for its type. */
  readonly type?: T;
}

/** The type of the values of a field. */
export type ValueOf<F> = F extends Field<infer T> ? T : never;

/** A field from what makes its schema; every complaint of zod's reads `expected`. */
export function field<T>(
  expected: string,
  make: (z: ReturnType<typeof zod>, error: () => string) => Schema,
): Field<T> {
  let made: Schema | undefined;
  return {
    expected,
    schema() {
      made ??= make(zod(), () => expected);
      return made;
    },
  };
}

/** The same field with what it is for, and an example for a commented start. */
export function entry<T>(described: Field<T>, about: string, example?: unknown): Field<T> {
  return { ...described, about, example };
}
