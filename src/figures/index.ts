/**
 * Figures as Plotly JSON, grids of images, and the attention viewer.
 *
 * @module
 */
export { lookInside } from "./attention/lookInside";
export { AttentionViewer, attentionViewer } from "./attention/viewer";
export { attentionMask } from "./attentionMask";
export { barComparison } from "./barComparison";
export { colormap } from "./checkedColormap";
export { ckaMatrix } from "./ckaMatrix";
export { detectionErrors } from "./detectionErrors";
export { detections } from "./detections";
export { entropyMaps, entropyOverlays } from "./entropyMaps";
export { entropyScatter } from "./entropyScatter";
export { entropyStrip } from "./entropyStrip";
export { faithfulnessCurves } from "./faithfulnessCurves";
export { type Figure, figure } from "./figure";
export { headGrid } from "./headGrid";
export { heatmapGrid } from "./heatmapGrid";
export { historyCurves } from "./historyCurves";
export { ImageFigure } from "./image";
export { imageGrid } from "./imageGrid";
export { lensMaps } from "./lensMaps";
export { lossCurves } from "./lossCurves";
export { mapGrid, reconstructionGrid } from "./maps";
export { overlays } from "./overlays";
export { answerViewer } from "./patches/answerViewer";
export { PatchViewer } from "./patches/patchViewer";
export { patchWords } from "./patches/patchWords";
export { featureColors, patchSimilarity } from "./patchFeatureFigures";
export { precisionRecall } from "./precisionRecall";
export { relevanceMaps } from "./relevanceMaps";
export { renderSvg } from "./renderSvg";
export { saveFigure } from "./saveFigure";
export { segmentation } from "./segmentation";
export type { PlotlyFigure } from "./spec";
export { tokenNormCurves } from "./tokenNormCurves";
