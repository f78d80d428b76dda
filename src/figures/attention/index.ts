export { type LookInsideOptions, lookInside } from "./lookInside";
export { AttentionViewer, type AttentionViewerOptions, attentionViewer } from "./viewer";
