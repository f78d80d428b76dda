import { describeEngine, EngineStatus } from "../engine";
import { escapeHtml } from "./html";
import type { MimeBundle } from "./nbformat";
import { container, muted } from "./styles";
import { jupyterDisplay } from "./symbols";

/** One line that says what the library runs on; what single operations use, and what was not taken and why, folded. */
export function readyBundle(status: EngineStatus): MimeBundle {
  const { engine, cells, passedOver, version } = status;
  const main = engine.engine === "eager" ? String(cells) : describeEngine(engine);
  const line = `<b>LUViT ${escapeHtml(version)}</b> runs on ${escapeHtml(main)}`;
  const details = [
    `Training, evaluation and analysis: ${engine.engine === "eager" ? "op by op, " : ""}${main}`,
    `Single operations in cells: ${cells}`,
    ...passedOver.map((reason) => `Not taken: ${reason}`),
  ];
  const rows = details.map((detail) => `<div>${escapeHtml(detail)}</div>`).join("");
  const html = `<details style="margin:0"><summary style="cursor:pointer;color:inherit">${line}</summary><div style="${muted};margin-left:1.1em">${rows}</div></details>`;
  return { "text/plain": String(status), "text/html": container("luvit-ready", "", html) };
}

Object.defineProperty(EngineStatus.prototype, jupyterDisplay, {
  value(this: EngineStatus) {
    return readyBundle(this);
  },
  configurable: true,
  writable: true,
});
