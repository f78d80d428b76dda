import type { View } from "./rows";
import type { ViewState } from "./state";

/** What the colors mean, for a reader who sees them for the first time. The class token (query 0) has no frame. */
export function explanation(view: View, query: number): string {
  const who = query === 0 ? "the class token, the query," : "the framed patch, the query,";
  const whose = query === 0 ? "the class token" : "the framed patch";
  return {
    mean: `A layer rebuilds every token from the tokens it looks at. Bright: where ${who} looks most, averaged over the heads. Its shares of all patches and of the class token add up to 100\u00a0%.`,
    max: `The largest share that any head gives each patch, seen from ${whose}: everything that some head finds. These shares do not add up to 100\u00a0%.`,
    head: `Where ${who} looks in one head. Heads look for different things: choose another below the image.`,
    rollout: `How much of each patch of the input is in ${whose} after this layer, followed through all layers up to it. Half of every token is taken to pass by the attention (rollout, Abnar & Zuidema 2020).`,
    entropy:
      "How spread out each patch's own attention is: dark patches look at few places, bright ones at many. Entropy per head in nats, then the mean over the heads.",
    relevance:
      "Where the evidence for the chosen class is, for the model as a whole: bright patches speak for it. The strongest patch is 100\u00a0%, the weakest 0\u00a0%. It does not depend on the query.",
    lens: `How sure every patch would be of the chosen class if the model ended behind this layer: its own last norm and head, patch by patch. What ${whose} would answer is written below.`,
    norms:
      "How long the token of each patch is that this layer is given. Tokens far longer than the others often hold something about the whole image in place of their patch.",
  }[view];
}

const free =
  "Point at a patch to see where it looks; click or tap to pin it. Arrow keys move the frame, C is the class token.";
const pinned =
  "The frame is pinned. Point at other patches to read their share; click or tap one to move the frame, or the frame itself (or Esc) to let go.";
const classToken =
  "The class token is pinned. Point at patches to read their share; click or tap one to look from there, press Esc to let go.";

/** Everything that may stand below the title. */
export const hints: readonly string[] = [free, pinned, classToken];

/** What can be done now. */
export function hint({ pinned: isPinned, query }: Pick<ViewState, "pinned" | "query">): string {
  if (!isPinned) return free;
  return query === 0 ? classToken : pinned;
}
