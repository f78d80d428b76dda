import { formatShape, type HostTensor } from "../core/hostTensor";
import { type Tensor, tf } from "../core/tf";
import { formatBytes, formatNumber } from "../figures/format";
import { figureFont, neutralColor, seriesColor } from "../figures/theme";
import { Parameter } from "../nn";
import { dataUrl, escapeHtml } from "./html";
import type { MimeBundle } from "./nbformat";
import { bad, container, muted } from "./styles";
import { type TensorStats, tensorStats } from "./tensorStats";
import { isWritten, tensorView } from "./tensorViews";

/** A tensor's values in host memory with what is known about them. */
interface Shown {
  shape: readonly number[];
  dtype: string;
  values: ArrayLike<number>;
  /** Said behind the shape, e.g. "frozen". */
  remark: string;
}

/** Shape, range, moments, distribution and, where the shape allows, a heat map or the images in it. */
export async function tensorBundle(tensor: Tensor | HostTensor | Parameter): Promise<MimeBundle> {
  // The values are read now: the caller may dispose the tensor next.
  const shown = tensor instanceof Parameter ? undefined : readNow(tensor);
  const { shape, dtype, values, remark } = shown ?? (await readParameter(tensor as Parameter));
  const stats = tensorStats(values);
  const name = `${dtype} ${formatShape(shape)}`;
  const facts = factsOf(stats);
  const html = [
    `<div><b>${escapeHtml(name)}</b> <span style="${muted}">${escapeHtml(sizeText(stats, values) + remark)}</span></div>`,
    factsHtml(facts),
    `<div style="display:flex;flex-wrap:wrap;gap:8px 24px;align-items:flex-start">${isWritten(shape, values) ? "" : histogramHtml(stats)}${await tensorView(shape, values, stats)}</div>`,
  ];
  return {
    "text/plain": `${name}${remark}: ${facts.map(([label, value]) => `${label} ${value}`).join(", ")}`,
    "text/html": container("luvit-tensor", "", html.join("")),
  };
}

function readNow(tensor: Tensor | HostTensor): Shown {
  if (!(tensor instanceof tf.Tensor)) {
    const stored = tensor.dtype && tensor.dtype !== "F32" ? `, stored as ${tensor.dtype}` : "";
    return { shape: tensor.shape, dtype: "float32", values: tensor.data, remark: stored };
  }
  const { shape, dtype } = tensor;
  return { shape, dtype, values: tensor.dataSync() as ArrayLike<number>, remark: "" };
}

async function readParameter(parameter: Parameter): Promise<Shown> {
  const { shape, trainable, source } = parameter;
  const remark = `, ${trainable ? "trainable" : "frozen"}${source ? `, from ${source}` : ""}`;
  return { shape, dtype: "float32", values: await parameter.peek(), remark };
}

function sizeText({ count }: TensorStats, values: ArrayLike<number>): string {
  const bytes = (values as { byteLength?: number }).byteLength ?? 4 * count;
  return `${formatNumber(count)} ${count === 1 ? "value" : "values"}, ${bytes < 1024 ? `${bytes} bytes` : bytes < 2 ** 20 ? `${Math.round(bytes / 1024)} KiB` : formatBytes(bytes)}`;
}

function factsOf({ min, mean, max, std, nan, infinite, zeros, count }: TensorStats): [string, string][] {
  const number = (value: number) => formatNumber(Number(value.toPrecision(4))).replace("-", "−");
  const facts: [string, string][] = [
    ["min", number(min)],
    ["mean", number(mean)],
    ["max", number(max)],
    ["std", number(std)],
    ["NaN", formatNumber(nan)],
  ];
  if (infinite > 0) facts.push(["infinite", formatNumber(infinite)]);
  if (zeros > 0) facts.push(["zero", `${formatNumber(Number(((100 * zeros) / count).toPrecision(3)))} %`]);
  return facts;
}

function factsHtml(facts: readonly [string, string][]): string {
  const look = (label: string, value: string) =>
    value !== "0" && (label === "NaN" || label === "infinite") ? bad : "";
  const cells = facts.map(
    ([label, value]) =>
      `<span style="${look(label, value)}"><span style="${muted}">${label}</span> ${value}</span>`,
  );
  return `<div style="display:flex;flex-wrap:wrap;gap:2px 16px;margin:2px 0 8px">${cells.join("")}</div>`;
}

/** The distribution as bars between the least and the greatest value. */
function histogramHtml({ histogram, min, max }: TensorStats): string {
  const most = Math.max(...histogram);
  if (!Number.isFinite(min) || min === max) return "";
  const [width, height] = [256, 64];
  const step = width / histogram.length;
  const bars = histogram.map((count, bin) => {
    const tall = (count / most) * height;
    return `<rect x="${(bin * step).toFixed(1)}" y="${(height - tall).toFixed(1)}" width="${(step - 1).toFixed(1)}" height="${tall.toFixed(1)}"/>`;
  });
  const label = (x: number, anchor: string, value: number) =>
    `<text x="${x}" y="${height + 14}" text-anchor="${anchor}">${formatNumber(Number(value.toPrecision(3))).replace("-", "−")}</text>`;
  const axis = `<path d="M0 ${height}.5H${width}" stroke="${neutralColor}"/>`;
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height + 18}" width="${width}" height="${height + 18}" font-family="${escapeHtml(figureFont)}">` +
    `<g fill="${seriesColor(0)}">${bars.join("")}</g>${axis}<g font-size="11" fill="${neutralColor}">${label(0, "start", min)}${label(width, "end", max)}</g></svg>`;
  return `<img src="${dataUrl("image/svg+xml", svg)}" alt="distribution of the values" style="max-width:100%">`;
}
