import { Shown, type Work } from "./shown";

/** A download of a known number of bytes. */
export type Transfer = Work;

/** Shows one transfer. */
export interface TransferView {
  /** Bytes received since the beginning. */
  advance(received: number): void;
  end(complete: boolean): void;
}

const transfers = new Shown<TransferView>({ advance: () => {}, end: () => {} });

/** Lets the notebook layer show downloads of the layers below it. */
export function showTransfersWith(show: (transfer: Transfer) => TransferView): void {
  transfers.by(show);
}

export function beginTransfer(transfer: Transfer): TransferView {
  return transfers.begin(transfer);
}
