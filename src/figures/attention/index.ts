export { AttentionViewer, type AttentionViewerOptions, attentionViewer } from "./viewer";
