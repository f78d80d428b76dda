import { LuvitError } from "../core/errors";
import type { Notebook, NotebookCell } from "../notebook/nbformat";
import { declaredNames } from "./compiler/declaredNames";

/** Values by name; JSON values, or text. */
export type Parameters = Readonly<Record<string, unknown>>;

/** `name=value` as a name and a JSON value, or text where the value is not JSON. */
export function parseParameter(text: string): [name: string, value: unknown] {
  const [, name, value] = /^([A-Za-z_$][\w$]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new LuvitError("bad-argument", `-p ${text}: expected name=value, the name as a cell declares it`);
  try {
    return [name, JSON.parse(value)];
  } catch {
    return [name, value];
  }
}

/**
 * A notebook with a cell that sets the parameters: behind the cell tagged `parameters`, which declares their defaults,
 * else first. Later cells see the new values, as with papermill.
 */
export function setParameters(notebook: Notebook, parameters: Parameters): Notebook {
  const names = Object.keys(parameters);
  if (names.length === 0) return notebook;
  const lines = names.map((name) => `let ${name} = ${JSON.stringify(parameters[name])};`);
  const cell: NotebookCell = {
    id: "injected-parameters",
    cell_type: "code",
    source: ["// parameters given to this run", ...lines].join("\n"),
    metadata: { tags: ["injected-parameters"] },
    outputs: [],
    execution_count: null,
  };
  const cells = [...notebook.cells];
  cells.splice(notebook.cells.findIndex(declares) + 1, 0, cell);
  return { ...notebook, cells };
}

/** What the user should know about parameters that the notebook does not declare. */
export function parameterNotes(notebook: Notebook, parameters: Parameters): string[] {
  const given = Object.keys(parameters);
  if (given.length === 0) return [];
  const cell = notebook.cells.find(declares);
  if (!cell) {
    return [
      `note: no cell of the notebook is tagged "parameters": ${given.join(", ")} set before its first cell, where a cell ` +
        "that declares the same name has the last word",
    ];
  }
  const known = declaredNames(cell.source);
  const unknown = given.filter((name) => !known.includes(name));
  if (unknown.length === 0) return [];
  const names = known.length > 0 ? `it has ${known.join(", ")}` : "its cell of parameters declares none";
  return [`note: the notebook has no parameter ${unknown.join(", ")}; ${names}`];
}

function declares(cell: NotebookCell): boolean {
  return cell.cell_type === "code" && (cell.metadata.tags ?? []).includes("parameters");
}
