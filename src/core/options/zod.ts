import type * as Zod from "zod";
import type { Field } from "./field";

/** A zod schema of any kind. */
export type Schema = Zod.ZodType;

let loaded: typeof Zod | undefined;

/** zod, loaded when the first options are checked: it takes 50 ms, which a library that is only imported need not pay. */
export function zod(): typeof Zod {
  loaded ??= require("zod") as typeof Zod;
  return loaded;
}

/** The schema of a field, as what it is. */
export const schemaOf = (field: Field<unknown>): Schema => field.schema() as Schema;
