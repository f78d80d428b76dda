/** A bench's outcome, for programs and for people. */
export interface Report {
  json: object;
  text: string;
}
