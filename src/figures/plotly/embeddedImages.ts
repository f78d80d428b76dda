import type { PlotlyFigure } from "../spec";

/** The parts of Plotly's JSON that name images: of a layout, of traces, and of templates of both. */
interface Imaged {
  images?: unknown;
  template?: { layout?: Imaged; data?: { image?: unknown } };
}

/** Whether an image comes with its figure. */
export const isEmbedded = (image: unknown) =>
  /^data:image\/(png|jpeg|gif|webp);base64,[\w+/=]*$/.test(String((image as { source?: unknown })?.source));

/**
 * A figure without the images that Plotly would fetch from elsewhere: who made the figure would learn who looks at it.
 * Images that come with it stay.
 */
export function withEmbeddedImages({ data, layout }: PlotlyFigure): PlotlyFigure {
  const kept = data.filter(
    (trace) => (trace.type as string) !== "image" || !("source" in trace) || isEmbedded(trace),
  );
  return { data: kept, layout: withoutFetches(layout as Imaged) as PlotlyFigure["layout"] };
}

function withoutFetches(layout: Imaged): Imaged {
  const cleaned = { ...layout };
  if ("images" in layout) cleaned.images = embeddedOf(layout.images);
  const { template } = layout;
  if (typeof template !== "object" || template === null) return cleaned;
  cleaned.template = { ...template };
  if (typeof template.layout === "object") cleaned.template.layout = withoutFetches(template.layout ?? {});
  if (typeof template.data === "object")
    cleaned.template.data = { ...template.data, image: embeddedOf(template.data?.image) };
  return cleaned;
}

function embeddedOf(images: unknown): unknown[] {
  return Array.isArray(images) ? images.filter(isEmbedded) : [];
}
