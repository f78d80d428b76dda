import "./activityBar";
import "./transferBar";
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
export { type LiveRecord, type LiveRun, live } from "./live";
export type { LiveMetric, LivePart, LiveSuite } from "./liveParts";
export type { MimeBundle } from "./nbformat";
export { type ProgressOptions, progress } from "./progress";
export { html, md, RichText, show } from "./show";
export { jupyterDisplay } from "./symbols";
export { Table, type TableOptions, type TableRecord, table } from "./table";
export { inNotebook } from "./tslab";
