import { onBackend, tf } from "../../core/tf";
import { type SlidingWindow, slidingWindows } from "../../graph/shapes/windows";
import { multiplyBatches } from "./batchedMatMul";
import { type HostMemory, wasmMemory } from "./defineOp";

/** tfjs 4.22 has no gradient of convolutions towards their filter on wasm: here it is one product per filter place. */
onBackend((backend) => {
  if (backend === "wasm") registerFilterGradient(wasmMemory);
});

function registerFilterGradient(memory: HostMemory): void {
  tf.registerKernel({
    kernelName: "Conv2DBackpropFilter",
    backendName: "wasm",
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { x, dy } = inputs as Record<string, tf.TensorInfo>;
      const { filterShape, ...attributes } = attrs as unknown as { filterShape: number[] };
      const output = memory.allocate(backend, { shape: filterShape, dtype: "float32" });
      const [pixels, upstream, sums] = [x, dy, output].map(
        (info) => memory.view(backend, info) as Float32Array,
      );
      const windows = slidingWindows(x.shape, filterShape, attributes as never);
      filterGradient(pixels, upstream, sums, x.shape, filterShape, windows);
      return output;
    },
  });
}

/** sums [kh, kw, I, O] from pixels [B, H, W, I] and upstream [B, h, w, O]. */
function filterGradient(
  pixels: Float32Array,
  upstream: Float32Array,
  sums: Float32Array,
  [batch, height, width, channels]: readonly number[],
  [rows, columns, , outputs]: readonly number[],
  [down, across]: readonly [SlidingWindow, SlidingWindow],
): void {
  const places = batch * down.places * across.places;
  const seen = new Float32Array(places * channels);
  const right = { values: upstream, rows: places, columns: outputs, transposed: false };
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      seen.fill(0);
      for (let place = 0; place < places; place++) {
        const column = place % across.places;
        const row = ((place - column) / across.places) % down.places;
        const image = Math.floor(place / (across.places * down.places));
        const y = row * down.stride - down.before + i * down.dilation;
        const x = column * across.stride - across.before + j * across.dilation;
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        const start = ((image * height + y) * width + x) * channels;
        seen.set(pixels.subarray(start, start + channels), place * channels);
      }
      const start = (i * columns + j) * channels * outputs;
      const product = sums.subarray(start, start + channels * outputs);
      multiplyBatches({ values: seen, rows: channels, columns: places, transposed: true }, right, product, 1);
    }
  }
}
