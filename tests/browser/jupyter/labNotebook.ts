import type { Operation } from "./page";

const panel = "window.jupyterapp?.shell.currentWidget";
const codeCells = `${panel}.content.widgets.filter(({ model }) => model.type === "code")`;
const progressOf = `{ count: model.executionCount, running: model.executionState === "running" }`;

/** JupyterLab 4. */
export const labNotebook: Operation = {
  path: (notebook) => `/lab/tree/${notebook}`,
  ready: `(() => {
    const panel = ${panel};
    if (!panel?.context?.isReady || !panel.sessionContext?.isReady) return false;
    return panel.sessionContext.session?.kernel?.status === "idle";
  })()`,
  progress: `${codeCells}.map(({ model }) => (${progressOf}))`,
  cells: `${codeCells}.map(({ model }) => ({
    ...${progressOf},
    trusted: model.trusted,
    outputs: model.outputs.toJSON(),
  }))`,
  codeCell: ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell",
  output: ".jp-Cell-outputArea",
  editor: ".jp-InputArea-editor",
  stopButton: '.jp-NotebookPanel-toolbar [data-jp-item-name="interrupt"]',
  runButton: '.jp-NotebookPanel-toolbar [data-jp-item-name="run"]',
  completions: ".jp-Completer-item code",
  tooltip: ".jp-Tooltip",
  saved: `!${panel}.context.model.dirty`,
  async clickMenu(page, entry) {
    const [menu, item] =
      entry === "save" ? (["File", /^Save Notebook(?! As)/] as const) : (["Run", /^Run All Cells/] as const);
    await page.locator(".lm-MenuBar-item", { hasText: menu }).click();
    await page.locator(".lm-Menu-item", { hasText: item }).click();
  },
};
