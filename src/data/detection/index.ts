/** How images go into squares for detection, and their objects with them. */
export {
  drawJitter,
  fitGeometry,
  type Geometry,
  type JitterDraws,
  jitterGeometry,
  type Size,
} from "./geometry";
export { type OutlinedObject, type PlacedObjects, placeObjects } from "./objects";
export { fitSquare, largeScaleJitter, rebuildSquare, SquareTransform } from "./transforms";
