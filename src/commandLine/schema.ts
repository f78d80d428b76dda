import type { Field, ObjectField } from "../core/options";

/** An object as commented JSON to start from: what is required is filled in, the rest stands there as comments. */
export function commentedStart(field: ObjectField<unknown>): string {
  return startLines(field).join("\n");
}

type Fields = Readonly<Record<string, Field<unknown>>>;

function startLines({ required, optional }: ObjectField<unknown>): string[] {
  const lines = (entries: Fields, mark: string) =>
    Object.entries(entries).flatMap(([key, one]) => [
      ...(one.about === undefined ? [] : [`  // ${one.about}`]),
      ...valueLines(key, one).map((line) => `  ${mark}${line}`),
    ]);
  return ["{", ...lines(required, ""), ...lines(optional, "// "), "}"];
}

function valueLines(key: string, field: Field<unknown>): string[] {
  const isObjectField = "required" in field && field.example === undefined;
  const lines = isObjectField ? startLines(field as ObjectField<unknown>) : [JSON.stringify(field.example)];
  return lines.map((line, i) => `${i === 0 ? `"${key}": ` : ""}${line}${i === lines.length - 1 ? "," : ""}`);
}
