/** A download that is going on, for whoever shows it. */
export interface Transfer {
  /** What is transferred, for people. */
  readonly label: string;
  /** Bytes in all, those that were here before among them. */
  readonly total: number;
  /** Bytes that were here before. */
  readonly kept: number;
}

/** Shows one transfer. */
export interface TransferView {
  /** Bytes received since the beginning. */
  advance(received: number): void;
  end(complete: boolean): void;
}

type Presenter = (transfer: Transfer) => TransferView;

const unseen: TransferView = { advance: () => {}, end: () => {} };
let presenter: Presenter = () => unseen;

/** Lets the notebook layer show downloads of the layers below it. */
export function showTransfersWith(show: Presenter): void {
  presenter = show;
}

export function beginTransfer(transfer: Transfer): TransferView {
  return presenter(transfer);
}
