/**
 * Which of several answers counts: call it before asking, and what it gave when the answer is there.
 * True only while nothing was asked since: a slow answer must not overwrite a newer one.
 */
export function newestOnly(): () => () => boolean {
  let round = 0
  return () => {
    round += 1
    const mine = round
    return () => mine === round
  }
}
