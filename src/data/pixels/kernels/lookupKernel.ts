import { wasmFunction, when } from "../../../core/wasm/function";
import { type Code, i32 } from "../../../core/wasm/values";
import { advancing } from "./pixelCode";

/** Sets of counters, for pixels in turn: a byte need not wait for the count that the one before it has just written. */
export const COUNTER_SETS = 2;
const CHANNELS = [0, 1, 2];

/** How often each channel of RGB pixels has each byte, added to u32 `counts` [COUNTER_SETS, 3, 256]. */
export const histograms = wasmFunction("histograms", ["source", "pixels", "counts"], (p, locals) => {
  const [end, counter] = [locals.i32(), locals.i32()];
  const count = (pixel: number): Code[] =>
    CHANNELS.flatMap((c) => [
      counter.set(p.counts.plus(p.source.loadByte(3 * pixel + c).shiftedLeft(2))),
      counter.store(counter.load(1024 * (3 * pixel + c)).plus(1), 1024 * (3 * pixel + c)),
    ]);
  const pairs = Array.from({ length: COUNTER_SETS }, (_, pixel) => count(pixel)).flat();
  return {
    body: [
      end.set(p.source.plus(p.pixels.and(-COUNTER_SETS).times(3))),
      advancing(p.source, end, 3 * COUNTER_SETS, pairs),
      when(p.pixels.and(1), count(0)),
    ],
  };
});

/** Sends the channels of RGB pixels through `table` [3, 256], in place. */
export const lookUp = wasmFunction("lookUp", ["source", "pixels", "table"], (p, locals) => {
  const end = locals.i32();
  return {
    body: [
      end.set(p.source.plus(p.pixels.times(i32(3)))),
      advancing(
        p.source,
        end,
        3,
        CHANNELS.map((c) => p.source.storeByte(p.table.plus(p.source.loadByte(c)).loadByte(256 * c), c)),
      ),
    ],
  };
});
