import { type Tensor, tf } from "../../core/tf";
import { type RoiRows, roiAlign } from "./roiAlign";

/** What the boxes of every image of a batch see, image after image: maps [B, H, W, C], rows [B, R, P, …] -> [B R, P, P, C]. */
export function poolRois(maps: readonly Tensor[], rows: readonly RoiRows[]): Tensor {
  const batch = maps[0].shape[0];
  const ofImage = (x: Tensor, image: number) =>
    tf.slice(x, [image, ...x.shape.slice(1).map(() => 0)], [1, ...x.shape.slice(1)]);
  const pooled = Array.from({ length: batch }, (_, image) => {
    const own = rows.map(({ y, x }) => {
      const [down, across] = [y, x].map((all) => tf.reshape(ofImage(all, image), all.shape.slice(1)));
      return { y: down, x: across };
    });
    return roiAlign(
      maps.map((map) => ofImage(map, image)),
      own,
    );
  });
  return pooled.length === 1 ? pooled[0] : tf.concat(pooled, 0);
}
