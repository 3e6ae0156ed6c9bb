// A module beside the handler's own.

import { Reply } from "codenode";

export function share(whole: number, parts: number[] | undefined): Reply {
  return new Reply(String(whole / parts!.length));
}
