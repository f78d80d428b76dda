import type { CellOutput } from "../../../src/notebook/nbformat";
import type { CellState, NotebookPage } from "./page";

/** Messages of the cells that failed. */
export function errorsOf(cells: readonly CellState[]): string[] {
  return cells.flatMap(({ outputs }) =>
    outputs.flatMap((output) =>
      output.output_type === "error" ? [`${output.ename}: ${output.evalue}`] : [],
    ),
  );
}

/** How many images each cell's outputs hold, in the form that Jupyter shows: HTML before PNG. */
export function storedImages(cells: readonly CellState[]): number[] {
  return cells.map(({ outputs }) => outputs.reduce((sum, output) => sum + imagesIn(output), 0));
}

function imagesIn(output: CellOutput): number {
  if (!("data" in output)) return 0;
  const html = output.data["text/html"];
  if (html !== undefined) return String(html).match(/<img\b/g)?.length ?? 0;
  return Object.keys(output.data).some((mime) => mime.startsWith("image/")) ? 1 : 0;
}

/** How many images are seen in each cell's outputs: loaded, and with a size on the page. */
export async function imagesOf(opened: NotebookPage, cells: number): Promise<number[]> {
  const counts: number[] = [];
  for (let index = 0; index < cells; index++) {
    const images = opened.output(index).locator("img");
    let seen = 0;
    for (let at = 0; at < (await images.count()); at++) {
      await images.nth(at).scrollIntoViewIfNeeded();
      if (await images.nth(at).evaluate(isDrawn)) seen++;
    }
    counts.push(seen);
  }
  return counts;
}

// biome-ignore lint/suspicious/noExplicitAny: runs in the page, whose types are not these tests'
const isDrawn = async (image: any): Promise<boolean> => {
  await image.decode().catch(() => undefined);
  return image.naturalWidth > 0 && image.clientWidth > 40 && image.clientHeight > 10;
};
