import { forEach, wasmFunction, when } from "../../../core/wasm/function";
import { i32 } from "../../../core/wasm/values";
import { ONLY_DC } from "./entropyKernel";
import { InverseDct } from "./idctKernel";

/**
 * `count` blocks of one component, `step` bytes and `endStep` positions apart, to 8 x 8 samples each, `stepX` bytes apart
 * in rows of `stride` bytes. Leaves their coefficients zero.
 */
export const transformBlocks = wasmFunction(
  "transformBlocks",
  [
    "coefficients",
    "step",
    "ends",
    "endStep",
    "count",
    "quantization",
    "target",
    "stepX",
    "stride",
    "scratch",
  ],
  (p, locals) => {
    const [done, value, row, to] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const dct = new InverseDct(locals, p.scratch);
    const zeros = i32(0).inLanes();
    /** What the transform makes of a block that is all of one value. */
    const flat = [
      value.set(
        p.coefficients.loadShort().times(p.quantization.loadShort()).plus(4).shiftedRight(3).plus(128),
      ),
      value.set(value.atMost(i32(255))),
      when(value.below(0), [value.set(i32(0))]),
      forEach(row, 8, [to.storeHalf(value.inBytes(), 0), to.set(to.plus(p.stride))]),
      p.coefficients.storeShort(i32(0)),
    ];
    const full = [
      ...dct.code(p.coefficients, p.quantization, to, p.stride),
      ...Array.from({ length: 8 }, (_, i) => p.coefficients.storeVector(zeros, 16 * i)),
    ];
    const body = [
      forEach(done, p.count, [
        to.set(p.target),
        when(p.ends.loadByte().equals(ONLY_DC), flat, full),
        p.coefficients.set(p.coefficients.plus(p.step)),
        p.ends.set(p.ends.plus(p.endStep)),
        p.target.set(p.target.plus(p.stepX)),
      ]),
    ];
    return { body };
  },
);
