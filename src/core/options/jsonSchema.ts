import type { Field } from "./field";
import { schemaOf, zod } from "./zod";

/** A field as JSON Schema. What only a test can tell is left open. */
export function jsonSchemaOf(field: Field<unknown>): Record<string, unknown> {
  return zod().toJSONSchema(schemaOf(field), { unrepresentable: "any", target: "draft-7" });
}
