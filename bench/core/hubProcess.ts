import { createHash } from "node:crypto";
import { Imitation } from "../../tests/support/hubImitation";
import { answerParent } from "./child";

/** What the imitation of the hub is asked to do. */
export type HubQuestion = { serve: string } | { count: true };

/** Bytes sent since the last count, those of HTTP itself among them. */
export interface HubCount {
  bytes: number;
  requests: number;
}

let hub: Imitation | undefined;
let counted = 0;

answerParent(async (question: HubQuestion) => {
  if ("serve" in question) {
    // The real hash of 13.5 GB of holes would take longer than the bench.
    const etagOf = (name: string) => createHash("sha256").update(name).digest("hex");
    hub = await Imitation.start({ folder: question.serve, etagOf });
    return hub.endpoint;
  }
  const bytes = hub!.bytesSent - counted;
  counted += bytes;
  const requests = hub!.seen.length;
  hub!.forget();
  return { bytes, requests };
});
