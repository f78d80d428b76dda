import { makeCanvas, penOf, unpack } from "../../browser/dom";
import { upgradeHosts } from "../../browser/upgrade";
import { colorTable } from "./paint";
import { Panel } from "./panel";
import { type ModelHeader, readLayers, type ViewerHeader } from "./payload";
import { startState, type ViewState } from "./state";
import { Viewer } from "./viewer";

upgradeHosts("luvit-attention", upgrade);

async function upgrade(host: HTMLElement): Promise<void> {
  const header = JSON.parse(host.querySelector(".luvit-attention-header")!.textContent!) as ViewerHeader;
  const packed = host.querySelector(".luvit-attention-data")!.textContent!.trim();
  const stored = host.dataset.state;
  const layers = readLayers(header, await unpack(packed));
  const images = await Promise.all(header.models.map(loadImage));
  const { attention, entropy } = header.colors;
  const tables = { attention: colorTable(attention), entropy: colorTable(entropy) };
  const state: ViewState = stored ? JSON.parse(stored) : startState(header.models);
  const panels: Panel[] = header.models.map(
    (model, index) =>
      new Panel({
        model,
        layers: layers[index]!,
        image: images[index]!,
        tables,
        events: {
          point: (token) => viewer.point(index, token),
          choose: (token) => viewer.choose(token),
          key: (event) => viewer.key(event),
          chooseHead: (head) => viewer.chooseHead(index, head),
        },
      }),
  );
  const viewer = new Viewer(host, header, panels, state);
}

async function loadImage({ image }: ModelHeader): Promise<HTMLCanvasElement> {
  const drawn = new Image();
  drawn.src = image;
  await drawn.decode();
  const { naturalWidth: width, naturalHeight: height } = drawn;
  const canvas = makeCanvas(width, height);
  penOf(canvas).drawImage(drawn, 0, 0, width, height);
  return canvas;
}
