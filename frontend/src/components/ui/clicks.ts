/**
 * False for the second half of a double click: for a button that then does the same once more, such
 * as to skip another cue, or the opposite, since another stands in its place by then.
 */
export function isSingle(click: MouseEvent): boolean {
  return click.detail < 2
}
