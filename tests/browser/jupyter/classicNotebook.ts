import type { Operation } from "./page";

const codeCells = `Jupyter.notebook.get_cells().filter((cell) => cell.cell_type === "code")`;
const progressOf = `{
  count: Number.isInteger(cell.input_prompt_number) ? cell.input_prompt_number : null,
  running: cell.input_prompt_number === "*",
}`;

/** Jupyter Notebook 6, as Debian 12 brings it. */
export const classicNotebook: Operation = {
  path: (notebook) => `/notebooks/${notebook}`,
  ready: `(() => {
    const notebook = window.Jupyter?.notebook;
    if (!notebook?._fully_loaded || !notebook.kernel?.is_connected()) return false;
    return document.getElementById("kernel_indicator_icon")?.classList.contains("kernel_idle_icon");
  })()`,
  progress: `${codeCells}.map((cell) => (${progressOf}))`,
  cells: `${codeCells}.map((cell) => ({
    ...${progressOf},
    trusted: cell.output_area.trusted,
    outputs: cell.output_area.outputs,
  }))`,
  codeCell: "#notebook .code_cell",
  output: ".output_wrapper .output",
  editor: ".CodeMirror",
  stopButton: 'button[data-jupyter-action="jupyter-notebook:interrupt-kernel"]',
  runButton: 'button[data-jupyter-action="jupyter-notebook:run-cell-and-select-next"]',
  completions: "#complete option",
  tooltip: "#tooltip",
  saved: "!Jupyter.notebook.dirty",
  async clickMenu(page, entry) {
    const [menu, item] =
      entry === "save" ? ["#filelink", "#save_checkpoint"] : ["#celllink", "#run_all_cells"];
    await page.locator(menu).click();
    await page.locator(`${item} a`).click();
  },
};
