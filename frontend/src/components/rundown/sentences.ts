/** A cue's text as the runner speaks it: sentence by sentence, with its stage marks set apart. */

export interface SentencePart {
  text: string
  isMark: boolean
}

const ENDS = /[^。！？!?；;…\n.]*(?:\.(?=\S)[^。！？!?；;…\n.]*)*[。！？!?；;….\n]*[”’"')）】》]*\s*/g
const MARK = /\[[^\]\n]*\]/g

/** Whether anything would be heard: more than marks, spaces and punctuation. */
function isSpoken(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text.replace(MARK, ''))
}

/** The sentences of a text; a piece without a word joins the sentence before it. */
export function splitSentences(text: string): string[] {
  const sentences: string[] = []
  for (const piece of text.match(ENDS) ?? []) {
    if (piece === '') continue
    const last = sentences.length - 1
    if (isSpoken(piece) || last < 0) sentences.push(piece)
    else sentences[last] += piece
  }
  const first = sentences[0]
  if (first !== undefined && sentences.length > 1 && !isSpoken(first)) {
    sentences.splice(0, 2, first + (sentences[1] ?? ''))
  }
  return sentences
}

/** A sentence cut at its stage marks such as `[wave]`. */
export function splitMarks(sentence: string): SentencePart[] {
  const parts: SentencePart[] = []
  let from = 0
  for (const match of sentence.matchAll(MARK)) {
    if (match.index > from) parts.push({ text: sentence.slice(from, match.index), isMark: false })
    parts.push({ text: match[0].slice(1, -1), isMark: true })
    from = match.index + match[0].length
  }
  if (from < sentence.length) parts.push({ text: sentence.slice(from), isMark: false })
  return parts
}
