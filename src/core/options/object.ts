import type { Field } from "./field";
import { field } from "./makeField";
import { type Schema, schemaOf } from "./zod";

type Fields = Readonly<Record<string, Field<unknown>>>;
type Values<F extends Fields> = { [Key in keyof F]: ValueIn<F[Key]> };
type ValueIn<F> = F extends Field<infer T> ? T : never;

/** Says what is wrong with entries together: `[name of the entry, what is expected of it]`. Must bear any values. */
export type Rule<T> = (value: Readonly<Partial<T>>) => readonly (readonly [name: string, expected: string])[];

/** An object with known entries. */
export interface ObjectField<T> extends Field<T> {
  readonly required: Fields;
  readonly optional: Fields;
  readonly rules: readonly Rule<never>[];
}

/** The same, whose entries are known to the compiler one by one. */
export interface OptionsField<T, R = FieldsOf<T, RequiredKeys<T>>, O = FieldsOf<T, OptionalKeys<T>>>
  extends ObjectField<T> {
  readonly required: R & Fields;
  readonly optional: O & Fields;
}

/** An object of these entries and no others. */
export function object<R extends Fields, O extends Fields>(
  required: R,
  optional: O,
  ...rules: Rule<Values<R> & Partial<Values<O>>>[]
): OptionsField<Values<R> & Partial<Values<O>>, R, O> {
  const known: Fields = { ...required, ...optional };
  const expected = "an object";
  const made = field<Values<R> & Partial<Values<O>>>(expected, (z) => {
    const shape: Record<string, Schema> = {};
    for (const [key, one] of Object.entries(known)) {
      shape[key] = key in required ? described(one) : described(one).optional();
    }
    const names = Object.keys(known).join(", ");
    const entries = z
      .strictObject(shape, { error: ({ code }) => (code === "unrecognized_keys" ? names : expected) })
      .superRefine(
        (value, { addIssue, issues }) => {
          const refused = new Set(issues.map(({ path }) => path?.[0]));
          const wrong = (rules as Rule<never>[]).flatMap((rule) => {
            try {
              return complaints(rule, value, refused);
            } catch (cause) {
              // It stumbled over an entry, such as a symbol, that its own field refuses.
              if (issues.length === 0) throw cause;
              return [];
            }
          });
          for (const [name, message] of wrong) addIssue({ code: "custom", path: [name], message });
        },
        { when: () => true },
      );
    // zod takes every object, a Promise for one without entries.
    return z.custom<Record<string, unknown>>(isPlain, { error: expected }).pipe(entries);
  });
  return { ...made, required, optional, rules };
}

/** What a rule says of a value; nothing where it looked at an entry that is refused already. */
function complaints(rule: Rule<never>, value: object, refused: ReadonlySet<PropertyKey | undefined>) {
  const seen = new Set<PropertyKey>();
  const watched = new Proxy(value, {
    get(target, key) {
      seen.add(key);
      return Reflect.get(target, key);
    },
  });
  const wrong = rule(watched as never);
  return [...seen].some((key) => refused.has(key)) ? [] : wrong;
}

type RequiredKeys<T> = { [Key in keyof T]-?: object extends Pick<T, Key> ? never : Key }[keyof T];
type OptionalKeys<T> = Exclude<keyof T, RequiredKeys<T>>;
type FieldsOf<T, Keys extends keyof T> = { [Key in Keys]-?: Field<Exclude<T[Key], undefined>> };

/**
 * The schema of an options interface: the compiler sees to it that every entry of `T` has its field, and no other does.
 */
export function optionsOf<T extends object>(
  required: FieldsOf<T, RequiredKeys<T>>,
  optional: FieldsOf<T, OptionalKeys<T>>,
  ...rules: Rule<T>[]
): OptionsField<T> {
  const made: unknown = object(required as Fields, optional as Fields, ...(rules as Rule<object>[]));
  return made as OptionsField<T>;
}

/**
 * The entries of an object that may all be left out, without some of them: what a command's file may say instead of a
 * recipe. What entries have to be together is left to whoever fills in the rest.
 */
export function partly<T, Key extends keyof T & string>(
  { required, optional }: ObjectField<T>,
  leftOut: readonly Key[],
): ObjectField<Partial<Omit<T, Key>>> {
  const left = Object.entries({ ...required, ...optional }).filter(([key]) => !leftOut.includes(key as Key));
  return object({}, Object.fromEntries(left)) as ObjectField<Partial<Omit<T, Key>>>;
}

function described(one: Field<unknown>): Schema {
  const { about: description, example } = one;
  if (description === undefined) return schemaOf(one);
  return schemaOf(one).meta({ description, ...(example !== undefined && { examples: [example] }) });
}

/** An object literal, of this realm or another; no instance of a class, no Promise. */
export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
