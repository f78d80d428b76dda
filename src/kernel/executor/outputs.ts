import type { MimeBundle } from "../../notebook/nbformat";
import type { DisplayMessage } from "../../notebook/outputs";

/** Why a cell failed, as Jupyter tells it. */
export interface CellFailure {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** Takes what one cell prints, shows, returns and throws, also after the cell has ended. */
export interface CellOutputs {
  /** Whether nobody sees them; what no cell has caused goes to the last cell that is seen. */
  readonly hidden?: boolean;
  stream(name: "stdout" | "stderr", text: string): void;
  display(message: DisplayMessage, update?: boolean): void;
  /** Removes what the cell has shown; with `wait` when the next output comes. */
  clear(wait: boolean): void;
  result(data: MimeBundle): void;
  error(failure: CellFailure): void;
  /** Hands on what waits for more of its kind. */
  flush?(): void;
}
