import { checkOptions } from "../core/options";
import { type ColormapName, colormap as colorOf } from "./colormap";
import { colormapField } from "./options";

/**
 * The color of a value in 0..1; values outside are clamped, not-a-number is mid gray. (`colormap` is also a part of
 * pages' scripts, where names are this library's.)
 *
 * @throws LuvitError("bad-argument") for a name that is none.
 */
export function colormap(name: ColormapName, value: number): [number, number, number] {
  checkOptions("colormap", colormapField, name);
  return colorOf(name, value);
}
