import "./readyDisplay";
import "./runDisplay";
import "./workBar";
import "./valueDisplays";

export {
  type Comm,
  type CommData,
  type CommMessage,
  type CommTarget,
  clearOutput,
  onComm,
  openComm,
} from "./comm";
export { live } from "./live";
export type { LiveMetric, LivePart, LiveSuite } from "./liveParts";
export type { LiveRecord, LiveRun } from "./liveRun";
export type { MimeBundle } from "./nbformat";
export { type ProgressOptions, progress } from "./progress";
export { html, md, RichText, show } from "./show";
export { jupyterDisplay } from "./symbols";
export { Table, type TableOptions, type TableRecord, table } from "./table";
export { inNotebook } from "./tslab";
