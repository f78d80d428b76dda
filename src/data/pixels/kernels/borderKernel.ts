import { copyBytes, forEach, loopWhile, wasmFunction, when } from "../../../core/wasm/function";
import { bytes, type I32, i32 } from "../../../core/wasm/values";

/** Pixels repeated around an image, which interpolation may look at. */
export const BORDER = 3;
/** Pixels of a mirrored row moved at a time. */
const AT_ONCE = 5;
const reversed = bytes(
  Array.from({ length: 16 }, (_, i) => (i < 15 ? 3 * (AT_ONCE - 1 - Math.floor(i / 3)) + (i % 3) : 255)),
);

/**
 * Copies RGB pixels, mirrored left to right where asked for, and repeats the outermost ones around them, BORDER on each
 * side. Reads up to 16 bytes before a mirrored row and writes one behind the end.
 */
export const bordered = wasmFunction(
  "bordered",
  ["source", "width", "height", "mirrored", "target"],
  (p, locals) => {
    const [y, side, line, pixel, from, to] = Array.from({ length: 6 }, () => locals.i32());
    const repeat = (at: I32) => [
      pixel.set(at.load()),
      forEach(side, BORDER, [to.store(pixel), to.set(to.plus(3))]),
    ];
    const lastPixel = p.source.plus(line).minus(3);
    const copyMirrored = [
      from.set(p.source.plus(line).minus(3 * AT_ONCE)),
      side.set(to),
      loopWhile(side.below(p.target.plus(3 * BORDER).plus(line)), [
        side.storeVector(from.loadVector().picked(reversed)),
        side.set(side.plus(3 * AT_ONCE)),
        from.set(from.minus(3 * AT_ONCE)),
      ]),
    ];
    return {
      body: [
        line.set(p.width.times(3)),
        forEach(y, p.height.plus(2 * BORDER), [
          to.set(p.target),
          when(p.mirrored, repeat(lastPixel), repeat(p.source)),
          when(p.mirrored, copyMirrored, [copyBytes(to, p.source, line)]),
          to.set(to.plus(line)),
          when(p.mirrored, repeat(p.source), repeat(lastPixel)),
          p.target.set(to),
          when(y.atLeast(BORDER).and(y.below(p.height.plus(i32(BORDER - 1)))), [
            p.source.set(p.source.plus(line)),
          ]),
        ]),
      ],
    };
  },
);

/** Copies `rows` rows of so many bytes, `line` apart, to where they are `targetLine` apart. */
export const copyRows = wasmFunction(
  "copyRows",
  ["source", "line", "target", "targetLine", "bytes", "rows"],
  (p, locals) => {
    const row = locals.i32();
    return {
      body: [
        forEach(row, p.rows, [
          copyBytes(p.target, p.source, p.bytes),
          p.source.set(p.source.plus(p.line)),
          p.target.set(p.target.plus(p.targetLine)),
        ]),
      ],
    };
  },
);
