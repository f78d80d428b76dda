import type { RemoteValue } from "./target";

/** Most characters of a value in a list. */
const longest = 1000;

/** What stands for values of which a list says no more. */
const wordOf: Record<string, string> = { function: "function", accessor: "(computed when read)" };

/** A value as one line of text. */
export function textOfValue(value: RemoteValue): string {
  const { type, subtype, description = "", preview } = value;
  if (type === "string") return cut(JSON.stringify(value.value));
  if (subtype === "null") return "null";
  if (type === "function") return cut(description.split("\n")[0]!.replace(/\s*\{.*$/, ""));
  if (type !== "object") return cut(value.unserializableValue ?? (description || String(value.value)));
  if (subtype === "error") return cut(description.split("\n")[0]!);
  return cut(preview ? withPreview(description, subtype, preview) : description);
}

/** What kind of value it is. */
export function typeOfValue({ type, subtype, className }: RemoteValue): string | undefined {
  const isPlain = type !== "object" || subtype === "null" || className === "Object" || className === "Array";
  return isPlain ? undefined : className;
}

function withPreview(
  description: string,
  subtype: string | undefined,
  { properties, entries, overflow }: NonNullable<RemoteValue["preview"]>,
): string {
  if (subtype === "date" || subtype === "regexp") return description;
  const isList = subtype === "array" || subtype === "typedarray";
  const shown = entries
    ? entries.map(({ key, value }) => `${key ? `${key.description} => ` : ""}${value.description}`)
    : properties.map(({ name, type, value = "" }) => {
        const text = wordOf[type] ?? (type === "string" ? JSON.stringify(value) : value);
        return isList && /^\d+$/.test(name) ? text : `${name}: ${text}`;
      });
  const all = [...shown, ...(overflow ? ["…"] : [])].join(", ");
  const [open, close] = isList ? "[]" : "{}";
  const head = description === "Object" ? "" : `${description} `;
  return all === "" ? `${head}${open}${close}` : `${head}${open}${isList ? all : ` ${all} `}${close}`;
}

function cut(text: string): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
