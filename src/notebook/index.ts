import "./readyDisplay";
import "./runDisplay";
import "./workBar";
import "./valueDisplays";

export { clearOutput, onComm, openComm } from "./comm";
export { live } from "./live";
export type { LiveRun } from "./liveRun";
export { progress } from "./progress";
export { html, md, show } from "./show";
export { jupyterDisplay } from "./symbols";
export { Table, table } from "./table";
export { inNotebook } from "./tslab";
export { Widget, type WidgetOptions, widget } from "./widget";
export type { WidgetState } from "./widgetState";
