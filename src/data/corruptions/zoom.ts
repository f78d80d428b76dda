import { type RgbImage, roundHalfEven } from "../pixels";
import { type Layer, mapLayer, toByteRange, toSingle, toUnit } from "./image";

/** How many enlargements are averaged and how far apart they are; the first is 1. */
const steps = [
  { count: 12, step: 0.01 },
  { count: 16, step: 0.01 },
  { count: 11, step: 0.02 },
  { count: 13, step: 0.02 },
  { count: 11, step: 0.03 },
];

/** Mean of the image and its enlargements about the center. */
export function zoomBlur(image: RgbImage, severity: number): Layer {
  const { count, step } = steps[severity - 1];
  const unit = toSingle(toUnit(image));
  const sum = new Float64Array(unit.data.length);
  const between = 1 + step - 1; // as numpy.arange counts
  for (let k = 0; k < count; k++) {
    const zoomed = zoomedCenter(unit, 1 + k * between);
    for (let i = 0; i < sum.length; i++) sum[i] = Math.fround(sum[i] + Math.fround(zoomed.data[i]));
  }
  const mean = mapLayer(unit, (x, i) => Math.fround(Math.fround(x + sum[i]) / (count + 1)));
  return toByteRange(mean);
}

/** The center of a layer, enlarged to its size by linear interpolation. */
export function zoomedCenter(layer: Layer, factor: number): Layer {
  const { width, height, channels } = layer;
  const columns = zoomAxis(width, factor);
  const rows = zoomAxis(height, factor);
  const data = new Float64Array(layer.data.length);
  for (let y = 0; y < height; y++) {
    const [upper, lower] = [rows.low[y] * width, rows.high[y] * width];
    for (let x = 0; x < width; x++) {
      if (rows.outside[y] || columns.outside[x]) continue;
      const [left, right] = [columns.low[x], columns.high[x]];
      for (let c = 0; c < channels; c++) {
        const at = (pixel: number) => layer.data[pixel * channels + c];
        const top = between(at(upper + left), at(upper + right), columns.share[x]);
        const bottom = between(at(lower + left), at(lower + right), columns.share[x]);
        data[(y * width + x) * channels + c] = between(top, bottom, rows.share[y]);
      }
    }
  }
  return { ...layer, data };
}

function between(low: number, high: number, share: number): number {
  return low * (1 - share) + high * share;
}

/** For each pixel of a line the two that it lies between and its share of the second. */
interface ZoomAxis {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly share: Float64Array;
  /** Where rounding puts the last one behind the end of the crop, scipy takes it for outside, which is 0. */
  readonly outside: Uint8Array;
}

function zoomAxis(length: number, factor: number): ZoomAxis {
  const crop = Math.ceil(length / factor);
  const start = (length - crop) >> 1;
  const enlarged = roundHalfEven(crop * factor);
  const trim = (enlarged - length) >> 1;
  const scale = enlarged > 1 ? (crop - 1) / (enlarged - 1) : 1;
  const positions = Float64Array.from({ length }, (_, i) => (i + trim) * scale);
  const low = Int32Array.from(positions, Math.floor);
  return {
    low: low.map((position) => start + position),
    high: low.map((position) => start + Math.min(position + 1, crop - 1)),
    share: positions.map((position, i) => position - low[i]),
    outside: Uint8Array.from(positions, (position) => Number(position > crop - 1)),
  };
}
