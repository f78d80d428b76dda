/** A value that options may hold: what is expected of it, its zod schema, and how it is described. */
export interface Field<T> {
  /** What is expected, for messages: "a whole number from 1". */
  readonly expected: string;
  /** Its schema, made when it is first asked for: zod's, whose types stay out of declarations (`schemaOf`). */
  readonly schema: () => unknown;
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

/** The same field with what it is for, and an example for a commented start. */
export function entry<T>(described: Field<T>, about: string, example?: unknown): Field<T> {
  return { ...described, about, example };
}
