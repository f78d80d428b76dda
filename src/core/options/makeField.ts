import type { Field } from "./field";
import { type Schema, zod } from "./zod";

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
