import type * as Zod from "zod";
import { LuvitError, listOffenders } from "../errors";
import { describeValue } from "./describeValue";
import type { Field } from "./field";
import { nearest } from "./nearest";
import { isPlain } from "./object";
import { schemaOf } from "./zod";

type Issue = Zod.core.$ZodIssue;

/**
 * Checks options, or any value, against their schema.
 *
 * @param where for people: the function ("mae.create") or the file that they were given to.
 * @throws LuvitError("bad-argument") naming every entry that cannot be, with what is expected of it and what came.
 */
export function checkOptions<T>(where: string, schema: Field<T>, value: unknown): void {
  if (schema.holds?.(value)) return;
  const problems = problemsOf(schema, value);
  if (problems.length === 0) return;
  const told = problems.length === 1 ? ` ${problems[0]}` : `\n${listOffenders(problems)}`;
  throw new LuvitError("bad-argument", `${where}:${told}`);
}

/** A line for everything about a value that is not as its schema has it; none where all is well. */
export function problemsOf<T>(schema: Field<T>, value: unknown): string[] {
  const { error } = schemaOf(schema).safeParse(value);
  if (!error) return [];
  return [...new Set(error.issues.flatMap((issue) => linesOf(issue, issue.path, value)))];
}

function linesOf(issue: Issue, path: readonly PropertyKey[], root: unknown): string[] {
  const line = (text: string, place = path) => [place.length === 0 ? text : `${placeOf(place)}: ${text}`];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.flatMap((key) => line(unknown(key, issue.message), [...path, key]));
  }
  const value = valueAt(root, path);
  if (issue.code === "invalid_union" && isPlain(value)) {
    const described = issue.errors.find((issues) => issues.every((one) => isInside(one)));
    if (described) return described.flatMap((one) => linesOf(one, [...path, ...one.path], root));
  }
  if (value === undefined && path.length > 0) return line(`missing, expected ${issue.message}`);
  return line(`expected ${issue.message}, got ${describeValue(value)}`);
}

/** Whether a complaint is about what an object holds, not about its being one. */
function isInside({ code, path }: Issue): boolean {
  return path.length > 0 || code === "unrecognized_keys";
}

function unknown(key: string, known: string): string {
  if (known === "") return "unknown; there are no options here";
  const names = known.split(", ");
  const meant = nearest(key, names);
  const are = names.length === 1 ? "is" : "are";
  return `unknown; ${meant === undefined ? "" : `did you mean ${meant}? `}there ${are} ${known}`;
}

/** `a.b[2]`. */
function placeOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((place, key) => {
    if (typeof key === "number") return `${place}[${key}]`;
    return place === "" ? String(key) : `${place}.${String(key)}`;
  }, "");
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)[key], root);
}
