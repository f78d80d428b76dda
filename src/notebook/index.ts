import "./activityBar";
import "./transferBar";
import "./valueDisplays";

export { clearOutput, onComm, openComm } from "./comm";
export { type LiveRun, live } from "./live";
export { progress } from "./progress";
export { html, md, show } from "./show";
export { jupyterDisplay } from "./symbols";
export { Table, table } from "./table";
export { inNotebook } from "./tslab";
