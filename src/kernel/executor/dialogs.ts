/** Asks the notebook's user for a line: null where an interrupt came instead, undefined where nobody can be asked. */
export type Ask = (question: string) => string | null | undefined;

/** What cells ask their user with, as in browsers and in Deno. */
export interface Dialogs {
  prompt(message?: string, initial?: string): string | null;
  confirm(message?: string): boolean;
  alert(message?: string): void;
}

/** The same as the compiler sees it. */
export const dialogTypes =
  "/** Asks the notebook's user for a line of text; an empty one stands for `initial`. Throws where nobody can be asked. */\n" +
  "declare function prompt(message?: string, initial?: string): string | null;\n" +
  "/** Asks the notebook's user a question; only y and yes are a yes, and nobody says no. */\n" +
  "declare function confirm(message?: string): boolean;\n" +
  "/** Shows a message to the notebook's user and waits until it is read, where somebody is there. */\n" +
  "declare function alert(message?: string): void;\n";

/** Input was wanted where a run takes none. */
export class NoInput extends Error {
  override readonly name = "NoInput";
}

/** `halt` throws where the cell was ended meanwhile. */
export function dialogs(ask: Ask, halt: () => void): Dialogs {
  const answerTo = (question: string): string | null | undefined => {
    const answer = ask(question);
    if (answer === null) halt();
    return answer;
  };
  return {
    prompt(message = "", initial = "") {
      const answer = answerTo(initial === "" ? String(message) : `${message} [${initial}] `);
      if (answer === undefined) throw new NoInput(noInput(message));
      return answer === "" ? String(initial) : answer;
    },
    confirm(message = "Confirm") {
      const answer = answerTo(`${message} [y/N] `);
      if (answer === undefined)
        console.error(`confirm(${JSON.stringify(message)}): nobody to ask, taken as no`);
      return /^\s*y(es)?\s*$/i.test(answer ?? "");
    },
    alert(message = "Alert") {
      if (answerTo(`${message} [Enter] `) === undefined) console.log(String(message));
    },
  };
}

function noInput(message: string): string {
  return (
    `prompt(${JSON.stringify(message)}): nobody can be asked, since this run takes no input. ` +
    "Write the value into a cell, or make it a parameter: luvit run notebook.ipynb -p name=value"
  );
}
