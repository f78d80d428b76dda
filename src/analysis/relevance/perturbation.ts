/**
 * RISE's blur: a delta in a square of `size`, filtered with a Gaussian under reflecting borders, so that it sums to 1 and
 * is flatter than a cut Gaussian. [size × size]. Reference: eclique/RISE evaluation.py gkern.
 */
export function blurKernel(size = 11, sigma = 5): Float64Array {
  const line = filteredDelta(size, sigma);
  return Float64Array.from({ length: size * size }, (_, i) => line[Math.floor(i / size)] * line[i % size]);
}

/** Gaussian cut at 4 sigma; places beyond an end are those before it, mirrored, the end itself repeated. */
function filteredDelta(size: number, sigma: number): Float64Array {
  const radius = Math.trunc(4 * sigma + 0.5);
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const total = weights.reduce((sum, x) => sum + x, 0);
  const center = Math.floor(size / 2);
  return Float64Array.from({ length: size }, (_, place) => {
    let sum = 0;
    for (const [i, weight] of weights.entries()) {
      if (mirrored(place + i - radius, size) === center) sum += weight / total;
    }
    return sum;
  });
}

function mirrored(place: number, size: number): number {
  const inPeriod = ((place % (2 * size)) + 2 * size) % (2 * size);
  return inPeriod < size ? inPeriod : 2 * size - 1 - inPeriod;
}

/** Planes [count, height, width] convolved with a kernel, zeros around them. */
export function blurred(
  planes: Float32Array,
  height: number,
  width: number,
  kernel: Float64Array,
): Float32Array {
  const size = Math.sqrt(kernel.length);
  const half = Math.floor(size / 2);
  const result = new Float32Array(planes.length);
  for (let at = 0; at < planes.length; at++) {
    const y = Math.floor(at / width) % height;
    const x = at % width;
    let sum = 0;
    for (let i = Math.max(0, half - y); i < Math.min(size, height + half - y); i++) {
      const row = at + (i - half) * width - half;
      for (let j = Math.max(0, half - x); j < Math.min(size, width + half - x); j++) {
        sum += kernel[i * size + j] * planes[row + j];
      }
    }
    result[at] = sum;
  }
  return result;
}

/** Pixels by falling saliency; equal ones in the order of the pixels. */
export function bySaliency(saliency: ArrayLike<number>): Uint32Array {
  const order = Uint32Array.from({ length: saliency.length }, (_, i) => i);
  return order.sort((a, b) => saliency[b] - saliency[a] || a - b);
}

/**
 * The images of a curve, before the first step and after each: pixels of `start` [3, H, W] become those of `end`, `step`
 * at a time, in `order`, all channels at once.
 */
export function* steps(
  start: Float32Array,
  end: Float32Array,
  order: Uint32Array,
  step: number,
): Generator<Float32Array> {
  const image = start.slice();
  yield image;
  for (let from = 0; from < order.length; from += step) {
    for (const pixel of order.subarray(from, from + step)) {
      for (let at = pixel; at < image.length; at += order.length) image[at] = end[at];
    }
    yield image;
  }
}

/** Area under a curve of scores at equal steps, the first and the last counted half. */
export function areaUnder(scores: ArrayLike<number>): number {
  let sum = -(scores[0] + scores[scores.length - 1]) / 2;
  for (let i = 0; i < scores.length; i++) sum += scores[i];
  return sum / (scores.length - 1);
}
