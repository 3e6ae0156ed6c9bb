/** There is no reply, and its message says why: one line for the author, which is the detail of a bot break with the cause `exception` as it stands.
 *
 * Any other error that is thrown is one too; then the line begins with its place, and the frames are logged. */
export class BotError extends Error {
  override readonly name = "BotError";
}
