export * from "./attention";
export * from "./barComparison";
export * from "./colormap";
export * from "./entropyMaps";
export * from "./entropyScatter";
export * from "./entropyStrip";
export * from "./figure";
export {
  isFigure,
  type PlotlyAnnotation,
  type PlotlyAxis,
  type PlotlyColorAxis,
  type PlotlyDatum,
  type PlotlyFigure,
  type PlotlyLayout,
  type PlotlySymbol,
  type PlotlyText,
  type PlotlyTrace,
} from "./spec";
export * from "./heatmapGrid";
export { type HistoryStep, historyCurves } from "./historyCurves";
export * from "./imageGrid";
export { type CurveSeries, type LossCurvesOptions, lossCurves } from "./lossCurves";
export * from "./maps";
export * from "./overlays";
export { type GridMap, mapImage, Picture, type RgbImage } from "./picture";
export * from "./saveFigure";
export { type RenderOptions, renderSvg } from "./svg/render";
