/** Whether a key belongs to an input method, as of Chinese: Enter picks a candidate, Esc takes the pinyin back. */
export function isComposing(event: KeyboardEvent): boolean {
  // Safari ends the composition before it tells the key; 229 says that it was one of it.
  return event.isComposing || event.keyCode === 229
}
