/** Binary masks and boxes as COCO has them: runs, texts, polygons, overlaps. */
export { boxIou } from "./boxes";
export { maskIou, mergeMasks } from "./combine";
export { maskOutlines } from "./outline";
export { expectDrawable, type Polygon, rasterizeBox, rasterizePolygon, rasterizePolygons } from "./polygon";
export { type BoxXywh, decodeMask, encodeMask, expectWhole, maskArea, maskBox, type Rle } from "./rle";
export { rleFromText, rleText } from "./text";
