import { LuvitError } from "../core/errors";
import type { Notebook, NotebookCell } from "../notebook/nbformat";

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
  const defaults = notebook.cells.findIndex((one) => one.metadata.tags?.includes("parameters"));
  const cells = [...notebook.cells];
  cells.splice(defaults + 1, 0, cell);
  return { ...notebook, cells };
}
