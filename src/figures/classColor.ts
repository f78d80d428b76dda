/** Hues a golden angle apart, so that classes with near ids look different. */
export function classColor(id: number): readonly [number, number, number] {
  const hue = (id * 137.508) % 360;
  const channel = (shift: number) => {
    const place = (shift + hue / 30) % 12;
    return Math.round(255 * (0.5 - 0.4 * Math.max(-1, Math.min(place - 3, 9 - place, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}
