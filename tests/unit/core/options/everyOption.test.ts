import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { test } from "node:test";
import { type Field, jsonSchemaOf, type ObjectField } from "../../../../src/core/options";
import * as objects from "../../../../src/core/options/object";
import { approve } from "../../../support/approved";

/*
 * Every object of options in the library, wherever it is made: its entries, what each takes, and what it is by default.
 * A range that changes is a change of the public surface, as much as a name.
 */

const source = join(__dirname, "..", "..", "..", "..", "src");

/** Scripts that begin at once when they are loaded. */
const STARTS = /(^|\/)(main|cli|readingThread|thread|cellsThread|watch|stopperThread|probe)\.js$|\/browser\//;

/** The file of the library that called a function here. */
function callerOf(stack: string): string {
  const [, file = "?"] =
    stack
      .split("\n")
      .map((line) => line.split(source + sep))
      .find(([, place]) => place !== undefined && !place.startsWith(join("core", "options"))) ?? [];
  return file
    .replace(/\.js.*$/, "")
    .split(sep)
    .join("/");
}

/** Replaces a function of the module of objects by one that notes what it makes, and who asked. */
function watched(
  name: "object" | "optionsOf",
  note: (file: string, made: ObjectField<unknown>) => void,
): void {
  const place = objects as unknown as Record<string, (...given: unknown[]) => ObjectField<unknown>>;
  const original = place[name];
  place[name] = (...given) => {
    const made = original(...given);
    note(callerOf(new Error().stack ?? ""), made);
    return made;
  };
}

function entryLine(name: string, isNeeded: boolean, { expected, about, example }: Field<unknown>): string {
  const described = [about, example === undefined ? undefined : `e.g. ${JSON.stringify(example)}`].filter(
    Boolean,
  );
  return `  ${name}${isNeeded ? "" : "?"}: ${expected}${described.length > 0 ? ` -- ${described.join("; ")}` : ""}`;
}

test("every option of every function takes what it took", () => {
  const found = new Map<string, string[]>();
  const note = (file: string, { required, optional, rules }: ObjectField<unknown>) => {
    const lines = found.get(file) ?? [];
    const entries = [
      ...Object.entries(required).map(([name, field]) => entryLine(name, true, field)),
      ...Object.entries(optional).map(([name, field]) => entryLine(name, false, field)),
    ];
    found.set(file, [...lines, `${file}, ${rules.length} rules`, ...entries]);
  };
  watched("object", note);
  watched("optionsOf", note);
  const files = readdirSync(source, { recursive: true }).map(String).sort();
  for (const file of files) {
    const path = file.split(sep).join("/");
    if (!path.endsWith(".js") || STARTS.test(path)) continue;
    const text = readFileSync(join(source, file), "utf8");
    if (/optionsOf\)\(|options_\d+\.object\)\(/.test(text)) require(join(source, file));
  }
  approve(
    "options",
    [...found.keys()].sort().flatMap((file) => found.get(file)!),
    { exact: true },
  );
});

test("files of the command line have the JSON Schema that they had", () => {
  const folder = join(source, "commandLine");
  const lines = readdirSync(folder)
    .filter((name) => /(?:Config|Command)\.js$/.test(name))
    .sort()
    .flatMap((name) =>
      Object.entries(require(join(folder, name)) as Record<string, unknown>)
        .filter(
          ([, value]) =>
            typeof value === "object" && value !== null && "required" in value && "schema" in value,
        )
        .flatMap(([key, value]) => [
          `== ${name} ${key}`,
          ...JSON.stringify(jsonSchemaOf(value as ObjectField<unknown>), null, 1).split("\n"),
        ]),
    );
  approve("configSchemas", lines, { exact: true });
});
