import { join } from "node:path";
import { packageRoot } from "../../src/core/packageRoot";

/** How a kernel is started, and what is said differently in its cells. */
export interface Dialect {
  name: string;
  /** Node, or the kernel's own program. */
  program?: string;
  command(connectionFile: string): string[];
  /** Shows `<b>bold</b>` as HTML. */
  display: string;
  /** Shows something, then something else in its place. */
  update: string;
  /** An expression whose value is shown richly. */
  rich: string;
  /** A cell that opens an anywidget with the state `count`, 1, and an expression for what it is then. */
  widget: { open: string; count: string };
}

const comm = {
  comm_id: "counter",
  target_name: "jupyter.widget",
  data: { state: { _model_module: "anywidget", _model_name: "AnyModel", count: 1 }, buffer_paths: [] },
};

const changing = [
  'import { newDisplay } from "tslab";',
  "const shown = newDisplay();",
  'shown.html("<b>one</b>");',
  'shown.html("<b>two</b>");',
].join("\n");

export const luvit: Dialect = {
  name: "luvit",
  command: (file) => [join(packageRoot(), "dist", "kernel", "main.js"), file],
  display: 'import { html, show } from "luvit";\nshow(html("<b>bold</b>"));',
  update: changing,
  rich: 'import { html } from "luvit";\nhtml("<b>bold</b>")',
  widget: {
    open: 'import { widget } from "luvit";\nconst counter = widget({ esm: "export default {}", state: { count: 1 } });\ncounter',
    count: 'counter.get("count")',
  },
};

export const tslab: Dialect = {
  name: "tslab",
  command: (file) => [join(packageRoot(), "node_modules/tslab/bin/tslab"), "kernel", "--config-path", file],
  display: 'import { display } from "tslab";\ndisplay.html("<b>bold</b>");',
  update: changing,
  rich: '({ "text/html": "<b>bold</b>" })', // it has no rich values
  widget: { open: "0", count: "0" }, // nor comms
};

export const deno = (program: string): Dialect => ({
  name: "Deno",
  program,
  command: (file) => ["jupyter", "--kernel", "--conn", file],
  display: 'await Deno.jupyter.display({ "text/html": "<b>bold</b>" }, { raw: true });',
  update: [
    'const made = { metadata: {}, transient: { display_id: "one" } };',
    'await Deno.jupyter.broadcast("display_data", { data: { "text/html": "<b>one</b>" }, ...made });',
    'await Deno.jupyter.broadcast("update_display_data", { data: { "text/html": "<b>two</b>" }, ...made });',
  ].join("\n"),
  rich: "Deno.jupyter.html`<b>bold</b>`",
  // It opens comms, and has nothing that listens to them.
  widget: {
    open: `await Deno.jupyter.broadcast("comm_open", ${JSON.stringify(comm)});`,
    count: "1",
  },
});
